"""GET and POST /api: the routes that run the model."""

import hashlib

from flask import Flask, Response, request

from service import frames
from service.bodies import JSON, accept, body, require, written
from service.forms import FORM, read
from service.served import ServedModel
from service.words import Texts


def register(app: Flask, model: ServedModel) -> None:
    """Add the routes to a service."""
    kinds = [JSON, FORM] if model.takes_files else [JSON]

    def answer_link() -> Response:
        """Run the model on the input in the query string, as a link that can be cited."""
        accept(JSON)
        texts = request.args.to_dict(flat=False)
        return answer(model, written(model, texts).encode(), texts)

    def answer_body() -> Response:
        """Run the model on the JSON object in the body, or on a form where a field is a file."""
        accept(JSON)
        if require(*kinds) == FORM:
            return answer(model, *read(model, body(), request.mimetype_params))
        return answer(model, body())

    if model.is_linkable:  # a model with nested inputs takes POST alone
        app.add_url_rule("/api", "answer_link", answer_link, methods=["GET"])
    app.add_url_rule("/api", "answer_body", answer_body, methods=["POST"])


def answer(model: ServedModel, text: bytes, supplied: Texts | None = None) -> Response:
    """Run the model on JSON, and say whether the answer may be kept.

    :raise 400: if the text is not JSON
    :raise 422: if a field is missing, unknown, not finite, or not what `Input` takes
    :raise 500: if the model fails
    :raise 503: if no process is free in time
    :raise 504: if the prediction takes too long
    """
    kind, seed, found = model.ask(frames.PREDICT, text)
    if kind != frames.ANSWER:
        raise model.error(kind, found, supplied)
    request.environ["service.answers"] = 1
    data, headers = found + b"\n", {}
    if seed:
        headers = {"Model-Seed": seed.decode(), "Cache-Control": "no-store"}
    elif request.method != "POST":  # a cache may keep it, and ask whether it is still so
        tag = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    response = Response(data, mimetype=JSON, headers=headers)
    is_known = "HTTP_IF_NONE_MATCH" in request.environ
    return response.make_conditional(request) if is_known else response
