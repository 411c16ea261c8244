"""The rows of a batch, as JSON writes them."""

import json
import re

from service.words import whole

SPACE = re.compile(r"[ \t\n\r]*")


class TooManyRows(ValueError):
    """An array has more members than may be."""


def members(body: bytes, most: int) -> list[str] | None:
    """The members of a JSON array, each as it is written; None if it is no array.

    :raise TooManyRows: if there are more than `most`
    :raise ValueError: if it is no JSON
    """
    text, found, decoder = body.decode(), [], json.JSONDecoder(parse_int=whole)
    place = SPACE.match(text).end()
    if text[place : place + 1] != "[":
        json.loads(text, parse_int=whole)
        return None
    while True:
        start = SPACE.match(text, place + 1).end()
        if not found and text[start : start + 1] == "]":
            place = start
            break
        end = decoder.raw_decode(text, start)[1]
        found.append(text[start:end])
        if len(found) > most:
            raise TooManyRows(f"more than {most}")
        place = SPACE.match(text, end).end()
        if text[place : place + 1] != ",":
            break
    if text[place : place + 1] != "]" or SPACE.match(text, place + 1).end() != len(text):
        raise json.JSONDecodeError("Expecting ',' or the end", text, place)
    return found
