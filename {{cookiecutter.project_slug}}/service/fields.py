"""A field of `Input`, made once from its JSON schema: how its values are read and written as text.

Links, forms, tables, the page, the description and the error messages all ask it.
"""

import json
import re
from collections.abc import Callable
from functools import cached_property
from itertools import chain

from pydantic_core import from_json

from service.schema import Schemas, listed, members, others
from service.words import ROOM, WORDS, is_plain, is_whole, plain, text, whole

KINDS = WORDS["kinds"]
LITERALS = ("integer", "number", "boolean")  # which JSON writes without quotes
TYPES = {bool: "boolean", int: "integer", float: "number", str: "member", type(None): "null"}
SIMPLE = {"string", "null", *KINDS}  # kinds whose values are neither a list nor an object
BLANK = {"", "NA", "NaN", "nan"}  # cells for a missing value, as spreadsheets, R and pandas write
LIST, ITEMS = r"^\s*\[", r'^\s*\[\s*["\]]'  # how the JSON of a list begins, and of texts alone
SUCH = {"object": ', such as {"name": 1}', "array": ", such as [1, 2]"}  # by the type of JSON
NEVER = "(?!)"  # a pattern that no text matches
LONGEST = 200  # characters of an example in an error
LONG = f"A text of more than {ROOM} characters is not read: send JSON in the body"
UNSHOWN = re.compile(r"[^\t\n -~\x80-\U0010ffff]")  # characters that a control of HTML changes


class Scalar:
    """How one text says a value that is neither a list nor an object."""

    def __init__(self, options: list[dict]) -> None:
        self.kinds = set(chain.from_iterable(map(kinds, options)))
        self.members = {*chain.from_iterable(map(values, options))}
        self.takes_text = "string" in self.kinds  # any text, which then is taken exactly
        is_typed = self.takes_text or "decimal" in self.kinds  # whose digits stay as they are
        looks = [KINDS[kind]["looks"] for kind in LITERALS if kind in self.kinds and not is_typed]
        self.literal = "|".join(looks)
        self.is_literal = re.compile(self.literal or NEVER).fullmatch
        # A text that is such JSON already, and can be nothing else
        is_number = self.literal and not self.members and self.kinds & {"integer", "number"}
        is_json = is_plain if "number" in self.kinds else is_whole
        self.is_number = is_json if is_number else re.compile(NEVER).fullmatch
        self.is_open = bool(self.kinds & {"string", *KINDS} - {*LITERALS})

    def takes(self, text: str) -> bool:
        """Whether a text says such a value, as far as a glance can tell."""
        return self.is_open or text in self.members or bool(self.is_literal(text.strip()))

    def json(self, text: str) -> str:
        """Write a text as JSON: as the number or truth that it is, else as a string."""
        text = text if self.takes_text else text.strip()
        is_bare = text not in self.members and self.is_literal(text)
        return plain(text) if is_bare else json.dumps(text)


def sample(schema: dict, kind: str) -> str:
    """A sample of a value that is written as JSON: the author's own, if there is a short one."""
    own = [schema.get("default"), *schema.get("examples", [])]
    own = [json.dumps(one, ensure_ascii=False) for one in own if one and type(one) in (dict, list)]
    short = [f", such as {one}" for one in own if len(one) <= LONGEST]
    return [*short, SUCH.get(kind, ", a text in quotes")][0]


