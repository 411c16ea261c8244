"""POST /api/batch: many inputs at once, as JSON or CSV, answered in kind and in order."""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain, islice

from flask import Flask, Response, abort, request

from service import frames, tables
from service.bodies import JSON, accept, body, require
from service.errors import document
from service.served import ServedModel
from service.words import whole

TURN = 500  # rows, after which the service answers other requests
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
        return Response(answers(model, body()), mimetype=kind)

    app.add_url_rule("/api/batch", "answer_batch", answer_batch, methods=["POST"])


def array(model: ServedModel, body: bytes) -> bytes | str:
    """Answer a JSON array by one; a problem document stands in the place of a bad row."""
    found = run(model, body)
    if isinstance(found, bytes):
        return found + b"\n"
    for place, row in enumerate(found):
        if not isinstance(row, str):
            found[place] = json.dumps(document(row) | {"row": place + 1})
    return "[" + ",\n ".join(found) + "]\n"


def table(model: ServedModel, body: bytes) -> str:
    """Answer a CSV table by one; its last column says why a row was refused."""
    rows = few(model, tables.rows(model, body))
    texts = [row for row in rows if isinstance(row, str)]
    found = run(model, f"[{','.join(texts)}]".encode())
    answers = iter(json.loads(found, parse_int=whole) if isinstance(found, bytes) else found)
    return tables.write(model, [next(answers) if isinstance(row, str) else row for row in rows])


def run(model: ServedModel, body: bytes) -> bytes | list:
    """Answer a JSON array by one, or, if rows are bad or slow, by a text or an error for each."""
    kind, note, found = model.ask(frames.BATCH, body)
    if kind == frames.ANSWER:
        request.environ["service.answers"] = int(note)
        return found
    is_array = body.lstrip().startswith(b"[")
    if kind in (frames.BUSY, frames.ABSENT, frames.MALFORMED) or not is_array:
        raise model.error(kind, found, body)
    if kind == frames.FAULT:
        model.log(found.decode())
    texts = few(model, members(body.decode()))
    rows = results(model, found, texts) if kind == frames.MIXED else []
    # A row that stops a process costs no other row its answer if each row is asked for alone.
    is_stopped = kind in (frames.ENDED, frames.TIMEOUT)
    size = 1 if is_stopped else max(1, len(texts) // (model.processes * PARTS))
    rows += spread(model, texts[len(rows) :], size)
    request.environ["service.answers"] = sum(isinstance(row, str) for row in rows)
    return rows


def results(model: ServedModel, found: bytes, texts: list[str]) -> list:
    """Give the answers to the first rows of some, each as JSON or as the error in its place."""
    return [
        said if kind == frames.ANSWER.decode() else model.error(kind.encode(), said.encode(), text)
        for (kind, said), text in zip(json.loads(found), texts, strict=False)
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
            rows += results(model, found, rest)
        elif len(rest) == 1:
            rows.append(model.error(kind, found, b""))
        else:
            rows += [row for text in rest for row in finish(model, [text])]
    return rows


def few(model: ServedModel, rows: Iterator) -> list:
    """Take no more rows than may be sent at once.

    :raise 413: if there are more
    """
    most = model.settings["BATCH_ROWS"]
    found = []
    for row in islice(rows, most + 1):
        if len(found) % TURN == 0:
            time.sleep(0)
        found.append(row)
    if len(found) > most:
        abort(413, f"Send at most {most} rows at once.")
    return found


def members(text: str) -> Iterator[str]:
    """Give the members of a JSON array, which is not empty, each as it is written."""
    decoder, place = json.JSONDecoder(parse_int=whole), text.index("[")
    while text[place] != "]":
        start = SPACE.match(text, place + 1).end()
        end = decoder.raw_decode(text, start)[1]
        yield text[start:end]
        place = SPACE.match(text, end).end()
