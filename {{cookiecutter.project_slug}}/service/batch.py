"""POST /api/batch: many inputs at once, as JSON or CSV, answered in kind and in order."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain, islice

from flask import Flask, Response, abort, request

from service import frames, tables
from service.bodies import JSON, accept, body, query, require, turns
from service.errors import in_row
from service.served import ServedModel

MOST = 100  # names in ?keep=
REFUSAL = ["row", "status", "detail", "errors"]  # members in the place of a row that is refused
PARTS = 20  # of a slow batch for each process: small, so that all end at about the same time


def register(app: Flask, model: ServedModel) -> None:
    """Add the route to a service."""
    kinds = [JSON, tables.CSV] if model.takes_tables else [JSON]

    def answer_batch() -> Response:
        """Answer each row in its place; a bad row costs no other row its answer."""
        kind = require(*kinds)
        accept(kind)
        answers = table if kind == tables.CSV else array
        return Response(answers(model, body(), kept(model, kind)), mimetype=kind)

    app.add_url_rule("/api/batch", "answer_batch", answer_batch, methods=["POST"])


def kept(model: ServedModel, kind: str) -> list[str]:
    """The names in ?keep=, of columns or members that are handed through into the answers.

    :raise 422: if an answer cannot have them
    """
    found = [name for text in query().get("keep", []) for name in text.split(",") if name]
    names = list(dict.fromkeys(found))
    taken = model.table if kind == tables.CSV else [*model.columns, *REFUSAL]
    if names and not model.is_fixed:
        abort(422, "keep: not here, as an answer may be no object, or have members of any name.")
    if set(names) & set(taken):
        abort(422, f"keep: the answers have these names already: {', '.join(taken)}.")
    if len(names) > MOST:
        abort(422, f"keep: name at most {MOST} columns or members, not {len(names)}.")
    return names


def array(model: ServedModel, body: bytes, keep: list[str]) -> bytes:
    """Answer a JSON array by one; a problem document stands in the place of a bad row."""
    rows, beside = apart(model, body, keep) if keep else (None, [])
    found = run(model, [[], bool(keep)], body if rows is None else b"[%b]" % b",".join(rows), rows)
    if isinstance(found, bytes):
        return found
    for place, row in enumerate(turns(found)):
        if not isinstance(row, bytes):
            row = json.dumps(in_row(row, place + 1), ensure_ascii=False).encode()
        if keep:
            start = b"{" + beside[place]
            row = start.rstrip(b", ") + b"}" if row == b"{}" else start + memoryview(row)[1:]
        found[place] = row
    return b"[%b]\n" % b",\n ".join(found)


def apart(
    model: ServedModel, body: bytes, keep: Iterable[str] = ()
) -> tuple[list[bytes], list[bytes]]:
    """Let a model process take an array apart: its rows, and the members to keep of each.

    :raise 400: if the body is not JSON
    :raise 413: if it has too many rows
    :raise 422: if it is no array
    """
    names = [*keep], [name for name in keep if not (name in model.named or model.more)]
    parts = [json.dumps(some).encode() for some in names]
    kind, _, found = model.ask(frames.APART, frames.join([*parts, body]))
    if kind == frames.INVALID:
        abort(422, "Send a JSON array of inputs.")
    if kind != frames.ANSWER:
        raise model.error(kind, found)
    texts = frames.split(found)
    return few(model, iter(texts[::2])), texts[1::2]


def table(model: ServedModel, body: bytes, keep: list[str]) -> bytes:
    """Answer a CSV table by one; its last column says why a row was refused."""
    rows = list(filter(None, few(model, tables.rows(model, body, keep))))
    good = [row for row, _ in rows if isinstance(row, bytes)]
    is_apart = bool(keep) or len(good) < len(rows)
    found = run(model, [model.table, is_apart], b"[%b]" % b",".join(good), good)
    if isinstance(found, bytes):  # all lines at once
        return tables.write(model, keep, [(found, ())])
    answers = iter(found)
    answered = [(next(answers) if isinstance(row, bytes) else row, cells) for row, cells in rows]
    return tables.write(model, keep, turns(answered))


def run(model: ServedModel, way: list, body: bytes, rows: list[bytes] | None) -> bytes | list:
    """Answer a JSON array by one; rows, or one with bad or slow rows, by an answer for each.

    The way to answer names the columns of a table, and says whether each row is answered apart.
    """
    told = json.dumps(way).encode()
    kind, note, found = model.ask(frames.BATCH, frames.join([told, body]))
    if kind == frames.ANSWER:
        request.environ["service.answers"] = int(note)
        return found
    if kind in (frames.BUSY, frames.ABSENT, frames.MALFORMED):
        raise model.error(kind, found)
    if kind == frames.FAULT:
        model.log(found.decode())
    rows = apart(model, body)[0] if rows is None else rows
    answers = results(model, found) if kind == frames.MIXED else []
    # A row that stops a process costs no other row its answer if each row is asked for alone.
    is_stopped = kind in (frames.ENDED, frames.TIMEOUT)
    size = 1 if is_stopped else max(1, len(rows) // (model.processes * PARTS))
    answers += spread(model, told, rows[len(answers) :], size)
    request.environ["service.answers"] = sum(isinstance(answer, bytes) for answer in answers)
    return answers


def results(model: ServedModel, found: bytes) -> list:
    """Give the answers to the first rows of some, each as JSON or as the error in its place."""
    return [
        said[1:] if said[:1] == frames.ANSWER else model.error(said[:1], said[1:])
        for said in turns(frames.split(found))
    ]


def spread(model: ServedModel, told: bytes, rows: list[bytes], size: int) -> list:
    """Answer rows in parts of a size; as many at once as there are processes."""
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    contexts = [copy_context() for _ in parts]
    with ThreadPoolExecutor(model.processes) as pool:
        found = pool.map(lambda part, own: own.run(finish, model, told, part), parts, contexts)
        return list(chain.from_iterable(found))


def finish(model: ServedModel, told: bytes, rows: list[bytes]) -> list:
    """Answer rows, of which a process may answer the first only, or none if one row stops it."""
    answers = []
    while rest := rows[len(answers) :]:
        kind, _, found = model.ask(frames.PART, frames.join([told, *rest]))
        if kind == frames.MIXED:
            answers += results(model, found)
        elif len(rest) == 1:
            answers.append(model.error(kind, found))
        else:
            answers += [answer for row in rest for answer in finish(model, told, [row])]
    return answers


def few(model: ServedModel, rows: Iterator) -> list:
    """Take no more rows than may be sent at once.

    :raise 413: if there are more
    """
    most = model.settings["BATCH_ROWS"]
    found = list(turns(islice(rows, most + 1)))
    if len(found) > most:
        abort(413, f"Send at most {most} rows at once.")
    return found
