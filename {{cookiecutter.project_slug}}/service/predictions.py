"""GET and POST /api: the routes that run the model."""

import secrets

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotAcceptable, UnsupportedMediaType

from service.contract import Input, predict
from service.inputs import from_json, from_text, is_linkable
from service.metrics import PREDICTIONS

bp = Blueprint("predictions", __name__)

STOCHASTIC = "seed" in Input.model_fields
JSON = "application/json"


def answer_link() -> Response:
    """Run the model on the input written in the query string, as a link that can be cited.

    :raise 422: if a field is missing, unknown, repeated, or not what `Input` takes
    """
    accept(JSON)
    response = answer(from_text(request.args))
    if not STOCHASTIC:
        response.headers["Cache-Control"] = "no-cache"  # keep it, and ask whether it is still so
        response.add_etag()
        response.make_conditional(request)
    return response


if is_linkable():  # a model with nested inputs takes POST alone
    bp.get("/api")(answer_link)


@bp.post("/api")
def answer_body() -> Response:
    """Run the model on the JSON object in the body.

    :raise 415: if the body is said to be anything but JSON
    """
    accept(JSON)
    require(JSON)
    return answer(from_json(request.get_data()))


def answer(inputs: Input) -> Response:
    """Run the model; one that draws numbers gets a seed if it has none, and its answer tells it."""
    headers = {}
    if STOCHASTIC:
        if inputs.seed is None:
            inputs = inputs.model_copy(update={"seed": secrets.randbelow(2**32)})
        headers = {"Model-Seed": str(inputs.seed), "Cache-Control": "no-store"}
    document = predict(inputs).model_dump_json(by_alias=True)
    PREDICTIONS.inc()
    return Response(f"{document}\n", mimetype=JSON, headers=headers)


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
