"""environment.yml brings what the model imports, so that the image has it too."""

import pytest

from tools import packages


def test_what_the_model_imports_is_listed():
    if faults := packages.faults():
        pytest.fail("\n".join(faults), pytrace=False)
