"""multipart/form-data: inputs with files, as curl -F and the forms of pages send them."""

import io

from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from service.bodies import written
from service.runner.strict import encode
from service.served import ServedModel

FORM = "multipart/form-data"
PARTS = 1000  # of a body; each costs time to find


def from_parts(
    model: ServedModel, body: bytes, options: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """The JSON that the parts of a body stand for, and what an error quotes of them.

    :raise 400: if it is not multipart/form-data
    :raise 413: if it has too many parts
    :raise 422: if a part is not of the kind that its field takes
    """
    texts, files = split(body, options)
    supplied = {name: ", ".join(texts.getlist(name)) for name in texts}
    supplied |= {name: ", ".join(map(label, files.getlist(name))) for name in files}
    takes_file = {name for name, field in model.fields.items() if field.is_file}
    wrong = {name: "Send it as a file" for name in texts if name in takes_file}
    takes_text = model.fields.keys() - takes_file
    wrong |= {name: "Send it as text" for name in files if name in takes_text}
    if wrong:
        raise model.refusal(wrong, supplied)
    encoded = [(name, encode(file.read())) for name, file in files.items(multi=True)]
    parts = MultiDict([*texts.items(multi=True), *encoded])
    return written(model, parts, lambda: supplied), supplied


def split(body: bytes, options: dict[str, str]) -> tuple[MultiDict, MultiDict]:
    """The texts and the files in a body, but for those that the form of a page was not given.

    Such a form sends each of its fields, and CRLF for every end of line that was typed.
    """
    # In memory, which MAX_CONTENT_LENGTH bounds: a service may have no disk to write to.
    parser = FormDataParser(lambda **_: io.BytesIO(), max_form_parts=PARTS, silent=False)
    try:
        _, texts, files = parser.parse(io.BytesIO(body), FORM, len(body), options)
    except ValueError as error:
        raise BadRequest(f"The body is not {FORM} as its Content-Type says. {error}.") from error
    except RequestEntityTooLarge as error:
        raise RequestEntityTooLarge(f"Send at most {PARTS} parts.") from error
    if None in texts or None in files:
        raise BadRequest(f"A part of the body has no name, which {FORM} asks for.")
    typed = [(name, text.replace("\r\n", "\n")) for name, text in texts.items(multi=True) if text]
    return MultiDict(typed), MultiDict(item for item in files.items(True) if item[1].filename)


def label(file: FileStorage) -> str:
    """Name a file and its size, as an error quotes it."""
    return f"{file.filename} ({file.stream.getbuffer().nbytes} bytes)"
