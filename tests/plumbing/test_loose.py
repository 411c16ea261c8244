"""Values of NumPy in answers that are loosely typed are written as JSON has them."""

from functools import partial
from typing import Any

import numpy
import pytest
from pydantic import BaseModel

from service.runner.answers import write
from service.runner.loose import plain
from service.runner.strict import writer


class Output(BaseModel):
    value: Any = None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (numpy.datetime64("2024-03-01T12:00", "ns"), '"2024-03-01T12:00:00"'),
        (numpy.datetime64("2024-03-01"), '"2024-03-01"'),
        (numpy.array(["2024-03-01", "NaT"], "M8[ns]"), '["2024-03-01T00:00:00",null]'),
        (numpy.timedelta64(3 * 10**9, "ns"), '"PT3S"'),
        ({"a": [numpy.float64("nan"), numpy.int8(3)]}, '{"a":[null,3]}'),
    ],
)
def test_it_is_written(value, text):
    to_json = partial(writer(Output).to_json, fallback=plain)
    assert write(to_json, Output(value=value)).decode() == f'{{"value":{text}}}'
