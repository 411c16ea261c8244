"""Every error as problem+json (RFC 9457): what was required, what was supplied."""

import json
import re

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, UnprocessableEntity

from service import logs
from service.words import LONGEST, Texts, quoted, shorten

PROBLEM = "application/problem+json"
OURS = "The model or the service failed. The log says why, beside the request id {id}."
EARLY = "The input is long: it was read to the first faults, and may have more."
ROW = 400  # characters of reasons in the answer to a row


class InvalidInput(UnprocessableEntity):
    """A request that `Input` refuses; `errors` maps each faulty field to the reason."""

    def __init__(
        self, reasons: dict[str, str], required: dict, supplied: Texts, number: int | None = None
    ) -> None:
        super().__init__()
        self.reasons, self.required, self.supplied = reasons, required, supplied
        self.number = len(reasons) if number is None else number

    def first(self, room: int) -> dict:
        """Give the first reasons that have room (characters), in a sentence and by field."""
        errors = quoted(self.reasons, room)
        said = [f"{name}: {reason.removesuffix('.')}." for name, reason in errors.items()]
        if len(errors) < self.number:
            said.append(f"These are {len(errors)} of {self.number} faults.")
        return {"detail": " ".join(said if self.number else [*said, EARLY]), "errors": errors}

    def members(self) -> dict:
        """Give the reasons, what is required and what was supplied."""
        required = quoted(self.required, 6000, self.reasons)
        texts = {name: ", ".join(found) for name, found in self.supplied.items()}
        supplied = quoted(texts, LONGEST, self.reasons, 100)
        return self.first(3000) | {"required": required, "supplied": supplied}


def register(app: Flask) -> None:
    """Answer every error of a service with a problem document."""
    app.register_error_handler(HTTPException, problem)


def unread(status: int, reason: str) -> tuple[str, bytes]:
    """Give the status line and the problem document for what the web server could not read."""
    error = HTTPException(shorten(reason))
    error.code = status
    return f"{status} {error.name}", written(error)


def problem(error: HTTPException) -> Response:
    """Answer an error, with its headers (such as Allow), by a problem document."""
    response = error.get_response()
    response.data, response.content_type = written(error), PROBLEM
    return response


def written(error: HTTPException) -> bytes:
    """Write the problem document of an error."""
    return json.dumps(document(error), indent=2, ensure_ascii=False).encode() + b"\n"


def document(error: HTTPException) -> dict:
    """Give the members of the problem document of an error."""
    members = {"type": "about:blank", "title": error.name, "status": error.code}
    if error.code >= 500:
        members["request_id"] = logs.request.get()
    more = error.members() if isinstance(error, InvalidInput) else {"detail": detail(error)}
    return members | more


def in_row(error: HTTPException, row: int) -> dict:
    """Give the short problem document in the place of a row of a batch."""
    is_invalid = isinstance(error, InvalidInput)
    said = error.first(ROW) if is_invalid else {"detail": shorten(detail(error), 2 * ROW)}
    return {"row": row, "status": error.code} | said


def detail(error: HTTPException) -> str:
    """Say in a sentence what went wrong and what would have worked."""
    if isinstance(error, NotFound):
        return f"Nothing answers at {shorten(request.path)}. The page at / says what does."
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        allowed = ", ".join(sorted(error.valid_methods))
        return f"{request.path} takes {allowed}, not {shorten(request.method)}."
    is_unexpected = error.code == 500 and error.description == type(error).description
    return OURS.format(id=logs.request.get()) if is_unexpected else error.description


def accepts(kind: str) -> bool:
    """Check whether the caller takes a media type, with any parameter such as a charset."""
    accepted = request.environ.get("HTTP_ACCEPT", "*/*")
    if accepted == "*/*":
        return True
    request.environ["HTTP_ACCEPT"] = re.sub(r"(?i);(?! *q=)[^;,]*", "", accepted)
    found = request.accept_mimetypes
    return not found or found.quality(kind) > 0
