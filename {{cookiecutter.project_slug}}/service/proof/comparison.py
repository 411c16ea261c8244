"""The comparison of an answer with the recorded one: what differs, where and by how much."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel, Field

from service.words import shorten

# How a PNG, JPEG or SVG picture, or a PDF, begins as JSON: in base64, and SVG as text too
PICTURE = re.compile('"(iVBORw0KGg|/9j/|PHN2Z|PD94bW|JVBERi|<svg|<[?]xml)').match
SKIP = '; a picture may be left out by "skip" (docs/proof.md)'
MISSING = object()  # stands for a member that is not there; null is a value


class Deviation(NamedTuple):
    """One value of an answer beside the recorded one, both as JSON."""

    path: str = ""
    expected: str = "{}"
    got: str = "{}"
    outcome: str = "OK"  # or VALUE: another value, or CONTRACT: another type, a member more or less
    size: float = 0  # of a float: as a part of the largest one recorded in its array
    allowed: float = 0  # likewise
    others: int = 0  # how many more values of the answer differ
    second: str = ""  # beside a CONTRACT: the VALUE that is the furthest off, in words

    def __str__(self) -> str:
        """Name the value, say how far a float is off, and what else differs."""
        said = f"{self.path or 'the answer'} is {self.got}, recorded as {self.expected}"
        said += SKIP if self.outcome == "VALUE" and PICTURE(self.expected) else ""
        off = f", off by {self.size:.2e} of the scale ({self.allowed:.2e} allowed)"
        s, most = ("s", ": ") if self.others == 1 else ("", ", most of all ")
        more = f"; {self.others} more differ{s}" if self.others else ""
        return said + off * (self.size > 0) + more + (most + self.second) * bool(self.second)

    def gravity(self) -> tuple[int, float, float]:
        """Give the key that sorts deviations by how grave they are."""
        return ["OK", "VALUE", "CONTRACT"].index(self.outcome), self.size, self.allowed


class Tolerance(BaseModel, extra="forbid"):
    """How far a floating-point number may be off. Every other value must be equal."""

    rtol: float = Field(1e-5, ge=0)  # as a part of the largest one recorded in its array
    atol: float = Field(0, ge=0)  # in the unit of the answer

    def worst(self, expected: object, got: object) -> Deviation:
        """Compare an answer with the recorded one; give the value that is the furthest off."""
        furthest, count = {}, 0  # by outcome
        for value in self.each(expected, got):
            known = furthest.setdefault(value.outcome, value)
            furthest[value.outcome] = max(known, value, key=Deviation.gravity)
            count += value.outcome != "OK"
        worst = max(furthest.values(), key=Deviation.gravity)
        second = furthest.get("VALUE", worst)
        said = "" if second is worst else str(second)
        return worst._replace(others=max(0, count - 1), second=said)

    def each(self, expected: object, got: object, path: str = "", scale: float = 0) -> Iterator:
        """Compare all values of an answer with the recorded ones; give the deviation of each.

        The scale of a float is the largest magnitude in its array, nested or not: a number near
        zero carries the rounding errors of the large numbers beside it.
        """
        if {type(expected), type(got)} not in ({dict}, {list}) or not (expected or got):
            yield self.measure(expected, got, path, scale)
            return
        scale = (scale or magnitude(expected)) if isinstance(expected, list) else 0
        known, found = members(expected, path), members(got, path)
        for key in known | found:
            yield from self.each(known.get(key, MISSING), found.get(key, MISSING), key, scale)

    def measure(self, expected: object, got: object, path: str, scale: float) -> Deviation:
        """Compare one value: a float may be off, any other value must be equal."""
        shown, kinds = (written(expected), written(got)), {type(expected), type(got)}
        if type(expected) is float and kinds <= {int, float} and abs(got) < 2**1023:
            scale = scale or abs(expected)
            unit = scale or self.atol or 1
            size, allowed = abs(got - expected) / unit, max(self.rtol * scale, self.atol) / unit
            return Deviation(path, *shown, "OK" if size <= allowed else "VALUE", size, allowed)
        # A number that is not finite is answered as null: this is another value, not another type.
        is_null = None in (expected, got) and MISSING not in (expected, got)
        if len(kinds) == 1 or kinds == {int, float} or is_null:
            return Deviation(path, *shown, "OK" if expected == got else "VALUE")
        return Deviation(path, *shown, "CONTRACT")


def members(value: dict | list, path: str) -> dict[str, object]:
    """Give the members of an object, or the items of an array, by their paths."""
    if isinstance(value, list):
        return {f"{path}[{number}]": item for number, item in enumerate(value)}
    return {f"{path}.{name}" if path else name: member for name, member in value.items()}


def magnitude(value: object) -> float:
    """Find the largest magnitude of the floats in nested lists."""
    if isinstance(value, list):
        return max(map(magnitude, value), default=0)
    return abs(value) if isinstance(value, float) else 0


def written(value: object) -> str:
    """Write a value as JSON, and cut it where it is long."""
    return "missing" if value is MISSING else shorten(json.dumps(value, ensure_ascii=False))
