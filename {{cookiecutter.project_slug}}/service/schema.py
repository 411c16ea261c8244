"""The JSON schemas of a model: how to walk them, and what they take, in the words of people."""

import json
import re

from service.words import WORDS, bound, text

NOUNS, BOUNDS, EMPTY = WORDS["nouns"], WORDS["bounds"], (None, "", [], {})
LONGEST = 40  # characters of an example
SAID = {"format", "pattern", "minLength", "maxLength"}  # which the noun of a format says
OTHER, REQUIRED = "x-other-name-of", "x-required"  # of fields that have several names
DEEP = 3  # lists and objects in one another, of which the innermost is but JSON


class Schemas:
    """Schemas that refer to others by name."""

    def __init__(self, named: dict) -> None:
        self.named = named

    def options(self, schema: dict) -> list[dict]:
        """Give the schema that a schema refers to, or those that it chooses from."""
        if "$ref" in schema:
            return [self.named[schema["$ref"].rpartition("/")[2]]]
        return schema.get("anyOf", schema.get("oneOf", []))

    def alternatives(self, schema: dict) -> list[dict]:
        """Give the schemas that a schema chooses from but for null, with references followed.

        What tells them apart stands in each, as a member that is required.
        """
        if options := self.options(schema):
            found = [one for each in options for one in self.alternatives(each)]
            if needed := schema.get("required"):
                found = [one | {"required": [*one.get("required", []), *needed]} for one in found]
            return found
        return [] if schema.get("type") == "null" else [schema]

    def takes_null(self, schema: dict) -> bool:
        """Whether null is one of the values of a schema."""
        is_null = schema.get("type") == "null" or None in listed(schema)
        return is_null or any(map(self.takes_null, self.options(schema)))

    def or_null(self, schema: dict, is_required: bool) -> str:
        """Say that null may be given, where a value left out does not stand for it."""
        is_said = is_required or schema.get("default") is not None
        return " or null" * (is_said and self.takes_null(schema) and None not in listed(schema))

    def items(self, schema: dict) -> list[dict]:
        """Give the schemas of the items of a list, none for what is no list."""
        lists = [option["items"] for option in self.alternatives(schema) if "items" in option]
        return self.alternatives(lists[0]) if lists else []

    def said(self, schema: dict, key: str, deep: bool = True) -> str:
        """Give a member of a schema, or else of what it refers to, of its options or its items."""
        is_list = "items" in schema
        below = [schema["items"]] if is_list and deep else self.options(schema)
        found = [self.said(each, key, deep and not is_list) for each in below]
        return str(schema.get(key, "")) or " or ".join(dict.fromkeys(filter(None, found)))

    def taken(self, schema: dict, is_required: bool, depth: int = 0) -> list[str]:
        """Say what a schema takes; then its default, or else an example."""
        found, default = [self.told(schema, depth=depth)], schema.get("default")
        if not is_required:
            found.append("optional" if default in EMPTY else f"default {text(default)}")
        is_shown = default is None and not depth and not self.said(schema, "contentEncoding")
        examples = map(text, schema.get("examples", [])[:is_shown])
        return found + [f"such as {one}" for one in examples if len(one) <= LONGEST]

    def told(self, schema: dict, unit: str = "", is_many: bool = False, depth: int = 0) -> str:
        """Say what values a schema has: their type, unit and bounds; several in the plural."""
        unit, found = unit or schema.get("unit", ""), self.alternatives(schema)
        # A decimal number may also be given as a text.
        numbers = [one for one in found if one.get("format") != "decimal" or "pattern" not in one]
        told = [
            self.option(one, unit or one.get("unit", ""), is_many, depth)
            for one in numbers or found
        ]
        return " or ".join(dict.fromkeys(told)) or "null"

    def option(self, option: dict, unit: str, is_many: bool, depth: int) -> str:
        """Say what values a schema without a choice has; those far down are but JSON."""
        form, kind = option.get("contentEncoding", option.get("format")), option.get("type", "any")
        kind = "any" if kind in ("array", "object") and depth >= DEEP else kind
        noun = NOUNS.get(form, NOUNS[kind])[is_many]
        bounds, measured = limits(option), f" {unit}" * bool(unit)
        is_range = "minimum" in option and "maximum" in option
        if listed(option):
            return choices(option) + measured
        if kind == "array":
            items = option.get("prefixItems", [option.get("items", {})])
            told = dict.fromkeys(self.told(item, unit, True, depth + 1) for item in items)
            return " ".join([noun, *bounds, " and ".join(told)])
        if kind == "object":
            return self.object(option, unit, noun, depth + 1)
        ends = [bound for bound in bounds if bound[0] in "≥>≤<"]  # "number > 0 kg"
        parts = [" and ".join([f"{noun} {ends[0]}", *ends[1:]]) if ends else noun]
        parts += bounds[len(ends) :]
        parts[is_range] += measured if is_range or ends else measured and f" in{measured}"
        return ", ".join(parts[is_range and kind == "number" and not is_many :])

    def object(self, model: dict, unit: str, noun: str, depth: int) -> str:
        """Say what members an object has, of these names or of any; nothing of a member's."""
        if found := members(model) if depth < DEEP else None:
            return f"{noun} with {', '.join(self.member(name, *found[name]) for name in found)}"
        if not isinstance(more := model.get("additionalProperties"), dict):
            return noun
        values, *rest = re.split("(?=, | with )", self.told(more, unit, True, depth), maxsplit=1)
        names = {"type": "string"} | model.get("propertyNames", {})
        about = self.said(names, "description") or self.told(names).removeprefix("text, ")
        return "".join([f"{values} by name", f" ({about})" * ("propertyNames" in model), *rest])

    def member(self, name: str, schema: dict, is_required: bool) -> str:
        """Say what a member of a nested model takes, and its description."""
        facts, about = self.taken(schema, is_required, DEEP - 1), self.said(schema, "description")
        facts[0] += self.or_null(schema, is_required)
        return f"{name} ({', '.join(facts)}{about and f': {about}'})"


def members(model: dict) -> dict[str, tuple[dict, bool]]:
    """Give the schemas of the members of an object, and whether each is required."""
    rules, found = model.get("allOf", []), model.get("properties", {}).items()
    needed = [*model.get("required", []), *(rule.get(REQUIRED) for rule in rules)]
    return {name: (part, name in needed) for name, part in found if OTHER not in part}


def others(model: dict) -> dict[str, str]:
    """Give the other names of the members of an object, each with the first name."""
    found = model.get("properties", {})
    return {name: found[name][OTHER] for name in found if OTHER in found[name]}


def listed(option: dict) -> list:
    """Give the values that a schema lists, none if it does not list them."""
    return option.get("enum", [option["const"]] if "const" in option else [])


def choices(option: dict) -> str:
    """Write the values that a schema lists; a number that has a name, with its name."""
    found = [json.dumps(value, ensure_ascii=False) for value in listed(option)]
    for place, name in enumerate(option.get("x-enum-varnames", [])):
        found[place] += f" ({name})"
    return " or ".join(filter(None, [", ".join(found[:-1]), *found[-1:]]))


def limits(option: dict) -> list[str]:
    """Say the bounds of a schema; both ends of a range at once, and that first."""
    is_said = "contentEncoding" in option or option.get("format") in NOUNS
    given, found = {key: option[key] for key in option if not (is_said and key in SAID)}, []
    for keys, words in BOUNDS.items():
        if given.keys() >= {*keys.split()}:
            ends = dict.fromkeys(bound(given.pop(key)) for key in keys.split())
            found.append(words.format(" to ".join(ends)))
    return found
