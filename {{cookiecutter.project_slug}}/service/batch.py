"""POST /api/batch: many inputs at once, as JSON or CSV, answered in kind and in order."""

import json
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, current_app, request
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError
from werkzeug.exceptions import RequestEntityTooLarge as TooLarge

from service import table
from service.contract import Input, Output, predict, predict_batch
from service.errors import InvalidInput, document
from service.inputs import from_json, refusal, whole
from service.metrics import PREDICTIONS, ROWS
from service.predictions import JSON, STOCHASTIC, accept, require

bp = Blueprint("batch", __name__)

KINDS = [JSON, table.CSV] if table.FITS else [JSON]


@bp.post("/api/batch")
def answer() -> Response:
    """Run the model on every row; a bad one is reported in its place and costs no other its answer.

    :raise 400: if the body is no JSON or CSV
    :raise 413: if there are more rows than MODEL_BATCH_ROWS
    :raise 422: if the body is no array, or the header of the CSV does not fit `Input`
    """
    kind = require(*KINDS)
    accept(kind)
    if kind == table.CSV:
        header, lines = table.lines(request.get_data())
        answers = run([attempt(table.read, header, line) for line in limited(lines)])
        return Response(table.write(answers), mimetype=kind)
    rows = [attempt(from_json, json.dumps(row)) for row in limited(array(request.get_data()))]
    return Response("[" + ",\n ".join(texts(run(rows))) + "]\n", mimetype=kind)


def array(body: bytes) -> list:
    """The members of the JSON array in the body."""
    try:
        found = json.loads(body, parse_int=whole)
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


def run(rows: list[Input | HTTPException]) -> list[Output | HTTPException]:
    """The answers, in the order of the rows."""
    inputs = [row for row in rows if isinstance(row, Input)]
    outputs = predict_batch(inputs) if predict_batch else [run_one(row) for row in inputs]
    if len(outputs) != len(inputs):
        raise RuntimeError(f"predict_batch gave {len(outputs)} answers to {len(inputs)} inputs")
    failed = sum(isinstance(output, HTTPException) for output in outputs)
    PREDICTIONS.inc(len(outputs) - failed)
    ROWS.labels("answered").inc(len(outputs) - failed)
    ROWS.labels("refused").inc(len(rows) - len(outputs))
    ROWS.labels("failed").inc(failed)
    left = iter(outputs)
    return [next(left) if isinstance(row, Input) else row for row in rows]


def run_one(inputs: Input) -> Output | HTTPException:
    """Run the model on a row; its own failure is logged, and costs no other row its answer."""
    try:
        return predict(inputs)
    except Exception:
        current_app.logger.exception("predict failed on a row of a batch")
        return InternalServerError()


def texts(answers: list[Output | HTTPException]) -> Iterator[str]:
    """The answers as JSON; a problem document stands where a row was refused."""
    for number, found in enumerate(answers, start=1):
        if isinstance(found, BaseModel):
            yield found.model_dump_json(by_alias=True)
        else:
            yield json.dumps(document(found) | {"row": number})
