"""A file in an answer, such as a drawn map, given as itself to a caller who asks for it."""

import base64
from contextlib import suppress

from flask import abort, request
from pydantic_core import from_json

from service.bodies import JSON, accept, turns
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
PART = 2**20  # characters of base64 that are read at once, so that others have their turn
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class Picture:
    """The fields that hold files, by media type; of several of one type, the first.

    Without any media type, it is the one field of a file, whose beginning tells the type.
    """

    def __init__(self, model: ServedModel) -> None:
        files = {
            name: model.schemas.said(field.schema, "contentMediaType")
            for name, field in fields_of(model.schemas, model.facts["output"]).items()
            if field.is_file and not field.is_list
        }
        self.declared: dict[str, str] = {}
        for name, kind in files.items():
            if kind and " or " not in kind:  # one of several types is told by its beginning
                self.declared.setdefault(kind, name)
        alone = dict.fromkeys(BEGINNINGS, *files) if len(files) == 1 else {}
        self.names = self.declared or alone

    def wanted(self) -> str:
        """Give the media type of the file that the caller would rather have than JSON, if any.

        :raise 406: if the caller takes neither
        """
        if not any(map(accepts, self.names)):
            accept(JSON)
            return ""
        is_any = request.environ.get("HTTP_ACCEPT", "*/*") == "*/*"
        kind = request.accept_mimetypes.best_match([JSON, *self.names])
        return "" if is_any or kind == JSON else kind

    def taken(self, answer: bytes, kind: str) -> tuple[bytes, str]:
        """Take the file of a media type out of an answer, with the type that it really has.

        :raise 406: if it is none that the caller takes
        """
        name, data = self.names[kind], b""
        with suppress(LookupError, TypeError, ValueError):  # an answer may have no such file
            text = from_json(answer)[name]
            parts = turns(text[start : start + PART] for start in range(0, len(text), PART))
            data = b"".join(base64.b64decode(part, validate=True) for part in parts)
        found = [kind for kind in BEGINNINGS if data.lstrip().startswith(BEGINNINGS[kind])]
        kind = (kind if self.declared else (found or [""])[0]) if data else ""
        if not kind or not accepts(kind):
            abort(406, f"{name} is {kind or 'no picture'} in this answer. Ask for {JSON}.")
        return data, kind
