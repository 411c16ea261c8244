"""A field of each kind says what it takes, reads texts, and writes its value as people type it."""

from html.parser import HTMLParser

import pytest
from flask import get_template_attribute

from service.about.openapi import parameter
from service.application import commands
from service.fields import Field
from service.served import ServedModel
from service.settings import settings
from service.words import bound

MASS = {"type": "number", "unit": "kg", "description": "The mass"}
MM, SHADE = {"type": "number"}, {"type": "number", "minimum": 0, "maximum": 255}
SHARE = SHADE | {"maximum": 1}
ELEMENT, TWO = {"description": "element"}, {"minItems": 2, "maxItems": 2}
BOB = {"$ref": "#/$defs/Bob"}
DEFINITIONS = {
    "Bob": {
        "type": "object",
        "description": "A weight on a thread",
        "properties": {
            "mass": MASS | {"minimum": 0, "maximum": 1e6},
            "speeds": {"type": "array", "items": {"type": "number", "unit": "m/s"}, "default": []},
            "kind": {"type": "string", "const": "bob"},
            "picture": {"type": "string", "contentEncoding": "base64", "pattern": "^[A-Z]+$"},
            "shadow": BOB,
        },
        "required": ["mass", "kind", "picture", "shadow"],
    },
    "Site": {
        "type": "object",
        "properties": {"depth": {"type": "number", "unit": "m"}},
        "required": ["depth"],
    },
    "Tree": {"anyOf": [{"type": "number"}, {"type": "array", "items": {"$ref": "#/$defs/Tree"}}]},
}
FIELDS = {
    "line": {"type": "string"},
    "long": {"type": "string", "maxLength": 2000},
    "whole": {"type": "integer", "minimum": 0, "maximum": 10**30},
    "number": {"type": "number", "exclusiveMinimum": 0.5, "unit": "m"},
    "maybe": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
    "switch": {"type": "boolean", "default": False},
    "choice": {"enum": ["a", "b"], "type": "string"},
    "only": {"const": 1, "type": "integer"},
    "list": {"type": "array", "items": {"type": "number"}, "minItems": 2},
    "words": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
    "table": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
    "nested": {"type": "object"},
    "mixed": {"enum": ["a", 1]},
    "anything": {},
    "made": {"type": "string"},  # by a default_factory, of which a schema says nothing
    "either": {"anyOf": [{"type": "number"}, {"type": "string"}]},
    "moment": {"type": "string", "format": "date-time"},
    "clock": {"type": "string", "format": "time"},
    "span": {"type": "string", "format": "duration"},
    "money": {
        "anyOf": [
            {"type": "number", "format": "decimal", "minimum": 0, "maximum": 5},
            {"type": "string", "format": "decimal", "pattern": "^[0-9.]+$"},
        ]
    },
    "spread": {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}]},
    "tags": {"type": "array", "items": {"type": "string"}, "default": []},
    "lost": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": 0.3},
    "auto": {"enum": [1, 2, "auto", "3"]},
    # As pydantic writes Annotated[float, Field(...)] | None, and a list of such
    "gauge": {"anyOf": [MASS | {"exclusiveMinimum": 0}, {"type": "null"}], "default": None},
    "masses": {"type": "array", "items": MASS},
    "lengths": {"type": "array", "items": MASS, "unit": "m", "description": "Each length"},
    "bob": {"anyOf": [BOB | {"description": "The bob"}, {"type": "null"}], "default": None},
    "bobs": {"type": "array", "items": BOB, "minItems": 1},
    "tree": {"$ref": "#/$defs/Tree"},
    # As a scientist would say it
    "gap": MM | {"minimum": 150, "maximum": 250, "examples": [200, 210], "unit": "mm"},
    "colours": {"type": "array", "items": SHADE, "minItems": 3, "maxItems": 3, "unit": "nm"},
    "shares": {"type": "object", "additionalProperties": SHARE, "propertyNames": ELEMENT},
    "years": {
        "type": "object",
        "additionalProperties": SHARE,
        "propertyNames": {"pattern": "^[0-9]$"},
    },
    "sites": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Site"}},
    "pair": {"type": "array", "prefixItems": [MM, {"type": "string"}], "default": []} | TWO,
    "level": {"type": "integer", "enum": [1, 2, 3], "x-enum-varnames": ["LOW", "HIGH", "TOP"]},
    "word": {"type": "string", "minLength": 2, "maxLength": 5},
}
MEMBERS = (
    "mass (0 to 10^6 kg: The mass), speeds (list of numbers in m/s, optional), "
    'kind ("bob"), picture (file), shadow (JSON: A weight on a thread)'
)
REQUIRED = [name for name, field in FIELDS.items() if name != "made" and "default" not in field]


