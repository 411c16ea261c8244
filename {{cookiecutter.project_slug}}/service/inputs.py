"""What callers send, read by the strict rules of `Input`."""

import json
import re

from pydantic import ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from service.contract import Input
from service.errors import InvalidInput, shorten

SCHEMA = Input.model_json_schema()
FIELDS = SCHEMA.get("properties", {})

# What a text must look like to stand in JSON without quotes. An integer of more than 4,300
# digits stays text, because Python reads no longer one.
LITERALS = {
    "integer": r"-?[0-9]{1,4300}",
    "number": r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?",
    "boolean": r"true|false",
}


def from_json(document: bytes | str) -> Input:
    """Read a JSON object.

    :raise 400: if it is not JSON
    :raise 422: if a field is missing, unknown, or not what `Input` takes
    """
    # Only the parsing is guarded: an error inside predict is the model's, not the caller's.
    try:
        return Input.model_validate_json(document, strict=True, extra="forbid")
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    if faults[0]["type"] == "json_invalid":
        raise BadRequest(f"The body is not JSON. {faults[0]['msg']}.")
    reasons = {".".join(map(str, fault["loc"])) or "body": fault["msg"] for fault in faults}
    raise refusal(reasons, supplied_in(document))


def from_text(texts: MultiDict) -> Input:
    """Read texts by field, as a query or a row of a table has them, like the JSON they stand for.

    :raise 422: if a field is missing, unknown, repeated, or not what `Input` takes
    """
    supplied = {name: ", ".join(texts.getlist(name)) for name in texts}
    repeated = [name for name, values in texts.lists() if len(values) > 1 and not items(name)]
    if repeated:
        raise refusal(dict.fromkeys(repeated, "Give it once"), supplied)
    members = [f"{json.dumps(name)}: {literal(name, values)}" for name, values in texts.lists()]
    try:
        return from_json("{" + ", ".join(members) + "}")
    except InvalidInput as error:
        raise refusal(error.members["errors"], supplied) from error


def literal(name: str, values: list[str]) -> str:
    """Write the texts of a field as JSON: numbers and booleans where it takes them."""
    if options := items(name):
        return "[" + ", ".join(scalar(options, value) for value in values) + "]"
    return scalar(alternatives(FIELDS.get(name, {})), values[0])


def scalar(options: list[dict], text: str) -> str:
    """Write one text as JSON: a number or boolean where one of the options is, else a string."""
    for option in options:
        if re.fullmatch(LITERALS.get(option.get("type"), "(?!)"), text):
            return re.sub(r"^(-?)0+(?=[0-9])", r"\1", text)  # JSON knows no leading zeros
    return json.dumps(text)


def items(name: str) -> list[dict]:
    """The schemas of the items of a field that is a list, none for another field."""
    lists = [option["items"] for option in alternatives(FIELDS.get(name, {})) if "items" in option]
    return alternatives(lists[0]) if lists else []


def alternatives(schema: dict) -> list[dict]:
    """The schemas that a schema chooses from, with references followed."""
    if "$ref" in schema:
        return alternatives(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return [found for option in schema["anyOf"] for found in alternatives(option)]
    return [schema]


def is_linkable() -> bool:
    """Whether every field fits a query: scalars, choices, options and lists of these."""
    simple = {"string", "integer", "number", "boolean", "null"}
    options = [option for name in FIELDS for option in items(name) or alternatives(FIELDS[name])]
    return all(option.get("type") in simple or "const" in option for option in options)


def requirement(name: str) -> str:
    """Say in a line what a field takes."""
    field = FIELDS[name]
    kinds = [option.get("type", "value") for option in items(name) or alternatives(field)]
    kind = " or ".join(dict.fromkeys(kinds))
    default = f"default {json.dumps(field['default'])}" if "default" in field else "required"
    described = field.get("description", "no description")
    return f"{'list of ' if items(name) else ''}{kind}, {default}: {described}"


def supplied_in(document: bytes | str) -> dict[str, str]:
    """What a JSON document supplies, field by field, for the error that refuses it."""
    found = json.loads(document)
    found = found if isinstance(found, dict) else {"body": found}
    return {name: json.dumps(value, ensure_ascii=False) for name, value in found.items()}


def refusal(reasons: dict[str, str], supplied: dict[str, str]) -> InvalidInput:
    """The error that says why an input was refused, what is required and what was supplied."""
    return InvalidInput(
        errors={shorten(name): shorten(reason) for name, reason in reasons.items()},
        required={name: requirement(name) for name in FIELDS},
        supplied={shorten(name): shorten(text) for name, text in supplied.items()},
    )
