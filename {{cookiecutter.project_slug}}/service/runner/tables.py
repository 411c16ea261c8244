"""Answers as the lines of a CSV table: a model process writes them, since this may take seconds."""

import csv
import json
from types import SimpleNamespace

from service.machine import undisturbed
from service.words import whole

READER = json.JSONDecoder(parse_int=whole)
PLAIN = {str, int, float, type(None)}  # what a cell says as it is


@undisturbed()
def lines(answers: list[bytes], columns: list[str]) -> list[bytes]:
    """Write answers, each a JSON object, as lines with these columns."""
    found = []
    writer = csv.writer(SimpleNamespace(write=found.append))
    rows = READER.decode(f"[{b','.join(answers).decode()}]")
    writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
    return [line.encode() for line in found]


def cell(value: object) -> object:
    """Write a value as a cell: a text as it is, nothing for null, everything else as in JSON."""
    return value if type(value) in PLAIN else json.dumps(value, ensure_ascii=False)