class Told:
    """A pool that says of a model what a model process does."""

    def facts(self) -> dict:
        takes = {"type": "object", "properties": FIELDS, "required": REQUIRED}
        gives = {"type": "object", "properties": {"answer": {"type": "number"}}}
        named = DEFINITIONS | {"Input": takes, "Output": gives}
        said = {"about": "", "draws": False, "load_seconds": 0, "size": 0, "processes": 1}
        references = {"input": {"$ref": "#/$defs/Input"}, "output": {"$ref": "#/$defs/Output"}}
        return said | references | {"named": named}


MODEL = ServedModel(Told(), settings())


def field(name: str) -> Field:
    """A field of an `Input` that has one of every kind."""
    return MODEL.fields[name]


class Control(HTMLParser):
    """The control that the page draws for a field."""

    def __init__(self, name: str, *value: object) -> None:
        super().__init__()
        self.place, self.said, self.choices, self.facts = "", "", [], []
        with commands().app_context():
            control = get_template_attribute("field.html", "control")
            self.feed(control(field(name), *value, id="it"))

    def handle_starttag(self, tag: str, attributes: list) -> None:
        found = dict(attributes)
        self.place = found.get("class") or tag
        if found.get("id") == "it":
            self.kind, self.is_required = found["data-kind"], "required" in found
            self.value = found.get("value", "")
        if tag == "option" and found["value"]:
            self.choices.append(found["value"])
            self.value = found["value"] if "selected" in found else self.value

    def handle_endtag(self, tag: str) -> None:
        self.place = ""

    def handle_data(self, data: str) -> None:
        if self.place == "span":
            self.facts.append(data)
        elif self.place == "p":
            self.said += data
        elif self.place == "textarea":
            self.value += data.removeprefix("\n")


def test_each_field_gets_the_control_that_suits_it():
    scalars, others = "line long line line line", "list list json json choice json line line line"
    kinds = f"{scalars} choice choice choice {others} line line line list list line choice "
    kinds += "line list list json json json line list json json json json choice line"
    assert [Control(name).kind for name in FIELDS] == kinds.split()


@pytest.mark.parametrize("text", ["two\nlines", 61 * "x"])
def test_a_long_text_has_room(text):
    assert Control("line", text).kind == "long"


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("switch", ["true", "false"]),
        ("choice", ["a", "b"]),
        ("only", ["1"]),
        ("mixed", ["a", "1"]),
    ],
)
def test_choices_are_said_as_they_are_sent(name, choices):
    assert Control(name).choices == choices


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("bob", ["mass", "speeds", "kind", "picture", "shadow"]),
        ("bobs", ["mass", "speeds", "kind", "picture", "shadow"]),
        ("nested", []),
        ("tree", []),
        ("table", []),
        ("line", []),
    ],
)
def test_a_record_has_fields_of_its_own(name, members):
    assert list(field(name).members) == members


@pytest.mark.parametrize(
    ("schema", "is_required", "start"),
    [
        ({"type": "integer", "default": 0, "examples": [1]}, False, {"x": 0}),
        ({"type": "array", "items": {}, "default": []}, False, {"x": []}),
        ({"type": "integer", "examples": [1, 2]}, True, {"x": 1}),
        ({"type": "integer", "examples": [1], "default": None}, False, {}),
        ({"type": "integer"}, True, {}),
    ],
)
def test_a_form_starts_from_the_default_or_an_example_of_what_is_required(
    schema, is_required, start
):
    assert Field(MODEL.schemas, "x", schema, is_required).start == start


