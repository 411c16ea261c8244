"""Whether an answer is the recorded one, and where and by how much it is not."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, Field

from service.errors import shorten

KINDS = {bool: "boolean", int: "number", float: "number", str: "string", dict: "object"}
MISSING = object()  # stands where a member is not there; null is a value


class Tolerance(BaseModel, extra="forbid"):
    """How far a floating-point number may be off. Everything else must be equal."""

    rtol: float = Field(1e-5, ge=0, allow_inf_nan=False)  # of the largest in its array
    atol: float = Field(0, ge=0, allow_inf_nan=False)  # in the unit of the answer


@dataclass(frozen=True)
class Deviation:
    """One value of an answer beside the recorded one, both as JSON."""

    path: str
    expected: str
    got: str
    size: float = 0  # in the unit of the answer
    allowed: float = 0  # likewise
    scale: float = 0  # the largest magnitude that is expected in its array
    breaks_contract: bool = False  # another type or length, a member too many or too few

    @property
    def fits(self) -> bool:
        """Whether the value is the recorded one."""
        return self.size <= self.allowed

    @property
    def relative(self) -> float:
        """The size as a part of the scale, where there is one."""
        return self.size / self.scale if self.scale else self.size

    def __str__(self) -> str:
        """Say where, what, and for numbers how far."""
        values = f"{self.path or 'the answer'} is {self.got}, recorded as {self.expected}"
        size, allowed = f"{self.size:.1e}", f"{self.allowed:.1e}"
        return values if math.isinf(self.size) else f"{values}, off by {size} ({allowed} allowed)"


def compare(
    expected: object, got: object, tolerance: Tolerance, path: str = "", scale: float = 0
) -> Iterator[Deviation]:
    """Lay every value of an answer beside the recorded one.

    A float is measured against the largest expected magnitude of its array, nested or not,
    since what is near zero there carries the rounding of what is not.
    """
    if isinstance(expected, dict) and isinstance(got, dict) and (expected or got):
        for name in dict.fromkeys([*expected, *got]):
            pair = expected.get(name, MISSING), got.get(name, MISSING)
            yield from compare(*pair, tolerance, f"{path}.{name}" if path else name)
    elif isinstance(expected, list) and kind(expected) == kind(got) and expected:
        scale = scale or magnitude(expected)
        for number, pair in enumerate(zip(expected, got, strict=True)):
            yield from compare(*pair, tolerance, f"{path}[{number}]", scale)
    elif isinstance(expected, float) and kind(got) == "number" and abs(got) < 2**1023:
        scale = scale or abs(expected)
        allowed = max(tolerance.rtol * scale, tolerance.atol)
        shown = written(expected), written(got)
        yield Deviation(path, *shown, abs(got - expected), allowed, scale)
    else:
        yield exact(path, expected, got)


def exact(path: str, expected: object, got: object) -> Deviation:
    """What must be equal: integers, texts, booleans, null, lengths and names of members."""
    kinds = kind(expected), kind(got)
    size = 0 if kinds[0] == kinds[1] and expected == got else math.inf
    # null takes the place of a number that is not finite: another value, no other type
    broken = kinds[0] != kinds[1] and ("missing" in kinds or "null" not in kinds)
    return Deviation(path, written(expected), written(got), size, breaks_contract=broken)


def kind(value: object) -> str:
    """The JSON type of a value, for a list with its length."""
    if isinstance(value, list):
        return f"list of {len(value)}"
    return "null" if value is None else KINDS.get(type(value), "missing")


def magnitude(value: object) -> float:
    """The largest magnitude of the floats in nested lists."""
    if isinstance(value, list):
        return max(map(magnitude, value), default=0)
    return abs(value) if isinstance(value, float) else 0


def written(value: object) -> str:
    """A value as JSON, cut where it is long."""
    return "missing" if value is MISSING else shorten(json.dumps(value, ensure_ascii=False))
