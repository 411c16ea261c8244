"""The body of a request, and texts by field in the place of one."""

import json
import time
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs

from flask import abort, request

from service.errors import accepts
from service.frames import PAUSE
from service.served import ServedModel
from service.words import Texts, shorten

JSON = "application/json"
TURN = 0.02  # seconds
BROKEN = "The body breaks off or comes too slowly, or its chunks are not as long as they say."


def body() -> bytes:
    """Read the body of the request, without a byte order mark.

    :raise 400: if it breaks off or comes too slowly, or its chunks are not as long as they say
    :raise 413: if it is longer than MODEL_MAX_CONTENT_LENGTH
    """
    length, most = request.content_length or 0, request.max_content_length
    # A body that does not say how long it is (chunked) ends where the web server ends it.
    size = most + 1 if request.environ.get("wsgi.input_terminated") else min(length, most + 1)
    try:
        data = request.environ["wsgi.input"].read(size)
    except Exception:  # each web server has errors of its own for this
        abort(400, BROKEN)
    time.sleep(PAUSE)  # others have their turn: that copied up to 10 MB
    if len(data) > most:
        abort(413)
    if len(data) < length:  # Gunicorn gives what there is
        abort(400, BROKEN)
    return data.removeprefix(BOM_UTF8)


def query() -> Texts:
    """Read the query of a link.

    :raise 400: if it is not UTF-8
    """
    try:
        return parse_qs(request.query_string.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        abort(400, f"The link is not UTF-8. {error}.")


def require(*kinds: str) -> str:
    """Give the media type of the body, one of those that a route takes.

    :raise 415: if it is another, or the body is compressed
    """
    if coding := request.headers.get("Content-Encoding", "").removeprefix("identity"):
        abort(415, f"Send the body as it is, not with Content-Encoding {shorten(coding)}.")
    if request.mimetype not in kinds:
        abort(415, f"Send Content-Type {' or '.join(kinds)}, not {request.mimetype or 'nothing'}.")
    return request.mimetype


def accept(kind: str) -> None:
    """Check that the caller takes what the route gives.

    :raise 406: if not
    """
    if not accepts(kind):
        abort(406, f"The answer is {kind}, and Accept rules it out.")


def written(model: ServedModel, texts: Texts, supplied: Texts | None = None) -> str:
    """Write texts by field, as a query has them, as the JSON that they stand for.

    An error quotes what was supplied, which are the texts if nothing else is said.

    :raise 422: if there is no such field, or texts cannot stand for a value of it
    """
    wrong, parts = {}, []
    for name, values in turns(texts.items()):
        field = model.named.get(name, model.more)
        text, hint = field.read(values) if field else ("", "No such field")
        if hint:
            wrong[name] = hint
        parts.append(f"{json.dumps(name)}: {text}")
    if wrong:
        raise model.refusal(wrong, supplied or texts)
    return "{" + ", ".join(parts) + "}"


def turns(items: Iterable) -> Iterator:
    """Give items on; after each TURN, the service answers other requests."""
    end = time.monotonic() + TURN
    for item in items:
        yield item
        if time.monotonic() > end:
            time.sleep(PAUSE)
            end = time.monotonic() + TURN
