"""POST /api/batch: many inputs at once, as JSON or CSV, answered in kind and in order."""

import json
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, current_app
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError
from werkzeug.exceptions import RequestEntityTooLarge as TooLarge

from service import table
from service.capacity import slot
from service.contract import Input, predict, predict_batch
from service.errors import InvalidInput, document
from service.inputs import body, from_json, refusal, whole
from service.predictions import JSON, STOCHASTIC, accept, as_json, require

bp = Blueprint("batch", __name__)

KINDS = [JSON, table.CSV] if table.FITS else [JSON]


@bp.post("/api/batch")
def answer() -> Response:
    """Run the model on every row; a bad one is reported in its place and costs no other its answer.

    :raise 400: if the body is no JSON or CSV
    :raise 413: if there are more rows than MODEL_BATCH_ROWS
    :raise 422: if the body is no array, or the header of the CSV does not fit `Input`
    :raise 503: if too many predictions run
    """
    kind = require(*KINDS)
    accept(kind)
    if kind == table.CSV:
        header, lines = table.lines(body())
        answers = run([attempt(table.read, header, line) for line in limited(lines)])
        return Response(table.write(answers), mimetype=kind)
    rows = [attempt(from_json, json.dumps(row)) for row in limited(array(body()))]
    return Response("[" + ",\n ".join(texts(run(rows))) + "]\n", mimetype=kind)


def array(body: bytes) -> list:
    """The members of the JSON array in the body."""
    try:
        found = json.loads(body.decode(), parse_int=whole)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON. {error}.") from error
    if not isinstance(found, list):
        raise refusal({"body": "Send an array of objects"}, {"body": json.dumps(found)})
    return found


def limited(rows: list) -> list:
    """The rows, unless they are more than the setting allows."""
    limit = current_app.config["BATCH_ROWS"]
    if len(rows) > limit:
        raise TooLarge(f"Send at most {limit} rows at once, not {len(rows)}.")
    return rows


def attempt(read: Callable[..., Input], *row: object) -> Input | InvalidInput:
    """Read a row, or keep the reason why not."""
    try:
        inputs = read(*row)
    except HTTPException as error:
        return error
    if STOCHASTIC and inputs.seed is None:  # a batch has no header to give a drawn one back in
        return refusal({"seed": "Field required in a batch"}, {"seed": "null"})
    return inputs


@slot()
def run(rows: list[Input | HTTPException]) -> list[str | HTTPException]:
    """The answers as JSON, in the order of the rows."""
    inputs = [row for row in rows if isinstance(row, Input)]
    # A model of arrays seldom takes an empty list.
    outputs = predict_batch(inputs) if predict_batch and inputs else inputs
    if len(outputs) != len(inputs):
        raise RuntimeError(f"predict_batch gave {len(outputs)} answers to {len(inputs)} inputs")
    left = iter(outputs)
    return [finish(next(left)) if isinstance(row, Input) else row for row in rows]


def finish(found: object) -> str | HTTPException:
    """A row's answer as JSON; the model's failure is logged, and costs no other row its answer."""
    try:
        return as_json(found if predict_batch else predict(found))
    except Exception:
        current_app.logger.exception("The model failed on a row of a batch.")
        return InternalServerError()


def texts(answers: list[str | HTTPException]) -> Iterator[str]:
    """The answers as JSON; a problem document stands where a row was refused."""
    for number, found in enumerate(answers, start=1):
        yield found if isinstance(found, str) else json.dumps(document(found) | {"row": number})
