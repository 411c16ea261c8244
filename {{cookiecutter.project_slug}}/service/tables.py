"""Inputs and answers as CSV tables, with a header line."""

import csv
import io
import json
import time

from werkzeug.exceptions import BadRequest, HTTPException

from service.errors import document
from service.fields import Field
from service.served import ServedModel

CSV = "text/csv"
TURN = 500  # rows, after which others have their turn
MOST = 2**31 - 1  # characters of a cell; the limit of the body is limit enough


def lines(model: ServedModel, body: bytes) -> tuple[list[str], list[list[str]]]:
    """The header and the lines of a table, with any end of line and with or without a BOM.

    :raise 400: if it is not CSV in UTF-8
    :raise 422: if the header does not fit `Input`
    """
    csv.field_size_limit(MOST)
    try:
        text = io.StringIO(body.decode("utf-8-sig").strip("\r\n"), newline="")
        header, *found = csv.reader(text, strict=True) if text.getvalue() else [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"The body is not CSV in UTF-8. {error}.") from error
    check(model, header)
    # Under one name, an empty line is an empty cell.
    return header, [line or [""] for line in found if line or len(header) == 1]


def check(model: ServedModel, header: list[str]) -> None:
    """Check that the header names fields of `Input`, each once, and all that are required."""
    unknown = [name for name in header if name not in model.fields]
    wrong = dict.fromkeys(unknown, "No such field; separate names by commas")
    wrong |= {name: "Name it once" for name in header if header.count(name) > 1}
    missing = [name for name in model.required if name not in header]
    wrong |= dict.fromkeys(missing, "Field required in the header")
    if wrong:
        raise model.refusal(wrong, {"header": ", ".join(header)})


def rows(model: ServedModel, header: list[str], found: list[list[str]]) -> list:
    """Each line as JSON, or the error that says why it is none."""
    fields, read = [model.fields[name] for name in header], []
    for number, line in enumerate(found):
        if number % TURN == 0:
            time.sleep(0)
        try:
            read.append(row(model, fields, line))
        except HTTPException as error:
            read.append(error)
    return read


def row(model: ServedModel, fields: list[Field], line: list[str]) -> str:
    """One line as JSON; an empty cell is a field not given.

    :raise 422: if a cell is missing or too many, or looks like another way to write a value
    """
    if len(line) != len(fields):
        mend = "quote texts with commas, and write decimal points"
        reason = f"{len(line)} under {len(fields)} names; {mend}"
        raise model.refusal({"cells": reason}, {"cells": ", ".join(line)})
    parts, wrong = [], {}
    for field, cell in zip(fields, line, strict=True):
        if not field.is_literal(cell) and (why := cell and field.misread([cell])):
            wrong[field.name] = why
        if cell:
            parts.append(field.prefix + field.scalar(cell))
    if wrong:
        raise model.refusal(wrong, cells(fields, line))
    return "{" + ", ".join(parts) + "}"


def cells(fields: list[Field], line: list[str]) -> dict[str, str]:
    """The cells of a line that say something, by field, as an error quotes them."""
    return {field.name: cell for field, cell in zip(fields, line, strict=True) if cell}


def write(model: ServedModel, answers: list) -> str:
    """The answers as a table; the last column says why a row was refused."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow([*model.columns, error_column(model)])
    nothing = [""] * len(model.columns)
    for number, answer in enumerate(answers, start=1):
        if number % TURN == 0:
            time.sleep(0)
        if isinstance(answer, HTTPException):
            writer.writerow([*nothing, f"row {number}: {document(answer)['detail']}"])
        else:
            writer.writerow([*(cell(answer.get(name)) for name in model.columns), ""])
    return table.getvalue()


def error_column(model: ServedModel) -> str:
    """The name of the column that says why a row was refused."""
    return "error" if "error" not in model.columns else "error_in_row"


def cell(value: object) -> object:
    """A value as a cell: text as it is, nothing for null, everything else as in JSON."""
    if type(value) is int or isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
