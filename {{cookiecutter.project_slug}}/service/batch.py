"""POST /api/batch: many inputs at once, as JSON or CSV, answered in kind and in order."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from flask import Flask, Response, request
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.exceptions import RequestEntityTooLarge as TooLarge

from service import frames, tables
from service.bodies import JSON, accept, body, require
from service.errors import document
from service.rows import TooManyRows, members
from service.served import ServedModel
from service.served import members as named
from service.words import whole

# What costs a whole batch its answers: then each row is asked for alone, and shows whose it is.
FAILURES = (frames.FAULT, frames.ENDED, frames.TIMEOUT)


def register(app: Flask, model: ServedModel) -> None:
    """Add the route to a service."""
    kinds = [JSON, tables.CSV] if model.takes_tables else [JSON]

    def answer_batch() -> Response:
        """Run the model on every row; a bad one is reported in its place, and costs no other."""
        kind = require(*kinds)
        accept(kind)
        run = run_table if kind == tables.CSV else run_array
        return Response(run(model, body()), mimetype=kind)

    app.add_url_rule("/api/batch", "answer_batch", answer_batch, methods=["POST"])


def run_array(model: ServedModel, body: bytes) -> bytes | str:
    """The answers to a JSON array, as one; a problem document stands where a row was refused."""
    found = run(model, body, lambda: split(model, body))
    return found + b"\n" if isinstance(found, bytes) else "[" + ",\n ".join(written(found)) + "]\n"


def run_table(model: ServedModel, body: bytes) -> str:
    """The answers to a CSV table, as one."""
    header, lines = tables.lines(model, body)
    most = model.settings["BATCH_ROWS"]
    if len(lines) > most:
        raise TooLarge(f"Send at most {most} rows at once, not {len(lines)}.")
    rows = tables.rows(model, header, lines)
    texts = [row for row in rows if isinstance(row, str)]
    found = run(model, array(texts), lambda: texts)
    if isinstance(found, bytes):
        answers = iter(json.loads(found, parse_int=whole))
    else:
        answers = (json.loads(row, parse_int=whole) if is_answer(row) else row for row in found)
    return tables.write(model, [next(answers) if isinstance(row, str) else row for row in rows])


def run(model: ServedModel, body: bytes, texts: Callable[[], list[str]]) -> bytes | list:
    """All answers as one JSON array; or where a row has none, or they take long, row by row."""
    kind, note, found = model.ask(frames.BATCH, body)
    if kind == frames.ANSWER:
        done, total = note.split()
        if done == total:
            count(int(done))
            return found
    elif kind not in (frames.MIXED, *FAILURES):
        raise model.error(kind, found, lambda: {"body": body.decode()})
    rows = results(model, kind, found)
    # Small parts, so that all processes end at about the same time
    return rows + spread(model, texts()[len(rows) :], max(1, len(rows) // 4))


def results(model: ServedModel, kind: bytes, found: bytes) -> list:
    """A frame row by row: each answer as JSON, or the error in its place."""
    if kind == frames.ANSWER:
        rows = members(found, len(found))
        count(len(rows))
        return rows
    if kind != frames.MIXED:
        return []
    rows = []
    for letter, text, row in json.loads(found):
        name, told = letter.encode(), text.encode()
        is_good = name == frames.ANSWER
        count(is_good)
        rows.append(text if is_good else model.error(name, told, lambda row=row: named(row)))
    return rows


def spread(model: ServedModel, texts: list[str], size: int) -> list:
    """The answers to rows, asked for in parts of a size; as many at once as there are processes."""
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]
    pool = ThreadPoolExecutor(max(1, min(model.processes, len(parts))))
    try:
        found = [pool.submit(copy_context().run, finish, model, part) for part in parts]
        return [row for part in found for row in part.result()]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def finish(model: ServedModel, texts: list[str]) -> list:
    """The answers to rows, of which a process may give the first only, or none if one fails."""
    rows = []
    while rest := texts[len(rows) :]:
        kind, _, found = model.ask(frames.PART, array(rest))
        if kind in (frames.ANSWER, frames.MIXED):
            rows += results(model, kind, found)
        elif kind not in FAILURES:
            raise model.error(kind, found, dict)
        elif len(rest) == 1:
            rows.append(model.error(kind, found, dict))
        else:
            rows += [row for text in rest for row in finish(model, [text])]
    return rows


def split(model: ServedModel, body: bytes) -> list[str]:
    """The rows of a JSON array, each as it is written.

    :raise 400: if it is no array
    :raise 413: if there are too many
    """
    try:
        return members(body, model.settings["BATCH_ROWS"]) or []
    except TooManyRows as error:
        raise model.error(frames.LONG, str(error).encode(), dict) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON. {error}.") from error


def array(texts: list[str]) -> bytes:
    """Rows as a JSON array."""
    return f"[{','.join(texts)}]".encode()


def is_answer(row: object) -> bool:
    """Whether a row has an answer."""
    return isinstance(row, str)


def count(answers: int) -> None:
    """Note for the metrics how many inputs were answered."""
    request.environ["service.answers"] = request.environ.get("service.answers", 0) + answers


def written(rows: list[str | HTTPException]) -> Iterator[str]:
    """The rows as JSON."""
    for number, row in enumerate(rows, start=1):
        yield row if is_answer(row) else json.dumps(document(row) | {"row": number})
