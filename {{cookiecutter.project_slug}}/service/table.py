"""Inputs and answers as CSV tables, with a header line."""

import csv
import io
import json

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException

from service.contract import Input, Output
from service.errors import document
from service.inputs import from_text, refusal, whole
from service.schemas import FIELDS, REQUIRED, is_linkable, items

CSV = "text/csv"
ANSWER = Output.model_json_schema(mode="serialization")
COLUMNS = list(ANSWER.get("properties", {}))
# A cell holds a scalar, and a column is there for every answer.
FITS = is_linkable() and not any(map(items, FIELDS.values())) and bool(COLUMNS)
FITS = FITS and not ANSWER.get("additionalProperties")
ERROR = "error" if "error" not in COLUMNS else "error_in_row"

csv.field_size_limit(2**31 - 1)  # the limit of the body is limit enough


def lines(body: bytes) -> tuple[list[str], list[list[str]]]:
    """The header and the lines of a table, with any end of line and with or without a BOM.

    :raise 400: if it is not CSV in UTF-8
    :raise 422: if the header does not fit `Input`
    """
    try:
        text = io.StringIO(body.decode("utf-8-sig").strip("\r\n"), newline="")
        header, *found = csv.reader(text, strict=True) if text.getvalue() else [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"The body is not CSV in UTF-8. {error}.") from error
    check(header)
    # Under one name, an empty line is an empty cell.
    return header, [line or [""] for line in found if line or len(header) == 1]


def check(header: list[str]) -> None:
    """Check that the header names fields of `Input`, each once, and all that are required."""
    unknown = [name for name in header if name not in FIELDS]
    wrong = dict.fromkeys(unknown, "No such field; separate names by commas")
    wrong |= {name: "Name it once" for name in header if header.count(name) > 1}
    wrong |= {name: "Field required in the header" for name in REQUIRED if name not in header}
    if wrong:
        raise refusal(wrong, {"header": ", ".join(header)})


def read(header: list[str], line: list[str]) -> Input:
    """Read one line; an empty cell is a field not given.

    :raise 422: if a cell is missing, too many, or not what `Input` takes
    """
    if len(line) != len(header):
        mend = "quote texts with commas, and write decimal points"
        reason = f"{len(line)} under {len(header)} names; {mend}"
        raise refusal({"cells": reason}, {"cells": ", ".join(line)})
    cells = {name: cell for name, cell in zip(header, line, strict=True) if cell}
    return from_text(MultiDict(cells))


def write(answers: list[str | HTTPException]) -> str:
    """The answers as a table; the last column says why a row was refused."""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, [*COLUMNS, ERROR])
    writer.writeheader()
    for number, answer in enumerate(answers, start=1):
        if isinstance(answer, str):
            members = json.loads(answer, parse_int=whole)
            writer.writerow({name: cell(value) for name, value in members.items()})
        else:
            writer.writerow({ERROR: f"row {number}: {document(answer)['detail']}"})
    return table.getvalue()


def cell(value: object) -> str:
    """A value as a cell: text as it is, nothing for null, everything else as in JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
