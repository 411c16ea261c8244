"""Whether an answer is the recorded one, and where and by how much it is not."""

import json
import math
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from pydantic import BaseModel, Field

from service.errors import shorten

MISSING = object()  # stands where a member is not there; null is a value


class Tolerance(BaseModel, extra="forbid"):
    """How far a floating-point number may be off. Everything else must be equal."""

    rtol: float = Field(1e-5, ge=0, allow_inf_nan=False)  # of the largest in its array
    atol: float = Field(0, ge=0, allow_inf_nan=False)  # in the unit of the answer


class Deviation(NamedTuple):
    """One value of an answer beside the recorded one, both as JSON."""

    path: str
    expected: str
    got: str
    size: float  # of the largest magnitude that is expected in its array
    allowed: float = 0  # likewise
    breaks_contract: bool = False  # another type, a member too many or too few

    @property
    def fits(self) -> bool:
        """Whether the value is the recorded one."""
        return self.size <= self.allowed

    def __str__(self) -> str:
        """Say where, what, and for numbers how far."""
        values = f"{self.path or 'the answer'} is {self.got}, recorded as {self.expected}"
        if math.isinf(self.size):
            return values
        return f"{values}, off by {self.size:.1e} of the scale ({self.allowed:.1e} allowed)"


def compare(
    expected: object, got: object, tolerance: Tolerance, path: str = "", scale: float = 0
) -> Iterator[Deviation]:
    """Lay every value of an answer beside the recorded one.

    A float is measured against the largest expected magnitude of its array, nested or not,
    since what is near zero there carries the rounding of what is not.
    """
    if isinstance(expected, dict) and isinstance(got, dict) and (expected or got):
        for name in expected | got:
            pair = expected.get(name, MISSING), got.get(name, MISSING)
            yield from compare(*pair, tolerance, f"{path}.{name}" if path else name)
    elif isinstance(expected, list) and isinstance(got, list) and (expected or got):
        scale = scale or magnitude(expected)
        for number, pair in enumerate(zip_longest(expected, got, fillvalue=MISSING)):
            yield from compare(*pair, tolerance, f"{path}[{number}]", scale)
    elif type(expected) is float and type(got) in (int, float) and abs(got) < 2**1023:
        scale = scale or abs(expected)
        unit = scale or tolerance.atol or 1
        allowed = max(tolerance.rtol if scale else 0, tolerance.atol / unit)
        yield Deviation(path, written(expected), written(got), abs(got - expected) / unit, allowed)
    else:
        kinds = {type(expected), type(got)}
        alike = len(kinds) == 1 or kinds == {int, float}
        size = 0 if alike and expected == got else math.inf
        # null takes the place of a number that is not finite: another value, no other type
        breaks = not alike and (MISSING in (expected, got) or None not in (expected, got))
        yield Deviation(path, written(expected), written(got), size, breaks_contract=breaks)


def magnitude(value: object) -> float:
    """The largest magnitude of the floats in nested lists."""
    if isinstance(value, list):
        return max(map(magnitude, value), default=0)
    return abs(value) if isinstance(value, float) else 0


def written(value: object) -> str:
    """A value as JSON, cut where it is long."""
    return "missing" if value is MISSING else shorten(json.dumps(value, ensure_ascii=False))
