"""The one file in an answer, such as a drawn map, given as itself to a caller who asks for it."""

import base64
import json

from flask import abort, request

from service.bodies import JSON, accept
from service.errors import accepts
from service.fields import fields_of
from service.served import ServedModel

# How a file begins, by its media type, where `Output` does not say its contentMediaType.
BEGINNINGS = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/svg+xml": (b"<svg", b"<?xml"),
    "application/pdf": (b"%PDF-",),
}
# A picture may hold a caller's text (SVG): a browser runs no script in it and loads nothing for it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class Picture:
    """The field that holds the file, if there is exactly one of a media type."""

    def __init__(self, model: ServedModel) -> None:
        files = {
            name: field.schema.get("contentMediaType", "")
            for name, field in fields_of(model.schemas, model.facts["output"]).items()
            if field.is_file and not field.is_list
        }
        found = {name: kind for name, kind in files.items() if kind} or files
        self.name, self.kind = found.popitem() if len(found) == 1 else ("", "")
        self.kinds = ([self.kind] if self.kind else list(BEGINNINGS)) if self.name else []

    def wanted(self) -> bool:
        """Whether the caller would rather have the file than JSON.

        :raise 406: if the caller takes neither
        """
        if not self.name or not any(map(accepts, self.kinds)):
            accept(JSON)
            return False
        is_any = request.environ.get("HTTP_ACCEPT", "*/*") == "*/*"
        return not is_any and request.accept_mimetypes.best_match([JSON, *self.kinds]) != JSON

    def taken(self, answer: bytes) -> tuple[bytes, str]:
        """Take the file out of an answer, with its media type.

        :raise 406: if it is none that the caller takes
        """
        data = base64.b64decode(json.loads(answer)[self.name] or "")
        found = [kind for kind in BEGINNINGS if data.lstrip().startswith(BEGINNINGS[kind])]
        kind = (self.kind or (found or [""])[0]) if data else ""
        if not kind or not accepts(kind):
            abort(406, f"{self.name} is {kind or 'no picture'} in this answer. Ask for {JSON}.")
        return data, kind
