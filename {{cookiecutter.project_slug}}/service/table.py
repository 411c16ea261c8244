"""Inputs and answers as CSV tables, with a header line."""

import csv
import io
import json

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException

from service.contract import Input, Output
from service.errors import document
from service.inputs import from_text, refusal, whole
from service.schemas import FIELDS, is_linkable, items

CSV = "text/csv"
FITS = is_linkable() and not any(map(items, FIELDS.values()))  # a cell holds a scalar
COLUMNS = list(Output.model_json_schema(mode="serialization").get("properties", {}))

csv.field_size_limit(2**31 - 1)  # the limit of the body is limit enough


def lines(body: bytes) -> tuple[list[str], list[list[str]]]:
    """The header and the lines of a table, with any end of line and with or without a BOM.

    :raise 400: if it is not CSV in UTF-8
    :raise 422: if the header does not fit `Input`
    """
    try:
        text = io.StringIO(body.decode("utf-8-sig"), newline="")
        header, *found = [line for line in csv.reader(text, strict=True) if line] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"The body is not CSV in UTF-8. {error}.") from error
    check(header)
    return header, found


def check(header: list[str]) -> None:
    """Check that the header names fields of `Input`, each once, and all that are required."""
    unknown = [name for name in header if name not in FIELDS]
    wrong = dict.fromkeys(unknown, "No such field; separate names by commas")
    wrong |= {name: "Name it once" for name in header if header.count(name) > 1}
    required = [name for name, field in FIELDS.items() if "default" not in field]
    wrong |= {name: "Field required in the header" for name in required if name not in header}
    if wrong:
        raise refusal(wrong, {"header": ", ".join(header)})


def read(header: list[str], line: list[str]) -> Input:
    """Read one line; an empty cell is a field not given.

    :raise 422: if a cell is missing, too many, or not what `Input` takes
    """
    if len(line) != len(header):
        reason = f"{len(line)} under {len(header)} names; quote a text that holds a comma"
        raise refusal({"cells": reason}, {"cells": ", ".join(line)})
    cells = {name: cell for name, cell in zip(header, line, strict=True) if cell}
    return from_text(MultiDict(cells))


def write(answers: list[str | HTTPException]) -> str:
    """The answers as a table; the last column says why a row was refused."""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, [*COLUMNS, "error"])
    writer.writeheader()
    for number, answer in enumerate(answers, start=1):
        if isinstance(answer, str):
            members = json.loads(answer, parse_int=whole)
            writer.writerow({name: cell(value) for name, value in members.items()})
        else:
            writer.writerow({"error": f"row {number}: {document(answer)['detail']}"})
    return table.getvalue()


def cell(value: object) -> str:
    """A value as a cell: text as it is, nothing for null, everything else as in JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
