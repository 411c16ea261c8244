"""What a schema takes, in the words of people, and values as texts."""

import json
import re

from service.schema import Schemas

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


def taken(schemas: Schemas, schema: dict, is_required: bool, deep: bool = True) -> list[str]:
    """Say what a schema takes: its type, unit, bounds and default."""
    kinds = schemas.kinds(schema)
    words = " or ".join(dict.fromkeys(word(schemas, option, deep) for option in kinds))
    if schemas.items(schema) and words != WORDS["array"]:
        words = f"list of {words}"
    unit = schemas.said(schema, "unit")
    found = [f"{words} in {unit}" if unit else words]
    for option in kinds + schemas.alternatives(schema):
        if "contentEncoding" not in option:
            found += [BOUNDS[key].format(bound(option[key])) for key in BOUNDS if key in option]
    if not is_required:
        default = schema.get("default")
        found.append("optional" if default in (None, "", []) else f"default {text(default)}")
    return list(dict.fromkeys(found))


def word(schemas: Schemas, option: dict, deep: bool) -> str:
    """Name a type, and the members of a nested model, but not those of its members."""
    if "const" in option:
        return json.dumps(option["const"], ensure_ascii=False)
    kind = option.get("contentEncoding", option.get("type", "JSON"))
    members = option.get("properties", {}) if deep else {}
    told = ", ".join(member(schemas, option, name) for name in members)
    return WORDS.get(kind, kind) + (f" with {told}" if told else "")


def member(schemas: Schemas, model: dict, name: str) -> str:
    """Say what a member of a nested model takes, and is."""
    schema, is_required = model["properties"][name], name in model.get("required", [])
    about = schemas.said(schema, "description")
    facts = ", ".join(taken(schemas, schema, is_required, deep=False))
    return f"{name} ({facts}{about and f': {about}'})"


def bound(value: object) -> str:
    """Write a bound so that it is read and not counted: a power of ten as such."""
    digits = text(value).removesuffix(".0") if isinstance(value, float) else text(value)
    power = r"(?<![0-9.])1(?:(0{6,})|e\+([0-9]+))$"
    return re.sub(power, lambda found: f"10^{found[2] or len(found[1])}", digits)


def text(value: object) -> str:
    """Write a scalar as JSON does, but a text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shorten(text: str, limit: int = 100) -> str:
    """Cut a long text, so that an error is read and not scrolled."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def whole(digits: str) -> int | str:
    """An integer, or its text where it is longer than Python reads."""
    return int(digits) if len(digits) <= 4300 else digits
