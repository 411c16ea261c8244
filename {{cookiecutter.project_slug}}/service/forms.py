"""multipart/form-data: inputs with files, as curl -F and the forms of pages send them."""

from collections.abc import Iterator

from flask import abort
from werkzeug.datastructures import MultiDict
from werkzeug.http import parse_options_header

from service.bodies import turns, written
from service.runner.values import encode
from service.served import ServedModel
from service.words import Texts

FORM = "multipart/form-data"
PARTS = 1000  # of a body; each costs time to find
HEAD = 2000  # bytes of the headers of a part; each costs time to read
File = tuple[str, bytes]  # its name and what it holds


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
    whole = turns(files.items())
    encoded = {name: [encode(data) for _, data in found] for name, found in whole}
    return written(model, texts | encoded, supplied=supplied).encode(), supplied


def split(body: bytes, options: dict[str, str]) -> tuple[Texts, dict[str, list[File]]]:
    """Give the texts and the files in a body by name, but not the fields that are left empty.

    The form of a page sends each of its fields, and CRLF for every end of line that was typed.
    """
    texts, files = [], []
    try:
        if not (boundary := options.get("boundary", "").encode("ascii")):
            raise ValueError("It names no boundary")
        for said, data in parts(body, boundary):
            if "name" not in said:
                abort(400, f"A part of the body has no name, which {FORM} asks for.")
            if "filename" in said:
                files.append((said["name"], (said["filename"], data)))
            else:
                texts.append((said["name"], data.decode().replace("\r\n", "\n")))
    except ValueError as error:
        abort(400, f"The body is not {FORM} as its Content-Type says. {error}.")
    typed = [(name, text) for name, text in texts if text]
    chosen = [(name, file) for name, file in files if file[0]]
    return MultiDict(typed).to_dict(flat=False), MultiDict(chosen).to_dict(flat=False)


def parts(body: bytes, boundary: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """Give what the header Content-Disposition of each part says, and the bytes of the part.

    It ends before a line that begins with the boundary (RFC 2046). Werkzeug's own parser takes
    seconds for some bodies, and other requests would wait.
    """
    _, *found = (b"\r\n" + body).split(b"\r\n--" + boundary, PARTS + 1)
    for number, part in enumerate(turns(found)):
        if part.startswith(b"--"):
            return
        if number == PARTS:
            abort(413, f"Send at most {PARTS} parts.")
        end = part.find(b"\r\n\r\n", 0, HEAD)
        if end < 0:
            raise ValueError(f"The headers of a part do not end within {HEAD} bytes")
        headers = (line.partition(":") for line in part[:end].decode().split("\r\n"))
        named = {name.strip().lower(): value for name, _, value in headers}
        yield parse_options_header(named.get("content-disposition"))[1], part[end + 4 :]
    raise ValueError("Its last part has no end")


def label(file: File) -> str:
    """Name a file and its size, as an error quotes it."""
    return f"{file[0]} ({len(file[1])} bytes)"
