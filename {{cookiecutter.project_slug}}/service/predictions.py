"""GET and POST /api: the routes that run the model."""

import hashlib

from flask import Flask, Response, request

from service import frames
from service.bodies import JSON, body, query, require, turns, written
from service.forms import FORM, read
from service.pictures import POLICY, Picture
from service.served import ServedModel
from service.words import Texts


def register(app: Flask, model: ServedModel) -> None:
    """Add the routes to a service."""
    kinds, picture = [JSON, FORM] if model.takes_files else [JSON], Picture(model)

    def answer_link() -> Response:
        """Run the model on the input in the query string, as a link that can be cited."""
        texts = query()
        return answer(model, picture, written(model, texts).encode(), texts)

    def answer_body() -> Response:
        """Run the model on the JSON object in the body, or on a form where a field is a file."""
        if require(*kinds) == FORM:
            return answer(model, picture, *read(model, body(), request.mimetype_params))
        return answer(model, picture, body())

    if model.is_linkable:
        app.add_url_rule("/api", "answer_link", answer_link, methods=["GET"])
    app.add_url_rule("/api", "answer_body", answer_body, methods=["POST"])


def answer(
    model: ServedModel, picture: Picture, text: bytes, supplied: Texts | None = None
) -> Response:
    """Run the model on JSON, and say whether the answer may be kept.

    :raise 400: if the text is not JSON
    :raise 406: if the caller does not take what there is
    :raise 422: if a field is missing, unknown, not finite, or not what `Input` takes
    :raise 500: if the model fails
    :raise 503: if no process is free in time
    :raise 504: if the prediction takes too long
    """
    wanted = picture.wanted()
    kind, seed, found = model.ask(frames.PREDICT, text)
    if kind != frames.ANSWER:
        raise model.error(kind, found, supplied)
    request.environ["service.answers"] = 1
    data, mimetype = picture.taken(found, wanted) if wanted else (found + b"\n", JSON)
    headers = {"Content-Security-Policy": POLICY} if mimetype != JSON else {}
    if seed:
        headers |= {"Model-Seed": seed.decode(), "Cache-Control": "no-store"}
    elif request.method != "POST":  # a cache may keep it, and ask whether it is still so
        headers |= {"ETag": tag(data), "Cache-Control": "no-cache"}
    if picture.names:
        headers["Vary"] = "Accept"
    response = Response(data, mimetype=mimetype, headers=headers)
    is_known = "HTTP_IF_NONE_MATCH" in request.environ
    return response.make_conditional(request) if is_known else response


def tag(data: bytes) -> str:
    """Name an answer by its hash, made in parts, so that others have their turn."""
    found = hashlib.sha1(usedforsecurity=False)
    for start in turns(range(0, len(data), frames.PIECE)):
        found.update(data[start : start + frames.PIECE])
    return f'"{found.hexdigest()}"'
