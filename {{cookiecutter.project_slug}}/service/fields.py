"""A field of `Input`, made once from its JSON schema: how its values are read and written as text.

Links, forms, tables, the page, the description and the error messages all ask it.
"""

import json
import re
from itertools import chain

from service.schema import Schemas
from service.words import WORDS, text, whole

LITERALS = WORDS["literals"]
SCALARS = {"string", *LITERALS}
NEVER = "(?!)"  # a pattern that no text matches


class Field:
    """A field by the name that callers use."""

    def __init__(self, schemas: Schemas, name: str, schema: dict, is_required: bool) -> None:
        self.name, self.schema, self.is_required = name, schema, is_required
        self.prefix = f"{json.dumps(name)}: "  # of the field as a member of a JSON object
        self.options = schemas.values(schema)  # of each item, if it is a list
        self.is_file = any("contentEncoding" in option for option in self.options)
        simple = (option.get("type") in SCALARS or "const" in option for option in self.options)
        self.is_nested = not all(simple)  # more than a scalar, a choice or a file
        self.is_list = bool(schemas.items(schema))
        self.repeats = self.is_list and not self.is_nested
        self.is_linkable = not (self.is_file or self.is_nested)
        self.choices = choices(schemas.alternatives(schema))
        self.description = schemas.said(schema, "description")
        # Texts that match go into JSON as they are typed, so that no digit is lost.
        types = [option.get("type") for option in self.options]
        self.literal = "|".join(LITERALS[kind] for kind in types if kind in LITERALS)
        self.is_literal = re.compile(self.literal or NEVER).fullmatch
        pattern, self.hint = self.mistake()
        self.is_mistake = re.compile(pattern).fullmatch
        self.facts = schemas.taken(schema, is_required)
        if self.is_file:
            self.facts[0] = "one or more files" if self.repeats else "file"

    def requirement(self) -> str:
        """Say in a line what the field takes."""
        facts = self.facts + ["required"] * self.is_required
        return f"{', '.join(facts)}: {self.description or 'no description'}"

    def json(self, texts: list[str]) -> str:
        """Write the texts of the field as JSON: numbers and truths where it takes them."""
        if self.is_nested:
            return texts[0]  # which is JSON already
        if self.is_list:
            return "[" + ", ".join(map(self.scalar, texts)) + "]"
        return self.scalar(texts[0])

    def scalar(self, text: str) -> str:
        """Write one text as JSON: a number or truth if the field takes it, else a string."""
        if not self.is_literal(text):
            return json.dumps(text)
        # JSON knows no leading zeros
        return re.sub(r"^(-?)0+(?=[0-9])", r"\1", text) if text[0] in "-0" else text

    def misread(self, texts: list[str]) -> str:
        """Say what to write in the place of texts that look like another way to write a value."""
        if len(texts) > 1 and not self.repeats:
            return "Give it once"
        if self.is_nested:
            try:
                json.loads(texts[0], parse_int=whole)
            except (ValueError, RecursionError) as error:
                return f"Write JSON: {error}"
        return self.hint if any(map(self.is_mistake, texts)) else ""

    def mistake(self) -> tuple[str, str]:
        """Give the pattern of texts that mean another value, and what to write in their place."""
        kinds = {option.get("format", option.get("type")) for option in self.options}
        if kinds == {"date-time"}:
            return r"[0-9T:.-]+ [0-9]{2}:[0-9]{2}", "Write %2B for the + of the zone in a link"
        if self.repeats and "string" not in kinds:
            hint = f"Write {self.name}= before each item, and a decimal point"
            return r"-?[0-9.]+(,-?[0-9.]+)+", hint
        if "number" in kinds and "string" not in kinds:
            return r"-?[0-9]+,[0-9]+", "Write a decimal point, not a comma"
        return NEVER, ""

    def texts(self, value: object, indent: int | None = None) -> list[str]:
        """Write a value as a person types it, or as a query has it: one text for each item."""
        if value is None or self.is_file:  # a page cannot choose a file for its reader
            return []
        if self.is_nested:
            return [json.dumps(value, ensure_ascii=False, indent=indent)]
        return [text(item) for item in (value if isinstance(value, list) else [value])]


def choices(options: list[dict]) -> list:
    """Give the values that a field chooses from, none if it takes other values too."""
    found = [values(option) for option in options if option.get("type") != "null"]
    return list(chain.from_iterable(found)) if all(found) else []


def values(option: dict) -> list:
    """Give the values that a schema lists, none if it does not list them."""
    if option.get("type") == "boolean":
        return [True, False]
    return option.get("enum", [option["const"]] if "const" in option else [])


def fields_of(schemas: Schemas, schema: dict) -> dict[str, Field]:
    """Give the fields of `Input`, by name."""
    found = schemas.alternatives(schema)[0]  # a model in itself is but a reference
    required = found.get("required", [])
    members = found.get("properties", {}).items()
    return {name: Field(schemas, name, part, name in required) for name, part in members}
