"""Inputs and answers as CSV tables, with a header line."""

import csv
import io
import json
from collections.abc import Iterator

from flask import abort
from werkzeug.exceptions import HTTPException

from service.bodies import written
from service.errors import InvalidInput, document
from service.served import ServedModel
from service.words import whole

CSV = "text/csv"
MOST = 2**31 - 1  # characters of a cell; the limit of the body is limit enough


def rows(model: ServedModel, body: bytes) -> Iterator[str | InvalidInput]:
    """Give each line of a table as JSON, or the error that says why it is none.

    :raise 400: if the body is not CSV in UTF-8
    :raise 422: if the header does not fit `Input`
    """
    found = lines(body)
    header = [name if name in model.named else name.strip() for name in next(found, [])]
    if wrong := faults(model, header):
        raise model.refusal(wrong, {"header": header})
    for line in found:
        if line or len(header) == 1:  # under one name, an empty line is an empty cell
            yield row(model, header, line or [""])


def faults(model: ServedModel, header: list[str]) -> dict[str, str]:
    """Say what is wrong with a header, by name."""
    unknown = [name for name in header if name not in model.named]
    wrong = dict.fromkeys(unknown, "No such field; separate names by commas")
    wrong |= {name: "Name it once" for name in header if header.count(name) > 1}
    given = {model.others.get(name, name) for name in header}
    missing = [name for name in model.required if name not in given]
    return wrong | dict.fromkeys(missing, "Field required in the header")


def lines(body: bytes) -> Iterator[list[str]]:
    """Give the lines of a table, with any end of line and with or without a byte order mark.

    :raise 400: if the body is not CSV in UTF-8
    """
    csv.field_size_limit(MOST)
    try:
        text = io.StringIO(body.decode("utf-8-sig").strip("\r\n"), newline="")
        yield from csv.reader(text, strict=True)
    except (UnicodeDecodeError, csv.Error) as error:
        abort(400, f"The body is not CSV in UTF-8. {error}.")


def row(model: ServedModel, header: list[str], line: list[str]) -> str | InvalidInput:
    """Give a line as JSON, without the fields whose cells are empty; or say why it is none."""
    if len(line) != len(header):
        mend = "quote texts with commas, and write decimal points"
        reason = f"{len(line)} under {len(header)} names; {mend}"
        return model.refusal({"cells": reason}, {"cells": line})
    cells = zip(header, line, strict=True)
    given = {name: [cell] for name, cell in cells if not model.named[name].is_blank(cell)}
    try:
        return written(model, given)
    except InvalidInput as error:
        return error


def write(model: ServedModel, answers: list) -> str:
    """Write the answers as a table; the last column says why a row was refused."""
    table, error = io.StringIO(newline=""), error_column(model)
    writer = csv.DictWriter(table, [*model.columns, error])
    writer.writeheader()
    for number, answer in enumerate(answers, start=1):
        if isinstance(answer, HTTPException):
            writer.writerow({error: f"row {number}: {document(answer)['detail']}"})
        else:
            members = json.loads(answer, parse_int=whole) if isinstance(answer, str) else answer
            writer.writerow({name: cell(value) for name, value in members.items()})
    return table.getvalue()


def error_column(model: ServedModel) -> str:
    """Name the column that says why a row was refused."""
    return "error" if "error" not in model.columns else "error_in_row"


def cell(value: object) -> object:
    """Write a value as a cell: a text as it is, nothing for null, everything else as in JSON."""
    if type(value) is int or isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
