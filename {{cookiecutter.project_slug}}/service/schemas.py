"""`Input` as a JSON schema, and how such a schema is read."""

import json
import re

from pydantic.json_schema import GenerateJsonSchema

from service.contract import Input
from service.strict import PATTERN, encode

# What a JSON schema calls the types and bounds of values, and how people do.
WORDS = {"string": "text", "boolean": "true or false", "object": "JSON", "array": "JSON list"}
BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "minLength": "{} or more characters",
    "maxLength": "{} or fewer characters",
    "pattern": "matches {}",
    "format": "{}",
    "enum": "one of {}",
    "minItems": "{} or more items",
    "maxItems": "{} or fewer items",
}


class Schemas(GenerateJsonSchema):
    """pydantic's schemas, with what the service does differently from pydantic."""

    def float_schema(self, schema: dict) -> dict:
        """A number, or the null that stands in an answer for what is not finite."""
        number = super().float_schema(schema)
        return number if self.mode == "validation" else {"anyOf": [number, {"type": "null"}]}

    def bytes_schema(self, schema: dict) -> dict:
        """A text of base64, four characters for three bytes; in a request at least one byte."""
        least = {"min_length": 1} if self.mode == "validation" else {}
        found = super().bytes_schema(least | schema)
        lengths = {name: (found[name] + 2) // 3 * 4 for name in found if "Length" in name}
        return {"type": "string", "contentEncoding": "base64", "pattern": PATTERN} | lengths

    def model_schema(self, schema: dict) -> dict:
        """An object, which in a request has no unknown members."""
        members = super().model_schema(schema)
        return members | {"additionalProperties": False} if self.mode == "validation" else members

    def encode_default(self, default: object) -> object:
        """A default as JSON has it."""
        return encode(default) if isinstance(default, bytes) else super().encode_default(default)


def alternatives(schema: dict) -> list[dict]:
    """The schemas that a schema chooses from, with references followed."""
    if "$ref" in schema:
        return alternatives(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if options := schema.get("anyOf", schema.get("oneOf")):
        return [found for option in options for found in alternatives(option)]
    return [schema]


def items(name: str) -> list[dict]:
    """The schemas of the items of a field that is a list, none for another field."""
    lists = [option["items"] for option in alternatives(FIELDS.get(name, {})) if "items" in option]
    return alternatives(lists[0]) if lists else []


def options(name: str) -> list[dict]:
    """The schemas that a field, or an item of a list, chooses from, but for null."""
    found = items(name) or alternatives(FIELDS.get(name, {}))
    return [option for option in found if option.get("type") != "null"]


def is_file(name: str) -> bool:
    """Whether a field, or each item of it, is bytes."""
    return any("contentEncoding" in option for option in options(name))


def is_nested(name: str) -> bool:
    """Whether a field, or an item of it, is more than a scalar, a choice or a file."""
    simple = {"string", "integer", "number", "boolean"}
    return not all(option.get("type") in simple or "const" in option for option in options(name))


def repeats(name: str) -> bool:
    """Whether texts give a field by repeating its name: a list of what is not nested."""
    return bool(items(name)) and not is_nested(name)


def is_linkable() -> bool:
    """Whether every field fits a query."""
    return not any(is_file(name) or is_nested(name) for name in FIELDS)


def facts(name: str, brief: bool = False) -> list[str]:
    """Say what a field takes: its type, unit, bounds and default, or briefly the last alone."""
    field, found = FIELDS[name], []
    kinds = [option.get("type", "JSON") for option in options(name)]
    words = " or ".join(dict.fromkeys(WORDS.get(kind, kind) for kind in kinds))
    if is_file(name):
        found = ["one or more files" if repeats(name) else "file"]
    elif not brief:
        unit = f" in {field['unit']}" if "unit" in field else ""
        found = [f"list of {words}{unit}" if repeats(name) else f"{words}{unit}"]
        for schema in options(name) + alternatives(field):
            found += [BOUNDS[key].format(bound(schema[key])) for key in BOUNDS if key in schema]
    if name not in REQUIRED:
        default = field.get("default")
        found.append("optional" if default in (None, "", []) else f"default {text(default)}")
    return list(dict.fromkeys(found))


def bound(value: object) -> str:
    """Write a bound so that it is read and not counted: a power of ten as such."""
    digits = text(value).removesuffix(".0") if isinstance(value, float) else text(value)
    power = r"(?<![0-9.])1(?:(0{6,})|e\+([0-9]+))$"
    return re.sub(power, lambda found: f"10^{found[2] or len(found[1])}", digits)


def text(value: object) -> str:
    """Write a scalar as JSON does, but a text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


SCHEMA = Input.model_json_schema(schema_generator=Schemas)
FIELDS = alternatives(SCHEMA)[0].get("properties", {})  # a model in itself is but a reference
REQUIRED = alternatives(SCHEMA)[0].get("required", [])
