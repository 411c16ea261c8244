"""The JSON schemas of a model: how to walk them, and what they take, in the words of people."""

import json

from service.words import WORDS, bound, text

SAID = {"format", "pattern", "minLength", "maxLength"}  # of what the name of its kind says


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
        """Give the schemas that a schema chooses from, with references followed."""
        options = self.options(schema)
        return [found for each in options for found in self.alternatives(each)] or [schema]

    def items(self, schema: dict) -> list[dict]:
        """Give the schemas of the items of a list, none for what is no list."""
        lists = [option["items"] for option in self.alternatives(schema) if "items" in option]
        return self.alternatives(lists[0]) if lists else []

    def values(self, schema: dict) -> list[dict]:
        """Give the schemas of a value, or of each item of a list, but for null."""
        found = self.items(schema) or self.alternatives(schema)
        return [option for option in found if option.get("type") != "null"]

    def said(self, schema: dict, key: str, deep: bool = True) -> str:
        """Give a member of a schema, or else of what it refers to, of its options or its items."""
        is_list = "items" in schema
        below = [schema["items"]] if is_list and deep else self.options(schema)
        found = [self.said(each, key, deep and not is_list) for each in below]
        return str(schema.get(key, "")) or " or ".join(dict.fromkeys(filter(None, found)))

    def taken(self, schema: dict, is_required: bool, is_member: bool = False) -> list[str]:
        """Say what a schema takes: its type, unit, bounds and default."""
        options = self.values(schema)
        kinds = " or ".join(dict.fromkeys(self.kind(option, is_member) for option in options))
        if self.items(schema) and kinds != WORDS["types"]["array"]:
            kinds = f"list of {kinds}"
        unit = self.said(schema, "unit")
        found = [f"{kinds} in {unit}" if unit else kinds]
        for option in options + self.alternatives(schema):
            is_said = "contentEncoding" in option or option.get("format") in WORDS["types"]
            told = SAID if is_said else ()
            bounds = [key for key in WORDS["bounds"] if key in option and key not in told]
            if {"minimum", "maximum"} <= option.keys():
                found.append(f"{bound(option['minimum'])} to {bound(option['maximum'])}")
                bounds = [key for key in bounds if "imum" not in key]
            found += [WORDS["bounds"][key].format(bound(option[key])) for key in bounds]
        if not is_required:
            default = schema.get("default")
            found.append("optional" if default in (None, "", []) else f"default {text(default)}")
        return list(dict.fromkeys(found))

    def kind(self, option: dict, is_member: bool) -> str:
        """Name a type, and the members of a nested model, but not the members of a member."""
        if "const" in option:
            return json.dumps(option["const"], ensure_ascii=False)
        form = option.get("format")
        kind = form if form in WORDS["types"] else option.get("type", "JSON")
        kind = option.get("contentEncoding", kind)
        members = {} if is_member else option.get("properties", {})
        told = ", ".join(self.member(option, name) for name in members)
        return WORDS["types"].get(kind, kind) + (f" with {told}" if told else "")

    def member(self, model: dict, name: str) -> str:
        """Say what a member of a nested model takes, and its description."""
        schema, is_required = model["properties"][name], name in model.get("required", [])
        about = self.said(schema, "description")
        facts = ", ".join(self.taken(schema, is_required, is_member=True))
        return f"{name} ({facts}{about and f': {about}'})"
