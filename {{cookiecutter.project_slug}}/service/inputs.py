"""What callers send, read by the strict rules of `Input`."""

import json
import math
import re

from flask import request
from pydantic import ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from service.contract import Input
from service.errors import InvalidInput, shorten
from service.schemas import FIELDS, SCHEMA, alternatives, is_file, is_nested, items, repeats

DATES = ("date", "date-time")
HAS_DATES = any(f'"format": "{kind}"' in json.dumps(SCHEMA) for kind in DATES)

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
    try:
        data = request.get_data()
    except HTTPException:
        raise
    except Exception as error:  # each web server has errors of its own for this
        raise BadRequest(f"The body could not be read. {error}.") from error
    # Werkzeug cuts one that does not say how long it is (chunked), instead of refusing it.
    is_chunked = request.content_length is None and request.environ.get("wsgi.input_terminated")
    if is_chunked and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return data


def from_json(document: bytes | str) -> Input:
    """Read a JSON object.

    :raise 400: if it is not JSON
    :raise 422: if a field is missing, unknown, not finite, or not what `Input` takes
    """
    # Only the parsing is guarded: an error inside predict is the model's, not the caller's.
    try:
        inputs = Input.model_validate_json(document, strict=True, extra="forbid")
        reasons = {}
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        if faults[0]["type"] == "json_invalid":
            raise BadRequest(f"The body is not JSON. {faults[0]['msg']}.") from error
        reasons = {
            ".".join(map(str, fault["loc"])) or "body": fault["msg"].removeprefix("Value error, ")
            for fault in faults
        }
    members = members_of(document)
    for name, value in members.items():
        if not is_finite(value):
            reasons.setdefault(name, "Input should be a finite number")
        if HAS_DATES and not is_dated(value, FIELDS.get(name, {})):
            reasons.setdefault(name, "Input should be a date that starts like 2024-02-29")
    if reasons:
        raise refusal(reasons, {name: json.dumps(value) for name, value in members.items()})
    return inputs


def from_text(texts: MultiDict, supplied: dict[str, str] | None = None) -> Input:
    """Read texts by field, as a query or a row of a table has them, like the JSON they stand for.

    An error quotes them, or what else was supplied in their place.

    :raise 422: if a field is missing, unknown, repeated, or not what `Input` takes
    """
    supplied = supplied or {name: ", ".join(texts.getlist(name)) for name in texts}
    repeated = [name for name, values in texts.lists() if len(values) > 1 and not repeats(name)]
    if repeated:
        raise refusal(dict.fromkeys(repeated, "Give it once"), supplied)
    members = [f"{json.dumps(name)}: {literal(name, values)}" for name, values in texts.lists()]
    try:
        return from_json("{" + ", ".join(members) + "}")
    except InvalidInput as error:
        raise refusal(error.members["errors"], supplied) from error


def literal(name: str, values: list[str]) -> str:
    """Write the texts of a field as JSON: numbers and booleans where it takes them."""
    if name in FIELDS and is_nested(name):
        return values[0]  # which is JSON already
    if options := items(name):
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
    field = FIELDS[name]
    kinds = [option.get("type", "value") for option in items(name) or alternatives(field)]
    kind = "file" if is_file(name) else " or ".join(dict.fromkeys(kinds))
    default = f"default {json.dumps(field['default'])}" if "default" in field else "required"
    described = field.get("description", "no description")
    return f"{'list of ' if items(name) else ''}{kind}, {default}: {described}"


def members_of(document: bytes | str) -> dict:
    """The members of a JSON document, for what `Input` does not check and for errors."""
    found = json.loads(document, parse_int=whole)
    return found if isinstance(found, dict) else {"body": found}


def whole(digits: str) -> int | str:
    """An integer, or its text where it is longer than Python reads."""
    return int(digits) if len(digits) <= 4300 else digits


def is_finite(value: object) -> bool:
    """Whether there is no NaN and no infinity anywhere in a JSON value."""
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def is_dated(value: object, schema: dict) -> bool:
    """Whether every date is written as one: pydantic takes "2024" for seconds since 1970."""
    options = [option for option in alternatives(schema) if chooses(value, option)]
    if isinstance(value, dict | list):
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            if not is_dated(member, {"anyOf": [below(option, name) for option in options]}):
                return False
        return True
    formats = {option.get("format") for option in options if option.get("type") == "string"}
    is_free = not formats or formats - set(DATES) or not isinstance(value, str)
    return bool(is_free or re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value))


def chooses(value: object, option: dict) -> bool:
    """Whether a value can be this one of several models, by the names that they go by."""
    fields = option.get("properties", {}) if isinstance(value, dict) else {}
    known = [(value[name], field) for name, field in fields.items() if name in value]
    return all(v in field.get("enum", [field.get("const", v)]) for v, field in known)


def below(option: dict, name: str | int) -> dict:
    """The schema of a member of an object, or of an item of a list."""
    if isinstance(name, str):
        found = option.get("properties", {}).get(name, option.get("additionalProperties"))
    else:
        found = dict(enumerate(option.get("prefixItems", []))).get(name, option.get("items"))
    return found if isinstance(found, dict) else {}


def refusal(reasons: dict[str, str], supplied: dict[str, str]) -> InvalidInput:
    """The error that says why an input was refused, what is required and what was supplied."""
    return InvalidInput(
        errors={shorten(name): shorten(reason) for name, reason in reasons.items()},
        required={name: requirement(name) for name in FIELDS},
        supplied={shorten(name): shorten(text) for name, text in supplied.items()},
    )