class Field:
    """A field by the name that callers use."""

    def __init__(self, schemas: Schemas, name: str, schema: dict, is_required: bool) -> None:
        self.name, self.schema, self.is_required = name, schema, is_required
        options, items = schemas.alternatives(schema), schemas.items(schema)
        self.schemas, self.records = schemas, (items or options) if len(options) == 1 else []
        simple = [option for option in options if "JSON" not in kinds(option)]
        self.is_list = bool(items) and not any("JSON" in kinds(item) for item in items)
        self.is_nested = len(simple) + self.is_list < len(options)  # other values are JSON
        types = [option.get("type") for option in options if option not in simple]
        self.such = sample(schema, (types or [""])[0])
        # One value, and each item of a list
        self.one, self.many = Scalar(simple), Scalar(items if self.is_list else [])
        self.kinds = self.one.kinds | self.many.kinds
        nullable = [schemas.takes_null(option["items"]) for option in options if "items" in option]
        is_mixed = self.many.kinds & {*LITERALS, "decimal"} or any(nullable)
        self.begins = ITEMS if self.many.takes_text and not is_mixed else LIST
        has_default = not is_required and "default" in schema
        self.default = json.dumps(schema["default"]) if has_default else ""
        self.options = items or options  # of each item, if it is a list
        texts = [one for one in (*options, *items) if kinds(one) == {"string"}]
        self.is_file = bool(texts) and all("contentEncoding" in one for one in texts)
        self.takes_text = self.one.takes_text or self.many.takes_text
        self.blank = BLANK - self.one.members
        self.literal = "" if self.takes_text else self.one.literal or self.many.literal
        self.description = schemas.said(schema, "description")
        self.unit = schemas.said(schema, "unit")
        self.facts = schemas.taken(schema, is_required)
        known = [values(option) for option in options]
        found = list(chain.from_iterable(known)) if all(known) else []
        self.choices = found if all(map(self.texts, found)) else []

    @cached_property
    def members(self) -> dict[str, "Field"]:
        """The fields of the one kind of record that it takes, or takes a list of; else none."""
        record = self.records[0] if len(self.records) == 1 else {}
        return {} if record.get("additionalProperties") else fields_of(self.schemas, record)

    @property
    def others(self) -> dict[str, str]:
        """The other names of the members of that record, each with the first name."""
        return others(*self.records) if len(self.records) == 1 else {}

    @property
    def start(self) -> dict:
        """The value that a form starts from, by the name: the default, or else an example."""
        found = [self.schema["default"]] if self.default not in ("", "null") else []
        found += self.schema.get("examples", [])[: self.is_required]
        return {self.name: found[0]} if found else {}

    def requirement(self) -> str:
        """Say in a line what the field takes."""
        first, *rest = self.facts + ["required"] * self.is_required
        null = self.schemas.or_null(self.schema, self.is_required)
        return f"{', '.join([first + null, *rest])}: {self.description or 'no description'}"

    def read(self, texts: list[str], is_cell: bool = False) -> tuple[str, str]:
        """Give the JSON that texts stand for, or the reason why they stand for no value.

        In a cell, a list of texts is JSON: a text with commas may be one item or several.
        """
        first, is_one = texts[0], len(texts) == 1
        is_long = sum(map(len, texts)) > ROOM  # and reading it would let others wait
        if is_one and (self.takes_text or not is_long) and self.one.takes(first):
            return self.one.json(first), ""
        # The JSON of an object or a list, and not of an item of the list
        is_json = is_one and (self.is_nested or re.match(self.begins, first))
        if is_long and (is_json or not self.takes_text):
            return "", LONG
        fault = no_json(first) if is_json else "no JSON"
        if not fault:
            return first, ""
        if self.is_list:
            return self.items(texts, is_cell, fault)
        once = "Give it once, as JSON" if self.is_nested else "Give it once"
        such = "" if first.strip()[:1] in ("{", "[") else self.such
        reason = f"Write JSON{such}: {fault}" if self.is_nested else ""
        return self.one.json(first), reason if is_one else once

    def items(self, texts: list[str], is_cell: bool, fault: str) -> tuple[str, str]:
        """Give the JSON of a list of items, or the reason why a text is no JSON list."""
        first, takes_text = texts[0], self.many.takes_text
        if takes_text and is_cell:
            return "", 'Write a list as JSON, such as ["a", "b"]'
        is_item = takes_text or first in self.many.members
        if len(texts) == 1 and re.match(LIST, first) and not is_item:
            return "", f"Write a list as JSON: {fault}"
        return "[" + ", ".join(map(self.many.json, texts)) + "]", ""

    def expected(self, texts: list[str]) -> str:
        """Say what to write in the place of texts that are no value of the field."""
        kind = KINDS.get("".join(self.kinds))  # if it is the only one
        if not kind or any(map(listed, self.options)):
            return ""  # or the reason names the values
        looks = re.compile(kind["looks"]).fullmatch
        if all(looks(one.strip()) for one in texts):
            return ""
        typed = texts[0].strip()
        if self.kinds <= {"integer", "number"} and re.fullmatch("[+-]?[0-9]+", typed):
            return "write at most 4300 digits"
        comma = kind.get("comma", "") if re.search("[0-9],[0-9]", typed) else ""
        right = f"write {kind['means']}{comma}"
        return self.several(typed, looks, right, comma) if self.is_list else right

    def several(self, typed: str, looks: Callable, right: str, comma: str) -> str:
        """Say what to write in the place of a text that may hold several items."""
        found = list(filter(looks, re.split(r"[,;\s]+", typed)))
        if typed[:1] != "[" and len(found) < 2:
            return right
        way = f"write one item a line, {self.name}= before each in a link, or a JSON list"
        # In 1,5 2,5 the commas may be decimal ones.
        is_one = all(re.fullmatch("[^[,]*,[^,]*", one) for one in re.split(r"[;\s]+", typed))
        return f"{right}; or {way}" if comma and is_one else way

    def is_blank(self, cell: str) -> bool:
        """Whether a cell of a table gives no value."""
        return not cell or (not self.takes_text and cell.strip() in self.blank)

    def texts(self, value: object, once: bool = False) -> list[str] | None:
        """Write a value as texts, or as one, that are read as the same value; None if none are.

        No text at all stands for the default.
        """
        is_default = json.dumps(value) == self.default
        if is_default and value in (None, "", []):
            return []
        items = value if self.is_list and isinstance(value, list) else [value]
        for texts in (list(map(text, items)), [json.dumps(value, ensure_ascii=False)]):
            if texts and not (once and len(texts) > 1) and self.is_same(texts, value, once):
                return texts
        return [] if is_default else None

    def is_same(self, texts: list[str], value: object, is_cell: bool = False) -> bool:
        """Whether texts are read as a value; a decimal may be a number or a text."""
        text, fault = self.read(texts, is_cell)
        if fault:
            return False
        found = json.loads(text, parse_int=whole)
        if self.kinds == {"decimal"} and not self.is_nested:
            found, value = digits(found), digits(value)
        return json.dumps(found) == json.dumps(value)

    def shown(self, value: object) -> str | None:
        """Write a value as the control on the page holds it; None if the control would change it.

        The control is left empty for the default; an empty line of a list is no item.
        """
        if self.is_nested and not self.one.takes(text(value)):
            line, lines = (json.dumps(value, ensure_ascii=False, indent=step) for step in (None, 2))
            return lines if len(lines) < 10 * len(line) else line  # deep JSON would grow too long
        texts = self.texts(value)
        typed = "\n".join(texts or [])
        lines = typed.split("\n") if self.is_list else [typed]
        is_same = texts is not None and list(filter(None, lines)) == texts
        return typed if is_same and not UNSHOWN.search(typed) else None


def no_json(text: str) -> str:
    """Say why a text is no JSON, as the reader of bodies has it; nothing if it is."""
    try:
        from_json(text, cache_strings="none")
    except ValueError as error:
        return str(error)
    return ""


def digits(value: object) -> object:
    """A decimal, or each in a list, by its digits."""
    return list(map(digits, value)) if isinstance(value, list) else value and text(value)


def kinds(option: dict) -> set[str]:
    """Give the kinds of the values of a schema; a text that it lists is a member."""
    if known := values(option):
        return {TYPES.get(type(value), "JSON") for value in known}
    form = option.get("format", "").removesuffix("-local")
    found = form if form in KINDS else option.get("type")
    return {found if found in SIMPLE else "JSON"}


def values(option: dict) -> list:
    """Give the values that a schema lists, none if it does not list them."""
    return [True, False] if option.get("type") == "boolean" else listed(option)


def fields_of(schemas: Schemas, schema: dict) -> dict[str, Field]:
    """Give the fields of `Input`, by name."""
    found = schemas.alternatives(schema)[0]  # a model in itself is but a reference
    return {name: Field(schemas, name, *told) for name, told in members(found).items()}
