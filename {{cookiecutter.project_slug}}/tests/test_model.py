"""Does the model tell the truth? Yours: write here what must hold of its answers."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from model import Input, predict


@pytest.mark.parametrize(
    ("value", "square"), [(2, 4), (-3, 9), (0, 0), (10**150, 10**300)], ids=range(4)
)
def test_the_square_is_exact(value, square):
    assert predict(Input(value=value)).value_squared == square


@pytest.mark.parametrize("value", [10**150 + 1, -(10**150) - 1, 1.5, "two", None], ids=range(5))
def test_what_has_no_square_here_is_refused(value):
    with pytest.raises(ValidationError):
        Input(value=value)


def test_the_model_imports_no_web_code():
    program = "import sys, model; sys.exit('flask' in sys.modules or 'service' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
