"""GET and POST /api: the routes that run the model."""

import secrets
from operator import methodcaller

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import NotAcceptable, UnsupportedMediaType

from service.capacity import slot
from service.contract import Input, Output, predict
from service.inputs import body, from_json, from_text
from service.schemas import is_linkable, options
from service.uploads import FORM, TAKES_FILES, from_parts

bp = Blueprint("predictions", __name__)

STOCHASTIC = "seed" in Input.model_fields
JSON = "application/json"
BODIES = [JSON, FORM] if TAKES_FILES else [JSON]


def answer_link() -> Response:
    """Run the model on the input written in the query string, as a link that can be cited.

    :raise 422: if a field is missing, unknown, repeated, or not what `Input` takes
    :raise 503: if too many predictions run
    """
    accept(JSON)
    inputs = from_text(request.args)
    with slot():
        response = answer(inputs)
    if not STOCHASTIC:
        response.headers["Cache-Control"] = "no-cache"  # keep it, and ask whether it is still so
        response.add_etag()
        response.make_conditional(request)
    return response


if is_linkable():  # a model with nested inputs takes POST alone
    bp.get("/api")(answer_link)


@bp.post("/api")
def answer_body() -> Response:
    """Run the model on the JSON object in the body, or on a form where a field is a file.

    :raise 415: if the body is said to be anything else
    :raise 503: if too many predictions run
    """
    accept(JSON)
    if require(*BODIES) == FORM:
        inputs = from_parts(body(), request.mimetype_params)
    else:
        inputs = from_json(body())
    with slot():
        return answer(inputs)


def answer(inputs: Input) -> Response:
    """Run the model; one that draws numbers gets a seed if it has none, and its answer tells it."""
    headers = {}
    if STOCHASTIC:
        if inputs.seed is None:
            inputs = inputs.model_copy(update={"seed": draw()})
        headers = {"Model-Seed": str(inputs.seed), "Cache-Control": "no-store"}
    return Response(f"{as_json(predict(inputs))}\n", mimetype=JSON, headers=headers)


def draw() -> int:
    """A seed within the bounds that `Input` sets, of 32 bits."""
    (seed,) = (option for option in options("seed") if option["type"] == "integer")
    least = seed.get("minimum", seed.get("exclusiveMinimum", -1) + 1)
    most = seed.get("maximum", seed.get("exclusiveMaximum", least + 2**32) - 1)
    return least + secrets.randbelow(min(most - least + 1, 2**32))


def as_json(output: Output) -> str:
    """What the model gives as JSON, if it is an `Output`; what is not finite is null."""
    # Where `Output` does not say what it holds, as with dict, numpy's numbers may still be there.
    as_list = methodcaller("tolist")
    document = Output.model_validate(output).model_dump_json(by_alias=True, fallback=as_list)
    if g:  # there is a request, which the metrics count this for
        g.predictions = g.get("predictions", 0) + 1
    return document


def require(*kinds: str) -> str:
    """The media type of the body, one of those a route takes.

    :raise 415: if it is another
    """
    if request.mimetype not in kinds:
        supplied = request.mimetype or "nothing"
        raise UnsupportedMediaType(f"Send {' or '.join(kinds)} as Content-Type, not {supplied}.")
    return request.mimetype


def accept(kind: str) -> None:
    """Check that the caller takes what the route gives.

    :raise 406: if not
    """
    if request.accept_mimetypes and not request.accept_mimetypes.quality(kind):
        raise NotAcceptable(f"The answer is {kind}, and Accept rules it out.")
