"""Values as people write them; words.toml has the words and patterns for schemas."""

import json
import re
import tomllib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from pydantic_core import to_json

MOST = 20  # faults that an answer names
LONGEST = 2000  # characters of what was sent, as an answer quotes it
ROOM = 1_000_000  # characters of a text that says a value, or of a line of a table
CUT = re.compile(r"… \(([0-9]{1,10}) characters\)$")  # the end of a text that is cut
Texts = dict[str, list[str]]  # texts by the name of a field, as a query has them

WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def bound(value: object) -> str:
    """Write a bound so that nobody has to count zeros: a power of ten as such."""
    digits = text(value).removesuffix(".0") if isinstance(value, float) else text(value)
    power = r"(?<![0-9.])1(?:(0{6,})|e\+([0-9]+))$"
    return re.sub(power, lambda found: f"10^{found[2] or len(found[1])}", digits)


def text(value: object) -> str:
    """Write a scalar as JSON does, but a text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shorten(text: str, limit: int = 100) -> str:
    """Cut a long text, so that an error stays readable; one that is cut keeps its length."""
    if len(text) <= limit:
        return text
    was_cut = CUT.search(text[-30:])
    if was_cut and len(text) - len(was_cut[0]) <= limit:
        return text
    return f"{text[:limit]}… ({was_cut[1] if was_cut else len(text)} characters)"


def whole(digits: str) -> int | str:
    """Read an integer; one that is longer than Python reads stays text."""
    return int(digits) if len(digits) <= 4300 else digits


# The usual forms of an integer and of a number, which are JSON already
is_whole = re.compile("-?(0|[1-9][0-9]{0,99})").fullmatch
is_plain = re.compile(r"-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,99})?").fullmatch


def plain(text: str) -> str:
    """Write a number or a truth as JSON has it: no leading zeros, no +, digits beside a point."""
    if is_plain(text):
        return text
    text = re.sub(r"^\+?(-?)0*(?=[0-9])", r"\1", text.lower())
    return re.sub(r"^\+?(-?)\.", r"\g<1>0.", re.sub(r"\.(?![0-9])", "", text))


def quoted(members: dict, room: int, reasons: Iterable[str] = (), each: int = 0) -> dict[str, str]:
    """Write the first members that have room (characters); of many, those that reasons are about.

    A text is written as it is, anything else as JSON.
    """
    if len(members) > MOST:
        about = dict.fromkeys(place.partition(".")[0] for place in reasons)
        members = {name: members[name] for name in about if name in members} or members
    found = {}
    for name, value in islice(members.items(), MOST):
        text = shorten(value if isinstance(value, str) else to_json(value).decode(), each or room)
        room -= len(name[:100]) + len(text)
        if found and room < 0:
            break
        found[shorten(name)] = text
    return found
