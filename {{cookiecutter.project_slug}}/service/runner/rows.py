"""A JSON array taken apart: its rows, and what to keep of each, as they are written.

A model process does so: for a body of 10 MB, a service process could answer nobody for a second.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice

from pydantic_core import from_json

from service import frames
from service.frames import Frame
from service.machine import undisturbed

BLANK = " \t\n\r"
SPACES = re.compile(f"[{BLANK}]*")


@undisturbed()
def apart(body: bytes, most: int) -> Frame:
    """Give rows by turns with the members to keep; of too many rows, one more than may be sent.

    The body has the names to keep, those of them that the rows lose, and the array.
    """
    *names, data = frames.split(body)
    keep, lost = map(json.loads, names)
    keep, lost = dict.fromkeys(keep), set(lost)
    try:
        if keep:  # else it has been read as a batch before; and no answer may keep NaN
            from_json(data, allow_inf_nan=False)
        text = data.decode()
        if text[SPACES.match(text).end()] != "[":
            return frames.INVALID, b"", b""
        rows = (text[start:end] for _, start, end in islice(spans(text, "["), most + 1))
        parts = [part for row in rows for part in beside(row, keep, lost)]
    except ValueError as error:
        return frames.MALFORMED, b"", str(error).encode()
    return frames.ANSWER, b"", frames.join([part.encode() for part in parts])


def beside(row: str, keep: dict[str, None], lost: set[str]) -> tuple[str, str]:
    """Give a row without what it loses, and the members to keep with a comma behind each."""
    if not keep or row[0] != "{":
        return row, ""
    members = spans(row, "{")
    found = [(name, row[start : next(members)[2]]) for name, start, _ in members]
    kept = {name: member for name, member in found if name in keep}
    own = [member for name, member in found if name not in lost]
    text = "".join(f"{kept[name]}, " for name in keep if name in kept)
    return "{" + ", ".join(own) + "}" if kept else row, text


def spans(text: str, opening: str) -> Iterator[tuple[str, int, int]]:
    """Give the start and the end of each item of a JSON array, and the item if it is a text.

    Of an object, which opens with {, these are its names and values by turns.
    """
    scan = json.JSONDecoder(parse_int=str).scan_once  # which reads integers of any length
    place = text.index(opening)
    while text[place] not in "]}":
        start = place + 1
        if text[start] in BLANK:
            start = SPACES.match(text, start).end()
        if text[start] in "]}":
            return  # there are none
        found, end = scan(text, start)
        found = found if isinstance(found, str) else ""  # which frees what may be large
        yield found, start, end
        place = SPACES.match(text, end).end() if text[end] in BLANK else end
