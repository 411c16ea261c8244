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


def definition(schema: dict) -> dict:
    """The schema that a schema refers to."""
    return SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]


def alternatives(schema: dict) -> list[dict]:
    """The schemas that a schema chooses from, with references followed."""
    if "$ref" in schema:
        return alternatives(definition(schema))
    if options := schema.get("anyOf", schema.get("oneOf")):
        return [found for option in options for found in alternatives(option)]
    return [schema]


def items(schema: dict) -> list[dict]:
    """The schemas of the items of a list, none for what is no list."""
    lists = [option["items"] for option in alternatives(schema) if "items" in option]
    return alternatives(lists[0]) if lists else []


def kinds(schema: dict) -> list[dict]:
    """The schemas that a schema, or an item of a list, chooses from, but for null."""
    found = items(schema) or alternatives(schema)
    return [option for option in found if option.get("type") != "null"]


def options(name: str) -> list[dict]:
    """The schemas that a field, or an item of it, chooses from, but for null."""
    return kinds(FIELDS.get(name, {}))


def is_file(name: str) -> bool:
    """Whether a field, or each item of it, is bytes."""
    return any("contentEncoding" in option for option in options(name))


def is_nested(name: str) -> bool:
    """Whether a field, or an item of it, is more than a scalar, a choice or a file."""
    simple = {"string", "integer", "number", "boolean"}
    return not all(option.get("type") in simple or "const" in option for option in options(name))


def repeats(name: str) -> bool:
    """Whether texts give a field by repeating its name: a list of what is not nested."""
    return bool(items(FIELDS.get(name, {}))) and not is_nested(name)


def is_linkable() -> bool:
    """Whether every field fits a query."""
    return not any(is_file(name) or is_nested(name) for name in FIELDS)


def facts(name: str, brief: bool = False) -> list[str]:
    """Say what a field takes: its type, unit, bounds and default, or briefly the last alone."""
    found = taken(FIELDS[name], name in REQUIRED)
    if is_file(name):
        found[0] = "one or more files" if repeats(name) else "file"
    return found[-1:] * (name not in REQUIRED) if brief else found


def taken(schema: dict, required: bool, deep: bool = True) -> list[str]:
    """Say what a schema takes: its type, unit, bounds and default."""
    words = " or ".join(dict.fromkeys(word(option, deep) for option in kinds(schema)))
    if items(schema) and words != WORDS["array"]:
        words = f"list of {words}"
    unit = said(schema, "unit")
    found = [f"{words} in {unit}" if unit else words]
    for option in kinds(schema) + alternatives(schema):
        if "contentEncoding" not in option:
            found += [BOUNDS[key].format(bound(option[key])) for key in BOUNDS if key in option]
    if not required:
        default = schema.get("default")
        found.append("optional" if default in (None, "", []) else f"default {text(default)}")
    return list(dict.fromkeys(found))


def word(option: dict, deep: bool) -> str:
    """Name a type, and the members of a nested model, but not those of its members."""
    if "const" in option:
        return json.dumps(option["const"], ensure_ascii=False)
    kind = option.get("contentEncoding", option.get("type", "JSON"))
    members = option.get("properties", {}) if deep else {}
    told = ", ".join(member(option, name) for name in members)
    return WORDS.get(kind, kind) + (f" with {told}" if told else "")


def member(model: dict, name: str) -> str:
    """Say what a member of a nested model takes, and is."""
    schema, required = model["properties"][name], name in model.get("required", [])
    about = said(schema, "description")
    return f"{name} ({', '.join(taken(schema, required, deep=False))}{about and f': {about}'})"


def said(schema: dict, key: str, deep: bool = True) -> str:
    """What a schema says by a key, or else what it refers to, its options or its items say."""
    below = schema.get("anyOf", schema.get("oneOf", []))
    below = [definition(schema)] if "$ref" in schema else below
    below = [schema["items"]] if "items" in schema and deep else below
    found = [said(each, key, deep and "items" not in schema) for each in below]
    return str(schema.get(key, "")) or " or ".join(dict.fromkeys(filter(None, found)))


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
