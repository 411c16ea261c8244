"""The form of the page, made from `Input`: one control for each field."""

import json
import re

from service.inputs import LITERALS
from service.schemas import FIELDS, REQUIRED, alternatives, is_file, is_nested, options, repeats

# What a JSON schema calls the types and bounds of values, and how the page says it.
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


def control(name: str, value: object) -> dict:
    """What the template needs to draw a field, filled with its value if it has one."""
    kind = kind_of(name, value)
    kinds = [option.get("type") for option in options(name)]
    return {
        "name": name,
        "kind": kind,
        "description": FIELDS[name].get("description"),
        "facts": facts(name, kind),
        "required": name in REQUIRED,
        "choices": [text for choice in choices(name) for text in texts(name, choice)],
        "value": "\n".join(texts(name, value, indent=2)),
        "nested": is_nested(name),
        "multiple": repeats(name),
        # Texts that match go into JSON as they are typed, so that no digit is lost.
        "literal": "|".join(LITERALS[kind] for kind in kinds if kind in LITERALS),
    }


def kind_of(name: str, value: object) -> str:
    """The control that suits a field and its value; `json` is for what is nested."""
    if is_file(name):
        return "file"
    if choices(name):
        return "choice"
    if is_nested(name):
        return "json"
    if repeats(name):
        return "list"
    longest = max(option.get("maxLength", 0) for option in options(name))
    return "long" if longest > 100 or len(text(value)) > 60 or "\n" in text(value) else "line"


def choices(name: str) -> list:
    """The values that a field chooses from, none if others are allowed or it is a list."""
    found = []
    for option in alternatives(FIELDS[name]):
        if option.get("type") == "boolean":
            found += [True, False]
        elif "enum" in option or "const" in option:
            found += option.get("enum", [option.get("const")])
        elif option.get("type") != "null":
            return []
    return found


def facts(name: str, kind: str) -> list[str]:
    """Say what a field takes: its type, unit, bounds and default."""
    field = FIELDS[name]
    kinds = [option.get("type", "JSON") for option in options(name)]
    words = " or ".join(dict.fromkeys(WORDS.get(kind, kind) for kind in kinds))
    if kind == "file":
        words = "one or more files" if repeats(name) else "file"
    elif kind == "list":
        words = f"list, one {words} per line"
    elif kind == "choice":
        words = ""  # the choices say it themselves
    found = [f"{words} in {field['unit']}" if "unit" in field else words]
    if kind not in ("choice", "file"):
        for schema in options(name) + alternatives(field):
            found += [
                say.format(bound(schema[key])) for key, say in BOUNDS.items() if key in schema
            ]
    if name not in REQUIRED:
        default = field.get("default")
        found.append("optional" if default in (None, "", []) else f"default {text(default)}")
    return list(dict.fromkeys(filter(None, found)))


def bound(value: object) -> str:
    """Write a bound so that it is read and not counted: a power of ten as such."""
    return re.sub(r"\b10{6,}$", lambda power: f"10^{len(power[0]) - 1}", text(value))


def texts(name: str, value: object, indent: int | None = None) -> list[str]:
    """Write a value as a person types it, or as a query has it: an item of a list each."""
    if value is None or is_file(name):  # a page cannot choose a file for its reader
        return []
    if is_nested(name):
        return [json.dumps(value, ensure_ascii=False, indent=indent)]
    return [text(item) for item in (value if isinstance(value, list) else [value])]


def text(value: object) -> str:
    """Write a scalar as JSON does, but a text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
