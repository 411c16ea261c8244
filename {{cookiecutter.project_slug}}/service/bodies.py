"""The body of a request, and texts by field in the place of one."""

import json
from collections.abc import Callable

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    NotAcceptable,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from service.errors import accepts
from service.served import ServedModel

JSON = "application/json"
BREAKS_OFF = "The body breaks off before its end."


def body() -> bytes:
    """The body of the request.

    :raise 400: if it breaks off, or its chunks are not as long as they say
    :raise 413: if it is longer than MODEL_MAX_CONTENT_LENGTH
    """
    # Werkzeug cuts one that does not say how long it is (chunked), instead of refusing it.
    is_chunked = request.content_length is None and request.environ.get("wsgi.input_terminated")
    try:
        data = request.get_data(cache=False)
        rest = request.environ["wsgi.input"].read(1) if is_chunked else b""
    except ClientDisconnected as error:
        raise BadRequest(BREAKS_OFF) from error
    except HTTPException:
        raise
    except Exception as error:  # each web server has errors of its own for this
        raise BadRequest(f"The body could not be read. {error}.") from error
    if rest:
        raise RequestEntityTooLarge
    if len(data) < (request.content_length or 0):  # Gunicorn gives what there is
        raise BadRequest(BREAKS_OFF)
    return data


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
    if not accepts(kind):
        raise NotAcceptable(f"The answer is {kind}, and Accept rules it out.")


def written(model: ServedModel, texts: MultiDict, supplied: Callable[[], dict[str, str]]) -> str:
    """Texts by field, as a query has them, as the JSON that they stand for.

    :raise 422: if one looks like another way to write a value; it quotes what was supplied
    """
    wrong, parts = {}, []
    for name, values in texts.lists():
        field = model.fields.get(name)
        if field and len(values) == 1 and field.is_literal(values[0]) and not field.is_list:
            parts.append(field.prefix + field.scalar(values[0]))
            continue
        if why := field.misread(values) if field else "Give it once" * (len(values) > 1):
            wrong[name] = why
        parts.append(f"{json.dumps(name)}: {field.json(values) if field else json.dumps(values)}")
    if wrong:
        raise model.refusal(wrong, supplied())
    return "{" + ", ".join(parts) + "}"