def test_only_what_input_asks_for_is_required():
    assert [name for name in FIELDS if Control(name).is_required] == REQUIRED


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("whole", ["integer, 0 to 10^30"]),
        ("number", ["number > 0.5"]),
        ("maybe", ["number", "optional"]),
        ("made", ["text", "optional"]),
        ("switch", ["default false"]),
        ("choice", []),
        ("list", ["list of 2 or more numbers", "one per line"]),
        ("money", ["0 to 5"]),
        ("words", ['list of "a" or "b"', "one per line"]),
        ("gauge", ["number > 0", "optional"]),
        ("masses", ["list of numbers in kg", "one per line"]),
        ("lengths", ["list of numbers in m", "one per line"]),
        ("table", ["list of lists of numbers"]),
        ("bob", [f"JSON with {MEMBERS}", "optional"]),
        ("bobs", [f"list of 1 or more records with {MEMBERS}"]),
        ("tree", ["number or list of numbers or lists of numbers or lists of numbers or JSON"]),
        ("gap", ["150 to 250", "such as 200"]),
        ("colours", ["list of 3 numbers, 0 to 255 nm", "one per line"]),
        ("shares", ["numbers by name (element), 0 to 1"]),
        ("years", ["numbers by name (matches ^[0-9]$), 0 to 1"]),
        ("sites", ["records by name with depth (number in m)"]),
        ("pair", ["list of 2 numbers and texts", "optional"]),
        ("word", ["text, 2 to 5 characters"]),
    ],
)
def test_types_units_and_bounds_are_said(name, facts):
    assert Control(name).facts == facts


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1e6, "10^6"),
        (-1e6, "-10^6"),
        (1e22, "10^22"),
        (2.1e20, "2.1e+20"),
        (40.0, "40"),
        (0.1, "0.1"),
        (100000, "100000"),
        ("v1.0", "v1.0"),
    ],
)
def test_a_bound_is_read_and_not_counted(value, written):
    assert bound(value) == written


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gauge", "The mass"),
        ("masses", "The mass"),
        ("lengths", "Each length"),
        ("bob", "The bob"),
        ("bobs", "A weight on a thread"),
        ("line", ""),
    ],
)
def test_a_description_is_found_where_the_field_has_it(name, said):
    assert Control(name).said == said
    assert field(name).requirement().endswith(f": {said or 'no description'}")
    assert parameter(MODEL, name, field(name))["description"] == said


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("number", "number > 0.5 m, required: no description"),
        ("choice", '"a" or "b", required: no description'),
        ("level", "1 (LOW), 2 (HIGH) or 3 (TOP), required: no description"),
        ("switch", "true or false, default false: no description"),
        ("lost", "number or null, default 0.3: no description"),
        ("gauge", "number > 0 kg, optional: The mass"),
        ("bob", f"JSON with {MEMBERS}, optional: The bob"),
    ],
)
def test_a_refusal_says_as_much_of_what_is_required(name, line):
    assert field(name).requirement() == line


NUMBER = "write a number such as 1.5"
POINT = f"{NUMBER}, with a decimal point and not a comma"
ITEMS = "write one item a line, list= before each in a link, or a JSON list"
MOMENT = "write a date and time such as 2024-02-29T08:30:00Z, and in a link %2B for the + of a zone"


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("number", "1,5", POINT),
        ("maybe", "-0,5", POINT),
        ("number", "1,234.5", POINT),
        ("number", "NaN", NUMBER),
        ("number", "#N/A", NUMBER),
        ("number", "-", NUMBER),
        ("number", "1;2;3", NUMBER),
        ("number", " +.5e-3 ", ""),
        ("list", "1,-2.5,3", ITEMS),
        ("list", "1, 2, NA", ITEMS),
        ("list", "1;2;3;4", ITEMS),
        ("list", "1 2 3 4", ITEMS),
        ("list", "[1,2,x", ITEMS),
        ("list", "1,5", f"{POINT}; or {ITEMS}"),
        ("list", "1,5;2,5", f"{POINT}; or {ITEMS}"),
        ("list", "NA", NUMBER),
        ("list", "5 kg, large", NUMBER),
        ("list", "two", NUMBER),
        ("whole", "two", "write an integer such as 12"),
        ("whole", "1" * 4301, "write at most 4300 digits"),
        ("switch", "yes", "write true or false"),
        ("moment", "2024-02-29T12:00:00 01:00", MOMENT),
        ("moment", "2024-02-29 12:00", ""),
        ("clock", "8:30", "write a time such as 08:30"),
        ("span", "8.5 h", "write a duration such as PT8H30M"),
        ("either", "1,5", ""),
        ("line", "1,5", ""),
        ("words", "1,5", ""),
        ("line", "2024-02-29T12:00:00 01:00", ""),
    ],
)
def test_a_text_that_can_be_no_value_has_a_hint_of_what_to_write(name, text, hint):
    assert field(name).expected([text]) == hint


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("whole", 10**150, "1" + 150 * "0"),
        ("line", ' "as it is" ', ' "as it is" '),
        ("switch", False, "false"),
        ("list", [1, 2.5], "1\n2.5"),
        ("maybe", None, ""),
        ("lost", None, "null"),
        ("tags", [], ""),
        ("tags", [""], '[""]'),
        ("line", "a\rb", '"a\\rb"'),
        ("nested", {"é": [1]}, '{\n  "é": [\n    1\n  ]\n}'),
    ],
)
def test_a_value_is_shown_as_it_would_be_typed(name, value, text):
    assert Control(name, value).value == text


