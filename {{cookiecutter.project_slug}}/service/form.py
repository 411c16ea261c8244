"""The form of the page, made from `Input`: one control for each field."""

import json
import re

from service.inputs import LITERALS
from service.schemas import FIELDS, alternatives, is_file, items, options, repeats

WORDS = {"string": "text", "boolean": "true or false", "object": "JSON", "array": "JSON list"}

# What a JSON schema says of the values that it allows, and how the page says it.
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "{} or more characters",
    "maxLength": "{} or fewer characters",
    "pattern": "matches {}",
    "format": "{}",
    "enum": "one of {}",
    "minItems": "{} or more items",
    "maxItems": "{} or fewer items",
}


def controls(values: dict) -> list[dict]:
    """What the template needs to draw each field, filled with its value if it has one."""
    return [control(name, values.get(name)) for name in FIELDS]


def control(name: str, value: object) -> dict:
    """Describe the control of one field."""
    field = FIELDS[name]
    return {
        "name": name,
        "kind": kind(name),
        "description": field.get("description"),
        "facts": facts(name),
        "required": "default" not in field,
        "choices": {text(choice): json.dumps(choice) for choice in choices(name)},
        "value": "\n".join(texts(name, value)),
        "numeric": is_numeric(name),
        "multiple": repeats(name),
        "keyboard": keyboard(name),
        # Texts that match go into JSON as they are typed, so that no digit is lost.
        "literal": "|".join(LITERALS[found] for found in types(name) if found in LITERALS),
    }


def kind(name: str) -> str:
    """The control that suits a field: line, long, choice, list, file, or json if it is nested."""
    if is_file(name):
        return "file"
    if {"object", "array", None} & set(types(name)) and not choices(name):
        return "json"
    if items(name):
        return "list"
    if choices(name):
        return "choice"
    longest = max(option.get("maxLength", 0) for option in options(name))
    examples = [str(example) for example in FIELDS[name].get("examples", [])]
    long = longest > 100 or any(len(example) > 60 or "\n" in example for example in examples)
    return "long" if long else "line"


def keyboard(name: str) -> str:
    """The keys that a phone shows: those for digits have no minus sign."""
    least = [option.get("minimum", option.get("exclusiveMinimum", -1)) for option in options(name)]
    if min(least, default=-1) < 0:
        return "text"
    return {("integer",): "numeric", ("number",): "decimal"}.get(tuple(types(name)), "text")


def types(name: str) -> list[str | None]:
    """The types of a field, or of the items of a list."""
    return list(dict.fromkeys(option.get("type") for option in options(name)))


def choices(name: str) -> list:
    """The values that a field chooses from, none if others are allowed or it is a list."""
    found = []
    for option in alternatives(FIELDS[name]):
        if option.get("type") == "boolean":
            found += [True, False]
        elif option.get("type") != "null":
            found += option.get("enum", [option["const"]] if "const" in option else [None])
    return [] if None in found else found


def facts(name: str) -> list[str]:
    """Say what a field takes: its type, unit and bounds."""
    found = [takes(name) + (f" in {FIELDS[name]['unit']}" if "unit" in FIELDS[name] else "")]
    if kind(name) not in ("choice", "file"):
        for schema in options(name) + alternatives(FIELDS[name]):
            found += bounds(schema)
    if "default" in FIELDS[name]:
        default = FIELDS[name]["default"]
        found.append("optional" if default in (None, "", []) else f"default {text(default)}")
    return list(dict.fromkeys(filter(None, found)))


def takes(name: str) -> str:
    """Say in words what a field takes; choices say it themselves."""
    if kind(name) == "choice":
        return ""
    if kind(name) == "file":
        return "one or more files" if repeats(name) else "file"
    words = " or ".join(WORDS.get(found, found or "JSON") for found in types(name))
    return f"list, one {words} per line" if kind(name) == "list" else words


def bounds(schema: dict) -> list[str]:
    """Say what a schema bounds, both ends at once where it has both."""
    if {"minimum", "maximum"} <= set(schema):
        both = f"from {bound(schema['minimum'])} to {bound(schema['maximum'])}"
        rest = {key: schema[key] for key in schema if key not in ("minimum", "maximum")}
        return [both, *bounds(rest)]
    return [say.format(bound(schema[key])) for key, say in BOUNDS.items() if key in schema]


def bound(value: object) -> str:
    """Write a bound so that it is read and not counted: a power of ten as such."""
    power = re.fullmatch(r"(-?)10{6,}", text(value))
    return f"{power[1]}10^{len(text(value)) - len(power[1]) - 1}" if power else text(value)


def texts(name: str, value: object) -> list[str]:
    """Write a value as a person types it, or as a query has it: an item of a list each."""
    if value is None or is_file(name):  # a page cannot choose a file for its reader
        return []
    if kind(name) == "json":
        return [json.dumps(value, ensure_ascii=False, indent=2)]
    return [text(item) for item in (value if isinstance(value, list) else [value])]


def text(value: object) -> str:
    """Write a scalar as JSON does, but a text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def is_numeric(name: str) -> bool:
    """Whether a field takes numbers alone, so that spaces around them mean nothing."""
    return set(types(name)) <= {"integer", "number"}
