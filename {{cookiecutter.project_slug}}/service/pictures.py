"""A file in an answer, such as a drawn map, given as itself to a caller who asks for it."""

import base64
from contextlib import suppress
from functools import cache, partial

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

    def wanted(self) -> list[str]:
        """Give the media types that the caller would rather have than JSON, and JSON if it will do.

        :raise 406: if the caller takes nothing that an answer may have
        """
        left, found = [JSON, *filter(accepts, self.names)], []
        if left == [JSON]:
            accept(JSON)
            return []
        while JSON in left and (best := request.accept_mimetypes.best_match(left)):
            found.append(left.pop(left.index(best)))
        return found if found != [JSON] else []

    def taken(self, answer: bytes, wanted: list[str]) -> tuple[bytes, str]:
        """Give an answer as the first of some media types that it has: its JSON, or a file in it.

        :raise 406: if it has none
        """
        files = cache(partial(file, answer))
        for kind in wanted:
            if kind == JSON:
                return answer + b"\n", kind
            data = files(self.names[kind])
            if data and (self.declared or data.lstrip().startswith(BEGINNINGS[kind])):
                return data, kind
        abort(406, f"This answer has no {' or '.join(wanted)}. Ask for {JSON}.")


def file(answer: bytes, name: str) -> bytes:
    """Take a file out of an answer; nothing where it has no such file."""
    with suppress(LookupError, TypeError, ValueError):
        text = from_json(answer)[name]
        parts = turns(text[start : start + PART] for start in range(0, len(text), PART))
        return b"".join(base64.b64decode(part, validate=True) for part in parts)
    return b""
