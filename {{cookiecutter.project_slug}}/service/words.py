"""Schemas and values in the words of people; the vocabulary is in words.toml."""

import json
import re
import tomllib
from pathlib import Path

from service.schema import Schemas

Texts = dict[str, list[str]]  # texts by the name of a field, as a query has them

WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def taken(schemas: Schemas, schema: dict, is_required: bool, is_member: bool = False) -> list[str]:
    """Say what a schema takes: its type, unit, bounds and default."""
    options = schemas.values(schema)
    kinds = " or ".join(dict.fromkeys(kind(schemas, option, is_member) for option in options))
    if schemas.items(schema) and kinds != WORDS["types"]["array"]:
        kinds = f"list of {kinds}"
    unit = schemas.said(schema, "unit")
    found = [f"{kinds} in {unit}" if unit else kinds]
    for option in options + schemas.alternatives(schema):
        bounds = {} if "contentEncoding" in option else WORDS["bounds"]
        found += [bounds[key].format(bound(option[key])) for key in bounds if key in option]
    if not is_required:
        default = schema.get("default")
        found.append("optional" if default in (None, "", []) else f"default {text(default)}")
    return list(dict.fromkeys(found))


def kind(schemas: Schemas, option: dict, is_member: bool) -> str:
    """Name a type, and the members of a nested model, but not those of its members."""
    if "const" in option:
        return json.dumps(option["const"], ensure_ascii=False)
    kind = option.get("contentEncoding", option.get("type", "JSON"))
    members = {} if is_member else option.get("properties", {})
    told = ", ".join(member(schemas, option, name) for name in members)
    return WORDS["types"].get(kind, kind) + (f" with {told}" if told else "")


def member(schemas: Schemas, model: dict, name: str) -> str:
    """Say what a member of a nested model takes, and is."""
    schema, is_required = model["properties"][name], name in model.get("required", [])
    about = schemas.said(schema, "description")
    facts = ", ".join(taken(schemas, schema, is_required, is_member=True))
    return f"{name} ({facts}{about and f': {about}'})"


def bound(value: object) -> str:
    """Write a bound so that nobody has to count zeros: a power of ten as such."""
    digits = text(value).removesuffix(".0") if isinstance(value, float) else text(value)
    power = r"(?<![0-9.])1(?:(0{6,})|e\+([0-9]+))$"
    return re.sub(power, lambda found: f"10^{found[2] or len(found[1])}", digits)


def text(value: object) -> str:
    """Write a scalar as JSON does, but a text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shorten(text: str, limit: int = 100) -> str:
    """Cut a long text, so that an error stays readable."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def whole(digits: str) -> int | str:
    """Read an integer; one that is longer than Python reads stays text."""
    return int(digits) if len(digits) <= 4300 else digits
