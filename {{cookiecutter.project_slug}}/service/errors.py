"""Every error as problem+json (RFC 9457): what was required, what was supplied."""

import re

from flask import Blueprint, Response, abort, g, json, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, UnprocessableEntity

bp = Blueprint("errors", __name__)


class InvalidInput(UnprocessableEntity):
    """A request that `Input` refuses; `errors` maps each faulty field to the reason."""

    def __init__(self, errors: dict, required: dict, supplied: dict) -> None:
        super().__init__(" ".join(f"{field}: {reason}." for field, reason in errors.items()))
        self.members = {"errors": errors, "required": required, "supplied": supplied}


@bp.before_app_request
def simplify() -> None:
    """Take the media types in Accept without charset and the like, which would make them others."""
    accepted = request.headers.get("Accept", "")
    request.environ["HTTP_ACCEPT"] = re.sub(r"(?i);(?! *q=)[^;,]*", "", accepted)


@bp.before_app_request
def refuse() -> None:
    """Refuse what the web server could not read, and has handed on with the reason."""
    if refused := request.environ.get("service.refused"):
        abort(refused[0], shorten(refused[1]))


@bp.app_errorhandler(HTTPException)
def problem(error: HTTPException) -> Response:
    """Answer an error, with its headers (such as Allow), as a problem document."""
    response = error.get_response()
    response.data = json.dumps(document(error), indent=2) + "\n"
    response.content_type = "application/problem+json"
    return response


def document(error: HTTPException) -> dict:
    """The problem document of an error."""
    members = {"type": "about:blank", "title": error.name, "status": error.code}
    if error.code >= 500:
        members["request_id"] = g.request_id
    return members | {"detail": detail(error)} | getattr(error, "members", {})


def detail(error: HTTPException) -> str:
    """Say in a sentence what went wrong and what would have worked."""
    if isinstance(error, NotFound):
        return f"Nothing answers at {shorten(request.path)}. The page at / says what does."
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        allowed = ", ".join(sorted(error.valid_methods))
        return f"{request.path} takes {allowed}, not {shorten(request.method)}."
    if error.code == 500:
        return "The model or the service failed. The log says why, beside the request_id."
    return error.description


def shorten(text: str, limit: int = 100) -> str:
    """Cut a long text, so that an error is read and not scrolled."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