@pytest.mark.parametrize(
    ("name", "texts", "written"),
    [
        ("line", ["1"], '"1"'),
        ("line", [' "é" '], '" \\"\\u00e9\\" "'),
        ("whole", ["007"], "7"),
        ("whole", ["-0"], "-0"),
        ("whole", ["1.5"], "1.5"),
        ("whole", [" 8.0 "], "8.0"),
        ("whole", ["+5"], "5"),
        ("whole", ["1" * 4300], "1" * 4300),
        ("whole", ["1" * 4301], f'"{"1" * 4301}"'),
        ("number", ["0.10000000000000000001"], "0.10000000000000000001"),
        ("number", ["1e5"], "1e5"),
        ("number", [".5"], "0.5"),
        ("number", ["-00.50"], "-0.50"),
        ("number", ["+5.E3"], "5e3"),
        ("number", ["NaN"], '"NaN"'),
        ("switch", ["true"], "true"),
        ("switch", ["TRUE"], "true"),
        ("switch", ["False "], "false"),
        ("either", ["007"], '"007"'),
        ("auto", ["1"], "1"),
        ("auto", ["auto"], '"auto"'),
        ("auto", ["3"], '"3"'),
        ("money", ["1.10"], '"1.10"'),
        ("spread", ["5.0"], "5.0"),
        ("spread", ["5", "6"], "[5, 6]"),
        ("spread", ["[5]"], "[5]"),
        ("list", ["5"], "[5]"),
        ("list", ["[]"], "[]"),
        ("tags", ["[1]"], '["[1]"]'),
        ("tags", ['["1"]'], '["1"]'),
        ("tree", ["1"], "1"),
        ("choice", ["a"], '"a"'),
        ("only", ["1"], "1"),
        ("list", ["1", "2.5"], "[1, 2.5]"),
        ("words", ["a", "1"], '["a", "1"]'),
        ("table", ["[[1]]"], "[[1]]"),
    ],
)
def test_a_text_is_written_as_the_json_that_it_stands_for(name, texts, written):
    assert field(name).read(texts) == (written, "")


def test_a_text_that_is_given_twice_is_a_list_or_a_mistake():
    assert field("list").read(["1", "2"])[1] == ""
    assert field("number").read(["1", "2"])[1] == "Give it once"


def test_what_is_nested_is_written_as_json():
    assert field("nested").read(['{"a": 1}']) == ('{"a": 1}', "")
    assert field("nested").read(["{a: 1}"])[1].startswith("Write JSON: ")
    assert field("nested").read(["a"])[1].startswith('Write JSON, such as {"name": 1}: ')
    assert field("table").read(["(1)"])[1].startswith("Write JSON, such as [1, 2]: ")
    assert field("anything").read(["a"])[1].startswith("Write JSON, a text in quotes: ")


@pytest.mark.parametrize(
    ("name", "value", "texts"),
    [
        ("maybe", None, []),
        ("lost", None, None),
        ("lost", 0.3, ["0.3"]),
        ("made", None, None),
        ("list", [1, 2.5], ["1", "2.5"]),
        ("list", [1, None], ["[1, null]"]),
        ("tags", [], []),
        ("tags", ['["a"]'], ['["[\\"a\\"]"]']),
        ("spread", [5], ["[5]"]),
        ("spread", 5, ["5"]),
        ("either", 7, None),
        ("either", "7", ["7"]),
        ("auto", 3, None),
        ("auto", "3", ["3"]),
        ("money", 1.1, ["1.1"]),
        ("money", "1.10", ["1.10"]),
        ("switch", 0, None),
        ("nested", {"é": [1]}, ['{"é": [1]}']),
    ],
)
def test_a_value_is_said_in_text_only_if_it_is_read_as_the_same(name, value, texts):
    assert field(name).texts(value) == texts


def test_a_list_in_one_cell_is_json():
    assert field("list").texts([1, 2.5], once=True) == ["[1, 2.5]"]
    assert field("list").texts([1], once=True) == ["1"]
    assert field("tags").texts(["a"], once=True) == ['["a"]']
    assert field("tags").read(["a,b"], is_cell=True)[1].startswith("Write a list as JSON")


@pytest.mark.parametrize(
    ("name", "blank"),
    [("number", True), ("list", True), ("money", True), ("line", False), ("either", False)],
)
def test_na_is_no_value_where_text_is_not_taken(name, blank):
    assert [field(name).is_blank(cell) for cell in ("", "NA", " NaN")] == [True, blank, blank]


def test_a_model_of_nested_fields_has_a_link_and_a_table():
    assert MODEL.is_linkable and MODEL.takes_tables and not MODEL.takes_files
