"""Answers as the lines of a CSV table: a model process writes them, since this may take seconds."""

import csv
import json
from types import SimpleNamespace

from service.machine import undisturbed
from service.words import whole

READER = json.JSONDecoder(parse_int=whole)
PLAIN = {str, int, float, type(None)}  # what a cell says as it is


@undisturbed()
def lines(answers: bytes, columns: list[str]) -> list[bytes]:
    """Write answers, a JSON array of objects, as lines with these columns."""
    found = []
    writer = csv.writer(SimpleNamespace(write=found.append))
    for row in READER.decode(answers.decode()):
        writer.writerow([cell(row.get(name)) for name in columns])
    return [line.encode() for line in found]


def cell(value: object) -> object:
    """Write a value as a cell: a text as it is, nothing for null, everything else as in JSON."""
    return value if type(value) in PLAIN else json.dumps(value, ensure_ascii=False)
