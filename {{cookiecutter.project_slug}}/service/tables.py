"""Inputs and answers as CSV tables, with a header line."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from types import SimpleNamespace

from flask import abort
from werkzeug.exceptions import HTTPException

from service.bodies import turns
from service.errors import InvalidInput, in_row
from service.fields import Field
from service.served import ServedModel
from service.words import ROOM

CSV = "text/csv"
GROWTH = 25  # times a table, which its rows may take as JSON with a name for each cell
MANY = 1000  # cells of a line that cost time
Columns = dict[str, tuple[str, Field | None]]  # by name: the name in JSON with a colon, the field
Row = tuple[bytes | InvalidInput, tuple[str, ...]]


def rows(model: ServedModel, body: bytes, keep: list[str]) -> Iterator[Row | None]:
    """Give each line of a table as JSON, or the error that says why it is none; and what to keep.

    An empty line is None: it is no row, but counts for how many there may be.

    :raise 400: if the body is not CSV in UTF-8
    :raise 413: if the rows are too long as JSON
    :raise 422: if the header does not fit `Input`
    """
    found = lines(body)
    header = [name if name in model.named else name.strip() for name in next(found, [])]
    if wrong := faults(model, header, keep):
        raise model.refusal(wrong, {"header": header})
    # No field where a column is only handed through
    columns = {one: (f"{json.dumps(one)}: ", model.named.get(one, model.more)) for one in header}
    room = model.settings["MAX_CONTENT_LENGTH"] + GROWTH * len(body)
    for line in found:
        # Under one name, an empty line is an empty cell.
        one = row(model, columns, line or [""], keep) if line or len(header) == 1 else None
        room -= len(one[0]) if one and isinstance(one[0], bytes) else 0
        if room < 0:
            abort(413, "With a name for each cell, as JSON, it is too long: send fewer rows.")
        yield one


def faults(model: ServedModel, header: list[str], keep: list[str]) -> dict[str, str]:
    """Say what is wrong with a header, by name."""
    known = {*model.named, *keep}
    # Of a longer one, at least one is wrong, but where `Input` takes any name.
    first = header if model.more else header[: len(known) + 1]
    others = [name for name in first if not (name in known or model.more)]
    wrong = {name or "header": unknown(name, header) for name in others}
    several = [one for one, count in Counter(first).items() if count > 1 and (one or model.more)]
    wrong |= dict.fromkeys(several, "Name it once")
    needed = dict.fromkeys(model.required, "Field required in the header")
    needed |= dict.fromkeys(keep, "Named in ?keep=, and not in the header")
    given = {*header, *(model.others.get(name, name) for name in header)}
    absent = needed.keys() - given if first == header else ()
    return wrong | {name: needed[name] for name in needed if name in absent}


def unknown(name: str, header: list[str]) -> str:
    """Say what to do about a name that is no field, none at all, or several names in one."""
    if not name:
        return "A column has no name" if any(header) else "The first line names no field"
    is_one = ";" not in name and "\t" not in name
    way_out = "name a column that is no input in ?keep=" if is_one else "separate names by commas"
    return f"No such field; {way_out}"


def lines(body: bytes) -> Iterator[list[str]]:
    """Give the lines of a table, with any end of line and with or without a byte order mark.

    :raise 400: if the body is not CSV in UTF-8
    :raise 413: if a line is too long, in which others would wait
    """
    csv.field_size_limit(ROOM)  # of a cell
    size = 0

    def pieces() -> Iterator[str]:
        nonlocal size
        for piece in turns(io.StringIO(body.decode().lstrip("\r\n"), newline="")):
            if (size := size + len(piece)) > ROOM:
                abort(413, f"Send at most {ROOM} characters in a line of a table, or send JSON.")
            yield piece

    try:
        for line in csv.reader(pieces(), strict=True):
            yield line
            size = 0
    except (UnicodeDecodeError, csv.Error) as error:
        abort(400, f"The body is not CSV in UTF-8. {error}.")


def row(model: ServedModel, columns: Columns, line: list[str], keep: list[str]) -> Row:
    """Give a line as JSON, without the fields whose cells are empty; or say why it is none."""
    if len(line) != len(columns):
        why = f"{len(line)} under {len(columns)} names; quote commas in texts, write decimal points"
        return model.refusal({"cells": why}, {"cells": line}), ("",) * len(keep)
    cells, members, wrong = zip(columns.items(), line, strict=True), [], {}
    for (name, (start, field)), text in cells if len(line) < MANY else turns(cells):
        if field and field.one.is_number(text):
            members.append(start + text)
        elif field and not field.is_blank(text):
            found, hint = field.read([text], is_cell=True)
            members.append(start + found)
            if hint:
                wrong[name] = hint
    named = dict(zip(columns, line, strict=True)) if wrong or keep else {}
    kept = tuple(named[name] for name in keep) if keep else ()
    if wrong:
        return model.refusal(wrong, {name: [named[name]] for name in wrong}), kept
    return ("{" + ", ".join(members) + "}").encode(), kept


def write(model: ServedModel, keep: list[str], answers: Iterable[tuple]) -> bytes:
    """Write a table of answers, which are lines; the last column says why a row was refused."""
    found = []
    line = csv.writer(SimpleNamespace(write=lambda text: found.append(text.encode()))).writerow
    line([*keep, *model.table])
    for number, (answer, kept) in enumerate(answers, start=1):
        if isinstance(answer, HTTPException):
            said = f"row {number}: {in_row(answer, number)['detail']}"
            line([*kept, *[""] * len(model.columns), said])
        elif kept:
            line(kept)
            found += [found.pop().removesuffix(b"\r\n"), b",", answer]
        else:
            found.append(answer)
    return b"".join(found)
