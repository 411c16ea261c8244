"""What callers send, read by the strict rules of `Input`."""

import json
import re

import pydantic_core
from flask import request
from pydantic import ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from service.contract import Input
from service.errors import InvalidInput, shorten
from service.schemas import (
    FIELDS,
    REQUIRED,
    alternatives,
    facts,
    is_nested,
    items,
    options,
    repeats,
    said,
)

# What a text must look like to stand in JSON without quotes. An integer of more than 4,300
# digits stays text, because Python reads no longer one.
LITERALS = {
    "integer": r"-?[0-9]{1,4300}",
    "number": r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?",
    "boolean": r"true|false",
}


def body() -> bytes:
    """The body of the request.

    :raise 400: if it breaks off, or its chunks are not as long as they say
    :raise 413: if it is longer than MODEL_MAX_CONTENT_LENGTH
    """
    # Werkzeug cuts one that does not say how long it is (chunked), instead of refusing it.
    is_chunked = request.content_length is None and request.environ.get("wsgi.input_terminated")
    try:
        data = request.get_data()
        rest = request.environ["wsgi.input"].read(1) if is_chunked else b""
    except HTTPException:
        raise
    except Exception as error:  # each web server has errors of its own for this
        raise BadRequest(f"The body could not be read. {error}.") from error
    if rest:
        raise RequestEntityTooLarge
    return data


def from_json(document: bytes | str) -> Input:
    """Read a JSON object.

    :raise 400: if it is not JSON
    :raise 422: if a field is missing, unknown, not finite, or not what `Input` takes
    """
    # Only the parsing is guarded: an error inside predict is the model's, not the caller's.
    try:
        return Input.model_validate_json(document, strict=True, extra="forbid")
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    if faults[0]["type"] == "json_invalid":
        raise BadRequest(f"The body is not JSON. {faults[0]['msg']}.")
    reasons = {
        ".".join(map(str, fault["loc"])) or "body": fault["msg"].removeprefix("Value error, ")
        for fault in faults
    }
    found = json.loads(document, parse_int=whole)
    members = found if isinstance(found, dict) else {"body": found}
    raise refusal(reasons, {name: json.dumps(value) for name, value in members.items()})


def from_text(texts: MultiDict, supplied: dict[str, str] | None = None) -> Input:
    """Read texts by field, as a query or a row of a table has them, like the JSON they stand for.

    An error quotes them, or what else was supplied in their place.

    :raise 422: if a field is missing, unknown, repeated, or not what `Input` takes
    """
    supplied = supplied or {name: ", ".join(texts.getlist(name)) for name in texts}
    wrong = {name: misread(name, values) for name, values in texts.lists()}
    if any(wrong.values()):
        raise refusal({name: why for name, why in wrong.items() if why}, supplied)
    members = [f"{json.dumps(name)}: {literal(name, values)}" for name, values in texts.lists()]
    try:
        return from_json("{" + ", ".join(members) + "}")
    except InvalidInput as error:
        raise refusal(error.members["errors"], supplied) from error


def misread(name: str, values: list[str]) -> str:
    """Say what to write in the place of texts that look like another way to write a value."""
    if len(values) > 1 and not repeats(name):
        return "Give it once"
    if name in FIELDS and is_nested(name):
        try:
            pydantic_core.from_json(values[0])
        except ValueError as error:
            return f"Write JSON: {error}"
    kinds = {option.get("format", option.get("type")) for option in options(name)}
    if kinds == {"date-time"} and re.fullmatch(r"[0-9T:.-]+ [0-9]{2}:[0-9]{2}", values[0]):
        return "Write %2B for the + of the zone in a link"
    if "string" in kinds:  # which any text is
        return ""
    if repeats(name) and any(re.fullmatch(r"-?[0-9.]+(,-?[0-9.]+)+", text) for text in values):
        return f"Write {name}= before each item, and a decimal point"
    if "number" in kinds and re.fullmatch(r"-?[0-9]+,[0-9]+", values[0]):
        return "Write a decimal point, not a comma"
    return ""


def literal(name: str, values: list[str]) -> str:
    """Write the texts of a field as JSON: numbers and booleans where it takes them."""
    if name in FIELDS and is_nested(name):
        return values[0]  # which is JSON already
    if options := items(FIELDS.get(name, {})):
        return "[" + ", ".join(scalar(options, value) for value in values) + "]"
    return scalar(alternatives(FIELDS.get(name, {})), values[0])


def scalar(options: list[dict], text: str) -> str:
    """Write one text as JSON: a number or boolean where one of the options is, else a string."""
    for option in options:
        if re.fullmatch(LITERALS.get(option.get("type"), "(?!)"), text):
            return re.sub(r"^(-?)0+(?=[0-9])", r"\1", text)  # JSON knows no leading zeros
    return json.dumps(text)


def requirement(name: str) -> str:
    """Say in a line what a field takes."""
    taken = ", ".join(facts(name) + ["required"] * (name in REQUIRED))
    return f"{taken}: {said(FIELDS[name], 'description') or 'no description'}"


def whole(digits: str) -> int | str:
    """An integer, or its text where it is longer than Python reads."""
    return int(digits) if len(digits) <= 4300 else digits


def refusal(reasons: dict[str, str], supplied: dict[str, str]) -> InvalidInput:
    """The error that says why an input was refused, what is required and what was supplied."""
    return InvalidInput(
        errors={shorten(name): shorten(reason) for name, reason in reasons.items()},
        required={name: requirement(name) for name in FIELDS},
        supplied={shorten(name): shorten(text) for name, text in supplied.items()},
    )
