"""GET /api: the route that runs the model."""

import json
import re

from flask import Blueprint, Response, request
from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from model import Input, predict
from service.errors import InvalidInput, shorten

bp = Blueprint("predictions", __name__)

FIELDS = Input.model_json_schema().get("properties", {})

# What the text of a query must look like to stand in JSON without quotes. An integer of more
# than 4,300 digits stays text, because Python reads no longer one.
LITERALS = {
    "integer": r"-?[0-9]{1,4300}",
    "number": r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?",
    "boolean": r"true|false",
}


@bp.get("/api")
def answer() -> Response:
    """Run the model on the input written in the query string.

    :raise 422: if a field is missing, unknown, repeated, or not what `Input` takes
    """
    output = predict(parse(request.args))
    return Response(output.model_dump_json(by_alias=True) + "\n", mimetype="application/json")


def parse(query: MultiDict) -> Input:
    """Read a query as the JSON object that it stands for, by the same strict rules."""
    repeated = [name for name in query if len(query.getlist(name)) > 1]
    if repeated:
        raise refusal(query, dict.fromkeys(repeated, "Give it once"))
    members = [f"{json.dumps(name)}: {literal(name, text)}" for name, text in query.items()]
    # Only the parsing is guarded: an error inside predict is the model's, not the caller's.
    try:
        inputs = Input.model_validate_json("{" + ", ".join(members) + "}", strict=True)
    except ValidationError as error:
        reasons = {".".join(map(str, fault["loc"])): fault["msg"] for fault in error.errors()}
        raise refusal(query, reasons) from error
    ignored = [name for name in query if name not in FIELDS]  # by a model that lets it pass
    if ignored:
        raise refusal(query, dict.fromkeys(ignored, "Extra inputs are not permitted"))
    return inputs


def literal(name: str, text: str) -> str:
    """Write the text of a query as JSON: a number or boolean if the field takes one."""
    for kind in kinds(FIELDS.get(name, {})):
        if re.fullmatch(LITERALS.get(kind, "(?!)"), text):
            return re.sub(r"^(-?)0+(?=[0-9])", r"\1", text)  # JSON knows no leading zeros
    return json.dumps(text)


def kinds(field: dict) -> list[str]:
    """The JSON types that a field takes."""
    return [option.get("type", "value") for option in field.get("anyOf", [field])]


def requirement(field: dict) -> str:
    """Say in a line what a field takes."""
    default = f"default {json.dumps(field['default'])}" if "default" in field else "required"
    return f"{' or '.join(kinds(field))}, {default}: {field.get('description', 'no description')}"


def refusal(query: MultiDict, reasons: dict[str, str]) -> InvalidInput:
    """The error that says why a query was refused, what is required and what was supplied."""
    supplied = {shorten(name): shorten(", ".join(texts)) for name, texts in query.lists()}
    required = {name: requirement(field) for name, field in FIELDS.items()}
    errors = {shorten(name): shorten(reason) for name, reason in reasons.items()}
    return InvalidInput(errors, required, supplied)
