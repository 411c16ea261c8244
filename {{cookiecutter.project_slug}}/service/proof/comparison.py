"""Whether an answer is the recorded one, and where and by how much it is not."""

import json
import sys
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from pydantic import BaseModel, Field

from service.words import shorten

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
    outcome: str  # OK, VALUE: another value, or CONTRACT: another type, a member more or less
    size: float | None = None  # of a float: as a part of the largest expected in its array
    allowed: float = 0  # likewise

    def __str__(self) -> str:
        """Say where, what, and for floats how far."""
        values = f"{self.path or 'the answer'} is {self.got}, recorded as {self.expected}"
        if self.size is None:
            return values
        return f"{values}, off by {self.size:.2e} of the scale ({self.allowed:.2e} allowed)"


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
    else:
        yield measure(expected, got, tolerance, path, scale)


def measure(
    expected: object, got: object, tolerance: Tolerance, path: str, scale: float
) -> Deviation:
    """Lay one value beside the recorded one: a float may be off, all else must be equal."""
    shown, kinds = (written(expected), written(got)), {type(expected), type(got)}
    if type(expected) is float and kinds <= {int, float} and abs(got) < 2**1023:
        scale = scale or abs(expected)
        unit = scale or tolerance.atol or 1
        allowed = max(tolerance.rtol if scale else 0, tolerance.atol / unit)
        size = min(abs(got - expected) / unit, sys.float_info.max)  # JSON has no infinity
        return Deviation(path, *shown, "OK" if size <= allowed else "VALUE", size, allowed)
    # null takes the place of a number that is not finite: another value, no other type
    is_null = None in (expected, got) and MISSING not in (expected, got)
    if len(kinds) == 1 or kinds == {int, float} or is_null:
        return Deviation(path, *shown, "OK" if expected == got else "VALUE")
    return Deviation(path, *shown, "CONTRACT")


def magnitude(value: object) -> float:
    """The largest magnitude of the floats in nested lists."""
    if isinstance(value, list):
        return max(map(magnitude, value), default=0)
    return abs(value) if isinstance(value, float) else 0


def written(value: object) -> str:
    """A value as JSON, cut where it is long."""
    return "missing" if value is MISSING else shorten(json.dumps(value, ensure_ascii=False))
