"""The form of the page, made from `Input`: one control for each field."""

import json

from service.inputs import LITERALS
from service.schemas import (
    FIELDS,
    REQUIRED,
    alternatives,
    facts,
    is_file,
    is_nested,
    options,
    repeats,
    said,
    text,
)


def control(name: str, value: object) -> dict:
    """What the template needs to draw a field, filled with its value if it has one."""
    kind = kind_of(name, value)
    kinds = [option.get("type") for option in options(name)]
    return {
        "name": name,
        "kind": kind,
        "description": said(FIELDS[name], "description"),
        # Choices say themselves what there is.
        "facts": [*facts(name, brief=kind == "choice"), *["one per line"] * (kind == "list")],
        "required": name in REQUIRED,
        "choices": [found for choice in choices(name) for found in texts(name, choice)],
        "value": "\n".join(texts(name, value, indent=2)),
        "nested": is_nested(name),
        "multiple": repeats(name),
        "numeric": {*kinds} <= {"integer", "number"},  # spaces around numbers mean nothing
        # Texts that match go into JSON as they are typed, so that no digit is lost.
        "literal": "|".join(LITERALS[found] for found in kinds if found in LITERALS),
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


def texts(name: str, value: object, indent: int | None = None) -> list[str]:
    """Write a value as a person types it, or as a query has it: an item of a list each."""
    if value is None or is_file(name):  # a page cannot choose a file for its reader
        return []
    if is_nested(name):
        return [json.dumps(value, ensure_ascii=False, indent=indent)]
    return [text(item) for item in (value if isinstance(value, list) else [value])]
