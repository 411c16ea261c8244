"""multipart/form-data: inputs with files, as curl -F and the forms of pages send them."""

import io

from flask import abort
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser

from service.bodies import written
from service.runner.values import encode
from service.served import ServedModel
from service.words import Texts

FORM = "multipart/form-data"
PARTS = 1000  # of a body; each costs time to find


def read(model: ServedModel, body: bytes, options: dict[str, str]) -> tuple[bytes, Texts]:
    """Give the JSON that the parts of a body stand for, and what an error quotes of the parts.

    :raise 400: if it is not multipart/form-data, or a text in it is not UTF-8
    :raise 413: if it has too many parts
    :raise 422: if a part is not of the kind that its field takes
    """
    texts, files = split(body, options)
    supplied = texts | {name: list(map(label, found)) for name, found in files.items()}
    wrong = {}
    for name, field in model.named.items():
        others, hint = (texts, "Send it as a file") if field.is_file else (files, "Send it as text")
        if name in others:
            wrong[name] = hint
    if wrong:
        raise model.refusal(wrong, supplied)
    encoded = {name: [encode(file.read()) for file in found] for name, found in files.items()}
    return written(model, texts | encoded).encode(), supplied


def split(body: bytes, options: dict[str, str]) -> tuple[Texts, dict[str, list[FileStorage]]]:
    """Give the texts and the files in a body by name, but not the fields that are left empty.

    The form of a page sends each of its fields, and CRLF for every end of line that was typed.
    """
    # In memory, which MAX_CONTENT_LENGTH bounds: a service may have no disk to write to.
    parser = MultiPartParser(lambda **_: io.BytesIO(), max_form_parts=PARTS)
    parser.get_part_charset = lambda _: "latin-1"  # keeps each byte: what is not UTF-8 is seen
    try:
        if not (boundary := options.get("boundary", "").encode("ascii")):
            raise ValueError("It names no boundary")
        texts, files = parser.parse(io.BytesIO(body), boundary, len(body))
        texts = [(name, text.encode("latin-1").decode()) for name, text in texts.items(multi=True)]
    except ValueError as error:
        abort(400, f"The body is not {FORM} as its Content-Type says. {error}.")
    except RequestEntityTooLarge:
        abort(413, f"Send at most {PARTS} parts.")
    if None in dict(texts) or None in files:
        abort(400, f"A part of the body has no name, which {FORM} asks for.")
    typed = [(name, text.replace("\r\n", "\n")) for name, text in texts if text]
    chosen = [item for item in files.items(multi=True) if item[1].filename]
    return MultiDict(typed).to_dict(flat=False), MultiDict(chosen).to_dict(flat=False)


def label(file: FileStorage) -> str:
    """Name a file and its size, as an error quotes it."""
    return f"{file.filename} ({file.stream.getbuffer().nbytes} bytes)"
