"""GET and POST /api: the routes that run the model."""

import hashlib
from collections.abc import Callable

from flask import Flask, Response, request

from service.bodies import JSON, accept, body, require, written
from service.forms import FORM, from_parts
from service.served import ServedModel


def register(app: Flask, model: ServedModel) -> None:
    """Add the routes to a service."""
    kinds = [JSON, FORM] if model.takes_files else [JSON]

    def answer_link() -> Response:
        """Run the model on the input in the query string, as a link that can be cited."""
        accept(JSON)
        texts = request.args

        def supplied() -> dict[str, str]:
            return {name: ", ".join(texts.getlist(name)) for name in texts}

        return answer(model, written(model, texts, supplied).encode(), supplied)

    def answer_body() -> Response:
        """Run the model on the JSON object in the body, or on a form where a field is a file."""
        accept(JSON)
        if require(*kinds) == FORM:
            text, supplied = from_parts(model, body(), request.mimetype_params)
            return answer(model, text.encode(), lambda: supplied)
        return answer(model, body())

    if model.is_linkable:  # a model with nested inputs takes POST alone
        app.add_url_rule("/api", "answer_link", answer_link, methods=["GET"])
    app.add_url_rule("/api", "answer_body", answer_body, methods=["POST"])


def answer(model: ServedModel, text: bytes, supplied: Callable | None = None) -> Response:
    """Run the model, and say whether its answer may be kept; one that draws tells its seed."""
    found, seed = model.predict(text, supplied)
    request.environ["service.answers"] = 1
    data = found + b"\n"
    if seed:
        headers = {"Model-Seed": seed, "Cache-Control": "no-store"}
        return Response(data, mimetype=JSON, headers=headers)
    if request.method == "POST":
        return Response(data, mimetype=JSON)
    # Keep it, and ask whether it is still so
    tag = f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag_is_known(tag):
        return Response(status=304, headers=headers)
    return Response(data, mimetype=JSON, headers=headers)


def tag_is_known(tag: str) -> bool:
    """Whether the caller has the answer of this tag already."""
    is_asked = "HTTP_IF_NONE_MATCH" in request.environ
    return is_asked and request.if_none_match.contains_weak(tag[1:-1])
