"""POST /api/batch: many inputs at once, as JSON or CSV, answered in kind and in order."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain, islice

from flask import Flask, Response, abort, request
from pydantic_core import from_json

from service import frames, tables
from service.bodies import JSON, accept, body, query, require, turns
from service.errors import in_row
from service.served import ServedModel
from service.words import whole

MOST = 100  # names in ?keep=
REFUSAL = ["row", "status", "detail", "errors"]  # members in the place of a row that is refused
PARTS = 20  # of a slow batch for each process: small, so that all end at about the same time
SPACE = re.compile(r"[ \t\n\r]*")


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
    taken = [*model.columns, *([tables.error_column(model)] if kind == tables.CSV else REFUSAL)]
    if names and (not model.columns or set(names) & set(taken)):
        abort(422, f"keep: the answers must have names, and others: {', '.join(taken)}.")
    if len(names) > MOST:
        abort(422, f"keep: name at most {MOST} columns or members, not {len(names)}.")
    return names


def array(model: ServedModel, body: bytes, keep: list[str]) -> bytes | str:
    """Answer a JSON array by one; a problem document stands in the place of a bad row."""
    rows, beside = apart(model, body, keep) if keep else (body, [])
    found = run(model, rows)
    if isinstance(found, bytes):
        if not keep or not beside:
            return found + b"\n"
        found = list(turns(members(found.decode())))
    for place, row in enumerate(turns(found)):
        if not isinstance(row, str):
            row = json.dumps(in_row(row, place + 1), ensure_ascii=False)
        found[place] = "{" + ", ".join([*beside[place], row[1:]]) if keep else row
    return "[" + ",\n ".join(found) + "]\n"


def apart(model: ServedModel, body: bytes, keep: list[str]) -> tuple[bytes, list[list[str]]]:
    """Take the members to keep out of the rows; give the rows, and what to keep of each.

    :raise 400: if the body is not JSON
    """
    try:
        given = from_json(body, allow_inf_nan=False)  # the reader that model processes have
    except ValueError as error:
        abort(400, f"The body is not JSON. {error}.")
    if not isinstance(given, list) or not given:
        return body, []
    rows, beside, others = few(model, members(body.decode())), [], {*keep} - model.named.keys()
    for place, row in enumerate(turns(given)):
        found = {}
        if isinstance(row, dict) and not row.keys().isdisjoint(keep):
            text = rows[place]
            parts = zip(*[turns(spans(text, "{"))] * 2, strict=True)
            found = {name: text[start:end] for (name, start, _), (_, _, end) in parts}
            own = [found[name] for name in found if name not in others]
            rows[place] = "{" + ", ".join(own) + "}"
        beside.append([found[name] for name in keep if name in found])
    return f"[{','.join(rows)}]".encode(), beside


def table(model: ServedModel, body: bytes, keep: list[str]) -> str:
    """Answer a CSV table by one; its last column says why a row was refused."""
    rows = list(filter(None, few(model, tables.rows(model, body, keep))))
    texts = [row for row, _ in rows if isinstance(row, str)]
    found = run(model, f"[{','.join(texts)}]".encode())
    answers = iter(json.loads(found, parse_int=whole) if isinstance(found, bytes) else found)
    answered = [(next(answers) if isinstance(row, str) else row, cells) for row, cells in rows]
    return tables.write(model, keep, turns(answered))


def run(model: ServedModel, body: bytes) -> bytes | list:
    """Answer a JSON array by one, or, if rows are bad or slow, by a text or an error for each."""
    kind, note, found = model.ask(frames.BATCH, body)
    if kind == frames.ANSWER:
        request.environ["service.answers"] = int(note)
        return found
    if kind in (frames.BUSY, frames.ABSENT, frames.MALFORMED):
        raise model.error(kind, found)
    if not body.lstrip().startswith(b"["):
        abort(422, "Send a JSON array of inputs.")
    if kind == frames.FAULT:
        model.log(found.decode())
    texts = few(model, members(body.decode()))
    rows = results(model, found) if kind == frames.MIXED else []
    # A row that stops a process costs no other row its answer if each row is asked for alone.
    is_stopped = kind in (frames.ENDED, frames.TIMEOUT)
    size = 1 if is_stopped else max(1, len(texts) // (model.processes * PARTS))
    rows += spread(model, texts[len(rows) :], size)
    request.environ["service.answers"] = sum(isinstance(row, str) for row in rows)
    return rows


def results(model: ServedModel, found: bytes) -> list:
    """Give the answers to the first rows of some, each as JSON or as the error in its place."""
    return [
        said if kind == frames.ANSWER.decode() else model.error(kind.encode(), said.encode())
        for kind, said in json.loads(found)
    ]


def spread(model: ServedModel, texts: list[str], size: int) -> list:
    """Answer rows in parts of a size; as many at once as there are processes."""
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    contexts = [copy_context() for _ in parts]
    with ThreadPoolExecutor(model.processes) as pool:
        found = pool.map(lambda part, own: own.run(finish, model, part), parts, contexts)
        return list(chain.from_iterable(found))


def finish(model: ServedModel, texts: list[str]) -> list:
    """Answer rows, of which a process may answer the first only, or none if one row stops it."""
    rows = []
    while rest := texts[len(rows) :]:
        kind, _, found = model.ask(frames.PART, json.dumps(rest).encode())
        if kind == frames.MIXED:
            rows += results(model, found)
        elif len(rest) == 1:
            rows.append(model.error(kind, found))
        else:
            rows += [row for text in rest for row in finish(model, [text])]
    return rows


def few(model: ServedModel, rows: Iterator) -> list:
    """Take no more rows than may be sent at once.

    :raise 413: if there are more
    """
    most = model.settings["BATCH_ROWS"]
    found = list(turns(islice(rows, most + 1)))
    if len(found) > most:
        abort(413, f"Send at most {most} rows at once.")
    return found


def members(text: str) -> Iterator[str]:
    """Give the items of a JSON array that is not empty, each as it is written."""
    return (text[start:end] for _, start, end in spans(text, "["))


def spans(text: str, opening: str) -> Iterator[tuple[object, int, int]]:
    """Give the items of a JSON array that is not empty, each with its start and its end.

    Of an object, which opens with {, these are its names and values by turns.
    """
    scan, place = json.JSONDecoder(parse_int=whole).scan_once, text.index(opening)
    while text[place] not in "]}":
        start = SPACE.match(text, place + 1).end()
        found, end = scan(text, start)
        yield found, start, end
        place = SPACE.match(text, end).end()
