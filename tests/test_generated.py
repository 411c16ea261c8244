"""Models that nobody wrote: whatever pydantic allows in `Input`, the service says the same of it.

Hypothesis puts models together from a grammar, and values for them. Each is asked through the
application's own client, in this process, so that a model takes milliseconds.
"""

import csv
import importlib
import io
import json
import re
import sys
import time
import types
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from importlib.util import find_spec
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import Request, urlopen

import jsonschema
import pytest
from conftest import missing, swapped
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter, ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.test import EnvironBuilder

HEAD = """
import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator, AliasChoices, AliasPath, AwareDatetime, BaseModel, Field, NaiveDatetime,
    Base64Bytes, BeforeValidator, Json, PlainSerializer, PlainValidator, RootModel, WrapSerializer,
    WrapValidator, computed_field, field_serializer, field_validator, model_serializer,
    model_validator,
)
from typing_extensions import Required, TypeAliasType, TypedDict

T = TypeVar("T")
Mass = TypeAliasType("Mass", Annotated[float, Field(gt=0, le=1e6)])
Day = TypeAliasType("Day", date)
Days = TypeAliasType("Days", list[date])

class Colour(Enum):
    RED = "red"
    BLUE = "dark blue"

class Level(IntEnum):
    LOW = 1
    HIGH = 2

class Part(BaseModel):
    size: float
    label: str | None = None

class Box(BaseModel, Generic[T]):
    inside: T

class Either(BaseModel):
    number: int | float = 0

class Whole(BaseModel):
    number: int

class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int

class Dog(BaseModel):
    kind: Literal["dog"]
    name: str

Pet = Annotated[Cat | Dog, Field(discriminator="kind")]

def refused_if_unlucky(value):
    if value == 13:
        raise ValueError("13 is not taken here")
    return value

def type_of(value) -> str:
    return type(value).__name__

def unchanged(value, write):
    return write(value)

def listed(value, write) -> list[Any]:
    return [write(value)]

"""
TAIL = """
class Output(BaseModel):
    given: Input

def predict(inputs: Input) -> Output:
    return Output(given=inputs)
"""


JSON, FORM = "application/json", "multipart/form-data"
FORMATS = jsonschema.FormatChecker(["date", "uuid"])
ZONE = r"(Z|[+-][0-9]{2}:[0-9]{2})"  # which the formats of JSON Schema demand


@FORMATS.checks("date-time")
def is_moment(text: object) -> bool:
    """Whether a text is a date and time with a zone."""
    return not isinstance(text, str) or bool(re.fullmatch(rf"[-0-9]+T[0-9:.]+{ZONE}", text))


@FORMATS.checks("time")
def is_time(text: object) -> bool:
    """Whether a text is a time with a zone."""
    return not isinstance(text, str) or bool(re.fullmatch(rf"[0-9:.]+{ZONE}", text))


@dataclass(frozen=True)
class Kind:
    """A type as its source, JSON values of it, and defaults as sources."""

    source: str
    values: st.SearchStrategy
    defaults: tuple[str, ...] = ()


def kind(source: str, *values: object, defaults: str = "") -> Kind:
    """A kind of a few values."""
    return Kind(source, st.sampled_from(values), tuple(filter(None, defaults.split(";"))))


LETTERS = st.characters(exclude_categories=("Cs",))
TEXTS = st.text(LETTERS, max_size=8) | st.sampled_from(
    ["007", "1.0", "true", "NA", "NaN", "[1]", '["a"]', "null", "a,b", " a ", "\r\n", "+5", "{}"]
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6)
DIGITS = st.decimals(-(10**6), 10**6, allow_nan=False, allow_infinity=False, places=4).map(str)
MOMENTS = ("2024-02-29T12:00:00", "1999-12-31T23:59:59.250000")
SCALARS = [
    Kind("int", st.integers(), ("0", "-7")),
    Kind("float", NUMBERS, ("0.3", "1", "math.inf", "-math.inf", "math.nan")),
    Kind("str", TEXTS, ('""', '"NA"', '"1"')),
    Kind("bool", st.booleans(), ("True", "False")),
    Kind("Decimal", DIGITS | st.integers(-99, 99), ('Decimal("1.10")',)),
    kind("date", "2024-02-29", "0001-01-01", defaults="date(2024, 2, 29)"),
    kind("datetime", *MOMENTS, "2024-02-29T12:00:00Z", defaults="datetime(2024, 2, 29, 12)"),
    kind("AwareDatetime", "2024-02-29T12:00:00+05:30", "2024-02-29T12:00:00Z"),
    kind("NaiveDatetime", *MOMENTS),
    kind("time", "08:30:00", "23:59:59.5", "08:30:00Z", defaults="time(8, 30)"),
    kind("timedelta", "PT8H30M", "P1D", "-PT1S", defaults="timedelta(hours=8)"),
    kind("bytes", "YWI=", "AA=="),
    kind("UUID", "12345678-1234-5678-1234-567812345678", "00000000-0000-4000-8000-000000000000"),
    kind('Literal["a", "b c", "007"]', "a", "b c", "007", defaults='"a"'),
    kind("Literal[1, 2]", 1, 2, defaults="2"),
    kind('Literal[1, 2, "auto"]', 1, 2, "auto", defaults='"auto"'),
    kind('Literal[1, "1", "true"]', 1, "1", "true"),
    kind('Literal[True, "maybe"]', True, "maybe"),
    kind('Literal["NA", "one"]', "NA", "one"),
    kind("Colour", "red", "dark blue", defaults="Colour.RED"),
    kind("Level", 1, 2, defaults="Level.HIGH"),
    kind("Mass", 0.5, 3, 1e6, defaults="1.5"),
    kind("Annotated[int, Field(ge=0, lt=10)]", 0, 9, defaults="5"),
    kind("Annotated[float, Field(gt=0, le=math.inf)]", 0.5, 1e300),
    kind('Annotated[str, Field(pattern="^[a-z0-9]+$", max_length=5)]', "abc", "12", "0a"),
    kind("Annotated[Decimal, Field(max_digits=5, decimal_places=2, gt=0)]", "1.10", "0.01", 3),
    Kind(
        "Annotated[str, Field(min_length=1, max_length=3)]", st.text("ab1 ", min_size=1, max_size=3)
    ),
]
NESTED = [
    kind("Part", {"size": 1.5}, {"size": 2, "label": None}, {"size": 0.1, "label": "é"}),
    kind("Box[int]", {"inside": 1}),
    kind("Box[str]", {"inside": "1"}),
    kind("Pet", {"kind": "cat", "lives": 9}, {"kind": "dog", "name": "null"}),
    kind("Days", [], ["2024-02-29"], ["2024-02-29", "2024-03-01"], defaults="[]"),
    kind("Either", {"number": 8.0}, {"number": 8}, {}),
    kind("Whole | Either", {"number": 8.0}, {"number": 8}, {"number": 8.5}),
    kind("Json[list[float]]", "[1, 2.5]", "[]"),
    kind("Json", "1", '{"a": [null, "b"]}'),
    kind("Any", 1, "1", None, [1, "a"], {"a": None}, 1.5, True, defaults="None"),
]
NAMES = ["x", "Label of Run", "lambda", "größe", "a.b", "a=b&c", 'q"', "x[0]", "+", "self", "列"]

# The types of keys, with the names that stand for them in JSON
KEYS = {
    "str": TEXTS,
    "int": st.integers().map(str),
    "float": st.sampled_from(["0.5", "-3", "1e6"]),
    "str | int": TEXTS,
    "date": st.sampled_from(["2024-02-29", "0001-01-01"]),
    "Colour": st.sampled_from(["red", "dark blue"]),
    'Literal["1", "x"]': st.sampled_from(["1", "x"]),
    'Annotated[str, Field(pattern="^[a-z0-9]+$")]': st.sampled_from(["abc", "12"]),
    "Annotated[int, AfterValidator(abs)]": st.integers().map(str),
    "Annotated[int, Field(ge=0, lt=10)]": st.integers(0, 9).map(str),
    "Decimal": DIGITS,
    "Mass": st.sampled_from(["0.5", "3"]),
    "Annotated[int, Field(gt=-30, le=1999)]": st.integers(-29, 1999).map(str),
    "Annotated[Decimal, Field(ge=0.05, lt=100)]": st.sampled_from(["0.05", "1.10", "99.99"]),
    "Annotated[str, AfterValidator(str.lower)]": st.sampled_from(["a", "B"]),
    "bool": st.sampled_from(["true", "false"]),
    "int | None": st.integers().map(str),
    "date | int": st.sampled_from(["2024-02-29", "7"]),
    "datetime": st.sampled_from(MOMENTS),
}


def lists(inner: Kind) -> Kind:
    """Lists of a kind."""
    bounded = f"Annotated[list[{inner.source}], Field(max_length=3)]"
    values = st.lists(inner.values, max_size=3)
    return Kind(bounded, values, ("[]",))


SIMPLE = st.sampled_from(SCALARS)


def distinct(inner: Kind) -> Kind:
    """Sets of a kind, which JSON writes as lists."""
    values = st.lists(inner.values, max_size=3, unique_by=json.dumps)
    return Kind(f"set[{inner.source}]", values, ("set()",))


SERIALIZERS = ["PlainSerializer(type_of)", "PlainSerializer(repr)", "WrapSerializer(unchanged)"]
SERIALIZERS += ["WrapSerializer(listed)", "WrapSerializer(lambda value, write: [write(value)])"]


def composed(inner: st.SearchStrategy) -> st.SearchStrategy:
    """Kinds that are made of others."""
    return st.one_of(
        inner.map(lists),
        SIMPLE.map(distinct),
        inner.map(
            lambda one: Kind(f"tuple[{one.source}, ...]", st.lists(one.values, max_size=3), ("()",))
        ),
        st.tuples(st.sampled_from(list(KEYS)), inner).map(
            lambda two: Kind(
                f"dict[{two[0]}, {two[1].source}]",
                st.dictionaries(KEYS[two[0]], two[1].values, max_size=2),
            )
        ),
        inner.map(lambda one: Kind(f"RootModel[{one.source}]", one.values)),
        st.tuples(inner, st.sampled_from(SERIALIZERS)).map(
            lambda two: Kind(f"Annotated[{two[0].source}, {two[1]}]", two[0].values)
        ),
        inner.map(
            lambda one: Kind(
                f"{one.source} | None", one.values | st.none(), ("None", *one.defaults)
            )
        ),
        st.tuples(inner, inner).map(
            lambda two: Kind(
                f"tuple[{two[0].source}, {two[1].source}]",
                st.tuples(two[0].values, two[1].values).map(list),
            )
        ),
        st.tuples(inner, inner).map(
            lambda two: Kind(f"{two[0].source} | {two[1].source}", two[0].values | two[1].values)
        ),
        inner.map(
            lambda one: Kind(
                f"{one.source} | list[{one.source}]", one.values | st.lists(one.values, max_size=2)
            )
        ),
    )


KINDS = SIMPLE | st.recursive(SIMPLE | st.sampled_from(NESTED), composed, max_leaves=4)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
TYPED = TEXTS | st.sampled_from(["True", "FALSE", "1.0", ".5", "+5", " 7 ", "8:30", "1,5", "1e400"])


COMPUTED = """
    @computed_field
    def many(self) -> int:
        return len(type(self).model_fields)
"""


BEFORE = """
    @model_validator(mode="before")
    @classmethod
    def unchanged(cls, given: object) -> object:
        return given
"""


WRITTEN_BY = """
    @model_serializer(mode="wrap")
    def written(self, write):
        return write(self)
"""


@dataclass(frozen=True)
class Case:
    """A model as the source of its `Input`, with requests that it takes, others, and texts."""

    source: str
    requests: tuple[dict, ...] = ()
    others: tuple[dict, ...] = ()
    texts: tuple[dict, ...] = ()


def is_told_apart(found: Kind) -> bool:
    """Whether pydantic, asked directly, reads the same."""
    source = found.source.replace(" | None", "")
    # Digits are seconds for it, where the service takes them for what stands beside the date.
    others = any(one in source for one in ("Any", "Decimal", "str", "Json"))
    is_date = "date" in source.lower() and others
    # A text is its own bytes for it, where the service reads base64.
    is_choice = "|" in source and (is_date or "bytes" in source)
    return not (is_choice or ("bytes" in source and "repr" in source))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a model and what to ask it."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    lines, taken, required, several = [], {}, set(), {}
    head = draw(st.sampled_from(["", ", populate_by_name=True", ", extra='allow'"]))
    for place, name in enumerate(names):
        found = draw(KINDS.filter(is_told_apart))
        taken[name] = found.values
        default = draw(st.sampled_from(["", *found.defaults]))
        if not default:
            required.add(name)
        alias = draw(
            st.sampled_from(["alias={0!r}", "validation_alias=AliasChoices({0!r}, 'o{1}')"])
        )
        several[name] = [name] + [f"o{place}"] * ("Choices" in alias)
        several[name] += [f"f{place}"] * ("populate" in head)
        options = [f"default={default}"] * bool(default) + [alias.format(name, place)]
        lines.append(f"    f{place}: {found.source} = Field({', '.join(options)})")
        if draw(st.integers(0, 9)) == 0:
            lines.append(f"    _check{place} = field_validator('f{place}')(refused_if_unlucky)")
            taken[name] = found.values.filter(lambda value: value != 13)
    lines += draw(st.sampled_from([[], [COMPUTED], [BEFORE], [WRITTEN_BY]]))
    given = st.fixed_dictionaries(
        {name: taken[name] for name in names if name in required},
        optional={name: taken[name] for name in names if name not in required},
    )
    requests = draw(st.lists(given, min_size=1, max_size=3))
    wrong = draw(st.lists(st.tuples(st.sampled_from(names), ANYTHING), max_size=3))
    typed = st.dictionaries(st.sampled_from(names), TYPED, min_size=1)
    return Case(
        f"class Input(BaseModel{head}):\n" + "\n".join(lines) + "\n",
        tuple(
            {draw(st.sampled_from(several[name])): request[name] for name in request}
            for request in requests
        ),
        tuple(requests[0] | dict([pair]) for pair in wrong),
        tuple(draw(st.lists(typed, max_size=3))),
    )


@pytest.fixture(scope="module")
def services(cookies_session):
    """Make the service of a model, in this process; afterwards its modules are gone."""
    project = cookies_session.bake().project_path
    for example in (project / "model/examples").iterdir():
        example.unlink()
    before = set(sys.modules)
    sys.path.insert(0, str(project))

    def service(source: str, tail: str = TAIL):
        model = types.ModuleType("model")
        model.__file__ = str(project / "model/__init__.py")
        sys.modules["model"] = model
        exec(HEAD + source + tail, vars(model))
        create_app = importlib.import_module("service.application").create_app
        return create_app({"PROCESSES": 0, "CHECK": False}), model

    yield service
    sys.path.remove(str(project))
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("model", "service"):
            del sys.modules[name]


def strict_json(text: str) -> object:
    """JSON without NaN and Infinity."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


class Wire:
    """A client of a server, which answers as the application's own client does."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> SimpleNamespace:
        """Ask by a link."""
        return self.ask(Request(urljoin(self.base, path)))

    def post(self, path: str, **body: object) -> SimpleNamespace:
        """Send a body, put together as the application's own client does it."""
        environ = EnvironBuilder(path, method="POST", **body).get_environ()
        headers = {"Content-Type": environ["CONTENT_TYPE"]}
        data = environ["wsgi.input"].read()
        return self.ask(Request(urljoin(self.base, path), data, headers))

    def ask(self, request: Request) -> SimpleNamespace:
        """Ask, and give the answer whatever its status is."""
        try:
            response = urlopen(request, timeout=20)
        except HTTPError as error:
            response = error
        with response:
            data = response.read()
        text = data.decode()
        found = json.loads(text) if "json" in response.headers["Content-Type"] else None
        return SimpleNamespace(status_code=response.status, data=data, text=text, json=found)


class Asked:
    """A service that is asked in every way."""

    def __init__(self, app, model, source: str = "", client=None) -> None:
        self.client, self.model = client or app.test_client(), model
        self.served, self.page = app.extensions["model"], app.extensions["page"]
        self.has_sets = "set[" in source  # which have no order
        self.described = strict_json(self.client.get("/openapi.json").text)
        OpenAPIV31SpecValidator(self.described).validate()
        post = self.described["paths"]["/api"]["post"]
        self.takes = self.schema(post["requestBody"]["content"]["application/json"]["schema"])
        answers = post["responses"]["200"]["content"]["application/json"]["schema"]
        self.gives = self.schema(answers)
        problem = self.described["components"]["schemas"]["problem-details"]
        self.problem = self.schema(problem)

    def schema(self, part: dict) -> jsonschema.Draft202012Validator:
        """A schema of the description, as one that validates."""
        whole = part | {"components": self.described["components"]}
        return jsonschema.Draft202012Validator(whole, format_checker=FORMATS)

    def post(self, body: object):
        """The answer to a JSON body; it is as described, whatever the body is."""
        response = self.client.post("/api", json=body)
        self.check(response, body)
        return response

    def check(self, response, sent: dict) -> None:
        """An answer is as described; a refusal names what was sent, or what is missing."""
        assert response.status_code in (HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY), (
            response.text
        )
        answer = strict_json(response.text)
        if response.status_code == HTTPStatus.OK:
            self.gives.validate(answer)
            return
        self.problem.validate(answer)
        names = [*sent, *self.served.fields]
        for place in answer["errors"]:
            assert any(f"{place}.".startswith(f"{name}.") for name in names), answer

    def directly(self, request: dict) -> object:
        """What the model says without a service."""
        # Behind a validator of the author's, pydantic's strict reader takes no list as a tuple.
        is_strict = not hasattr(self.model.Input, "unchanged")
        inputs = self.model.Input.model_validate_json(json.dumps(request), strict=is_strict)
        return json.loads(self.model.predict(inputs).model_dump_json(by_alias=True))

    def request(self, given: dict, is_model_asked: bool = True) -> None:
        """A request that the model takes is answered the same by all ways that are offered."""
        response = self.post(given)
        assert response.status_code == HTTPStatus.OK, response.text
        # The reader that is not strict, which directly() needs then, takes a number for a truth.
        kind = self.model.Input
        is_loose = hasattr(kind, "unchanged") and "bool" in str(kind.model_fields)
        # pydantic's strict reader takes no name for a number of a Literal.
        if is_model_asked and not is_loose:
            assert self.same(response.json, self.directly(given))
        self.takes.validate(given)
        if link := self.page.link(given):
            linked = self.client.get(link)
            assert linked.status_code == HTTPStatus.OK, (link, linked.text)
            assert linked.data == response.data, link
        self.form(given, response)
        self.table(given, response.json)
        for name, value in given.items():
            self.control(name, value)

    def same(self, one: object, other: object) -> bool:
        """Whether two answers are the same."""
        return same(*map(in_order, (one, other))) if self.has_sets else same(one, other)

    def form(self, given: dict, answer) -> None:
        """The parts of a form, where they can say it, are answered the same."""
        if not self.served.takes_files:
            return
        parts = []
        for name, value in given.items():
            found = self.parts(self.served.named[name], value)
            if found is None:
                return
            # As curl writes a name; the client of the test writes it as it is.
            written = name.replace("\\", "\\\\").replace('"', '\\"')
            parts += [(written, part) for part in found]
        response = self.client.post("/api", data=MultiDict(parts), content_type=FORM)
        assert response.status_code == HTTPStatus.OK, (parts, response.text)
        assert response.data == answer.data, parts

    def parts(self, field, value: object) -> list | None:
        """The parts of a form that say a value: files by their bytes, anything else as in a link.

        None where none do: what is empty is left out, and every end of a line is a newline.
        """
        if field.is_file:
            if not all("contentEncoding" in option for option in field.options):
                return None  # a form sends such a field as a file alone
            files = value if isinstance(value, list) else [value]
            if not all(isinstance(one, str) and one for one in files):
                return None  # a list in a list, or an empty file
            is_sent = field.is_same(files, value) if files else field.default == "[]"
            return [(io.BytesIO(b64decode(one)), "a") for one in files] if is_sent else None
        texts = field.texts(value)
        is_sent = texts is not None and all(one and "\r" not in one for one in texts)
        return texts if is_sent else None

    def table(self, given: dict, answer: dict) -> None:
        """The cells of a table, where they can say it, are answered the same."""
        fields = self.served.named
        cells = {name: fields[name].texts(value, once=True) for name, value in given.items()}
        if (
            not self.served.takes_tables
            or not cells
            or any(not cells[name] or fields[name].is_blank(cells[name][0]) for name in cells)
        ):
            return
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerows([cells, [cell for (cell,) in cells.values()]])
        body = text.getvalue().encode()
        response = self.client.post("/api/batch", data=body, content_type="text/csv")
        assert response.status_code == HTTPStatus.OK, response.text
        (row,) = csv.DictReader(io.StringIO(response.text, newline=""))
        found = strict_json(row["given"])
        assert row["error"] == "" and self.same(found, answer["given"]), (body, row)

    def control(self, name: str, value: object) -> None:
        """What a control of the page holds, as the script reads it, is the value."""
        field = self.served.named[name]
        shown = field.shown(value)
        if shown is None or field.is_nested:
            return
        lines = [line for line in (shown.split("\n") if field.is_list else [shown]) if line]
        default = field.schema.get("default")
        assert field.is_same(lines, value) if lines else same(default, value), (shown, value)

    def allowed(self, sent: dict) -> None:
        """A request that the description allows is taken, but for what no schema can say."""
        response = self.post(sent)
        if response.status_code != HTTPStatus.OK:
            reasons = response.json["errors"].values()
            assert any(rule in reason for rule in UNSAID for reason in reasons), response.text

    def other(self, sent: dict) -> None:
        """A request that may be wrong is taken just where the description allows it."""
        response = self.post(sent)
        if response.status_code == HTTPStatus.OK:
            self.takes.validate(sent)

    def texts(self, query: dict) -> None:
        """Texts of any kind are answered or refused, in a link as in a cell."""
        if not self.served.is_linkable:
            return
        link = self.client.get(f"/api?{urlencode(query)}")
        self.check(link, query)
        for name, text in query.items():
            field = self.served.fields[name]
            if field.one.takes_text:
                assert field.read([text]) == (json.dumps(text), "")


# Why a request is refused that a schema allows.
UNSAID = {
    "is not taken here": "a validator of the author's",
    "mean the same: give one": "two names of one key",
    "no more than": "the number of digits of a decimal",
    "greater than 0": "the size of a decimal that is written as a text",
}


def in_order(value: object) -> object:
    """A JSON value with all lists in one order."""
    if isinstance(value, dict):
        return {name: in_order(member) for name, member in value.items()}
    return sorted(map(in_order, value), key=json.dumps) if isinstance(value, list) else value


def allowed_by(schema: dict, named: dict) -> st.SearchStrategy:
    """Values that a schema of the description allows."""
    if "$ref" in schema:
        return allowed_by(named[schema["$ref"].rpartition("/")[2]], named)
    if choices := schema.get("anyOf", schema.get("oneOf")):
        return st.one_of([allowed_by(choice, named) for choice in choices])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    return ALLOWED[schema.get("type")](schema, named)


def numbers(schema: dict, named: dict) -> st.SearchStrategy:
    """Numbers within bounds."""
    excluded = [name in schema for name in ("exclusiveMinimum", "exclusiveMaximum")]
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    if schema["type"] == "integer":
        ends = [least] * excluded[0] + [most] * excluded[1]
        return st.integers(least, most).filter(lambda number: number not in ends)
    options = {"exclude_min": excluded[0], "exclude_max": excluded[1]}
    return st.floats(least, most, allow_nan=False, allow_infinity=False, **options)


def strings(schema: dict, named: dict) -> st.SearchStrategy:
    """Texts of a pattern, a format or a length."""
    if schema.get("contentMediaType") == JSON:
        inner = schema.get("contentSchema")
        return (allowed_by(inner, named) if inner else ANYTHING).map(json.dumps)
    if "pattern" in schema:
        found = st.from_regex(schema["pattern"].replace("$", r"\Z"))
    elif schema.get("format") in WRITTEN:
        return WRITTEN[schema["format"]]
    else:
        found = st.text(LETTERS, max_size=schema.get("maxLength", 8))
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    return found.filter(lambda text: least <= len(text) <= most)


def arrays(schema: dict, named: dict) -> st.SearchStrategy:
    """Lists, and tuples."""
    if "prefixItems" in schema:
        return st.tuples(*(allowed_by(item, named) for item in schema["prefixItems"])).map(list)
    options = {"unique_by": json.dumps} if schema.get("uniqueItems") else {}
    most = schema.get("maxItems", 3)
    return st.lists(
        allowed_by(schema["items"], named),
        min_size=schema.get("minItems", 0),
        max_size=most,
        **options,
    )


def objects(schema: dict, named: dict) -> st.SearchStrategy:
    """Objects, with members of other names where these are allowed."""
    parts, rules = schema.get("properties", {}), schema.get("allOf", [])
    members = {name: allowed_by(part, named) for name, part in parts.items()}
    required = {name: members.pop(name) for name in schema.get("required", [])}
    needed, several = [rule.get("x-required") for rule in rules], {}
    firsts = {part["x-other-name-of"] for part in parts.values() if "x-other-name-of" in part}
    firsts = {name: members.pop(name) for name in firsts}
    for name, part in parts.items():
        if first := part.get("x-other-name-of"):
            several.setdefault(first, []).append({name: members.pop(name)})
    found = st.fixed_dictionaries(required, optional=members)
    for first, names in several.items():
        names += [{first: firsts[first]}] + [{}] * (first not in needed)
        one = st.one_of(map(st.fixed_dictionaries, names))
        found = st.tuples(found, one).map(lambda two: two[0] | two[1])
    if not (more := schema.get("additionalProperties")):
        return found
    values = ANYTHING if more is True else allowed_by(more, named)
    names = {"type": "string"} | schema.get("propertyNames", {})
    free = allowed_by(names, named) if "propertyNames" in schema else TEXTS
    others = st.dictionaries(free.filter(lambda name: name not in parts), values, max_size=2)
    return st.tuples(others, found).map(lambda two: two[0] | two[1])


WRITTEN = {
    "date": st.dates().map(str),
    "date-time": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    "time": st.times().map(lambda moment: f"{moment.isoformat()}+01:00"),
    "duration": st.timedeltas(timedelta(-99), timedelta(99)).map(TypeAdapter(timedelta).dump_json),
    "uuid": st.uuids().map(str),
}
WRITTEN["duration"] = WRITTEN["duration"].map(json.loads)
ALLOWED = {
    "integer": numbers,
    "number": numbers,
    "string": strings,
    "array": arrays,
    "object": objects,
    "boolean": lambda schema, named: st.booleans(),
    "null": lambda schema, named: st.none(),
    None: lambda schema, named: ANYTHING,
}


def same(one: object, other: object) -> bool:
    """Whether two JSON values are the same, where 1 and 1.0 are and 1 and true are not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


FAILED = {
    "types that have names, after a validator": Case(
        "class Pair(RootModel[tuple[int, float] | None]):\n    pass\n"
        "class Input(BaseModel):\n    x: Pair\n    y: Pair\n    z: list[Part] = []\n"
        "    part: Part | None = None\n" + BEFORE,
        ({"x": [0, 0.5], "y": None, "part": {"size": 1}}, {"x": None, "y": [1, 2]}),
        ({"x": 1, "y": None}, {"x": [0, "a"], "y": None}, {"x": None, "y": [True, 1]}),
    ),
    "bytes beside anything": Case(
        "class Input(BaseModel):\n    x: Any | bytes | list[Any | bytes] | None\n"
        "    y: bytes | Any = None\n    z: dict[str, Any | date] = {}\n",
        ({"x": "YWI=", "y": "YWI="}, {"x": ["YWI=", "b", 1.5]}, {"x": 1, "z": {"a": "2024-02-29"}}),
    ),
    "keys of a type that has a name, after a validator": Case(
        "class Input(BaseModel):\n    x: dict[Mass, int] | int | list[dict[Mass, int] | int]\n"
        "    y: list[dict[Mass, int]] = []\n" + BEFORE,
        ({"x": {"0.5": 1}, "y": [{"5": 1}]}, {"x": [{"2": 1}, 3]}),
        ({"x": {"one": 1}}, {"x": [{"-2": 1}]}),
    ),
    "a validator before": Case(
        "Same = BeforeValidator(lambda given: given)\n"
        "class Input(BaseModel):\n    x: tuple[float, float] = (1, 2)\n"
        "    y: Decimal = Decimal(1)\n"
        "    t: time = time(8)\n    d: list[timedelta] = []\n    s: set[tuple[int, int]] = set()\n"
        "    n: Annotated[tuple[float, float], Same] = (1, 2)\n"
        "    e: Annotated[Decimal, Same] = Decimal(1)\n    z: Annotated[set[str], Same] = {'a'}\n"
        + BEFORE,
        (
            {"x": [3, 4], "y": "1.10", "t": "06:30:00", "d": ["PT1H"], "s": [[1, 2]]},
            {"n": [3, 4], "e": 1.5, "z": ["b"]},
        ),
        ({"x": 3}, {"y": True}, {"t": 3600}, {"d": [5]}, {"d": "PT1H"}, {"s": [1]}, {"z": "b"}),
    ),
    "keys that are numbers": Case(
        "class Input(BaseModel):\n    x: dict[int, float]\n    y: dict[float, list[int]] = {}\n",
        ({"x": {"1990": 0.5, "-2": 1}}, {"x": {}, "y": {"1.5": [2], "2": []}}),
        ({"x": {"1.0": 1}}, {"x": {"one": 1}}, {"x": {"+1": 1}}, {"x": {}, "y": {"1e400": []}}),
    ),
    "keys of a pattern": Case(
        'class Input(BaseModel):\n    x: dict[Annotated[str, Field(pattern="^[A-Z]$")], float]\n',
        ({"x": {"A": 1}},),
        ({"x": {"a": 1}}, {"x": {"AB": 1}}),
    ),
    "a decimal or anything": Case(
        "class Input(BaseModel):\n    x: Decimal | Any\n",
        ({"x": {"a": None}}, {"x": 1}, {"x": "1"}, {"x": [1.5]}),
    ),
    "a decimal or a number": Case(
        "class Input(BaseModel):\n    x: Decimal | float\n    y: int | list[Decimal] = 1\n",
        ({"x": 1.5, "y": [1]}, {"x": "1.5", "y": ["1.10"]}),
    ),
    "a type with a name, used twice": Case(
        "class Input(BaseModel):\n    x: Mass\n    y: Mass = 1\n    z: Days = []\n",
        ({"x": 1}, {"x": 2, "y": 0.5, "z": ["2024-02-29"]}),
        ({"x": 0}, {"x": 1, "z": ["2024"]}),
    ),
    "a number or a list of such": Case(
        "class Input(BaseModel):\n    w: float | list[float]\n    t: list[str] | Literal['all']\n",
        ({"w": 5.0, "t": "all"}, {"w": [5.0], "t": ["all"]}, {"w": [], "t": []}),
        texts=({"w": "5", "t": "all"},),
    ),
    "a text or an integer": Case(
        "class Input(BaseModel):\n    x: str | int\n",
        ({"x": 7}, {"x": "7"}, {"x": "007"}),
    ),
    "digits": Case(
        "class Input(BaseModel):\n    x: Decimal\n    y: list[Decimal] = []\n",
        ({"x": "1.10"}, {"x": "0.12345678901234567890123", "y": ["1.10", 2]}, {"x": 1.1}),
    ),
    "null where the default is another": Case(
        "class Input(BaseModel):\n    x: float | None = 0.3\n    y: str | None = 'a'\n",
        ({"x": None}, {}, {"x": 0.3, "y": None}, {"y": "null"}),
    ),
    "an empty default": Case(
        "class Input(BaseModel):\n    x: list[float] = []\n    y: list[str] = ['a']\n",
        ({}, {"x": []}, {"y": []}, {"y": [""]}, {"y": ["[]"]}),
    ),
    "infinite bounds and defaults": Case(
        "class Input(BaseModel):\n    x: Annotated[float, Field(le=math.inf)] = math.inf\n"
        "    y: list[float] = [math.nan]\n    z: float = Field(1, examples=[math.inf, 2])\n",
        ({}, {"x": 1, "y": [1], "z": 2}),
    ),
    "times without a zone": Case(
        "class Input(BaseModel):\n    x: datetime\n    y: time\n"
        "    z: NaiveDatetime = datetime(2024, 2, 29)\n",
        ({"x": "2024-02-29T12:00:00", "y": "08:30:00"},),
        ({"x": "2024-02-29", "y": "08:30:00"},),
    ),
    "a choice of numbers and texts": Case(
        "class Input(BaseModel):\n    x: Literal[1, 2, 'auto']\n    y: Literal[1, '1'] = 1\n",
        ({"x": 1}, {"x": "auto", "y": "1"}, {"x": 2, "y": 1}),
    ),
    "sets": Case(
        "class Input(BaseModel):\n    x: set[str] = set()\n    y: set[int] | None = None\n",
        ({"x": ["b", "a"]}, {"x": [], "y": [2, 1]}, {"y": None}),
        ({"x": ["a", "a"]}, {"y": [1.0, 1]}),
    ),
    "files in a form": Case(
        "class Input(BaseModel):\n    x: bytes\n    y: list[bytes] = []\n    z: str = '-'\n",
        ({"x": "YWI="}, {"x": "AA==", "y": ["YWI=", "AA=="], "z": "é"}, {"x": "AA==", "y": []}),
        ({"x": ""}, {"x": "YWI=", "y": [""]}),
    ),
    "what is computed": Case(
        f"class Input(BaseModel):\n    x: int\n{COMPUTED}\n", ({"x": 1},), ({"x": 1, "many": 1},)
    ),
    "nothing but null": Case(
        "class Input(BaseModel):\n    x: None = None\n    y: int = 1\n",
        ({}, {"x": None}, {"x": None, "y": 2}),
        ({"x": 1},),
    ),
    "a list of records or of anything": Case(
        "class Input(BaseModel):\n    x: list[Part] | list[Any]\n    y: Part | Any = None\n"
        "    z: list[Any] | Annotated[list[Part], Field(max_length=3)] = []\n",
        ({"x": [{"size": 1.5}], "y": {"size": 2}}, {"x": [1, "a"], "z": [{"size": 1}]}),
    ),
    "a member of an Enum or a number": Case(
        "class Input(BaseModel):\n    x: Annotated[Level | int, PlainSerializer(type_of)]\n"
        "    y: Annotated[list[float | Level], PlainSerializer(repr)] = []\n",
        ({"x": 1, "y": [1, 2.5]}, {"x": 3}),
    ),
    "tuples beside anything, with records of one kind and a validator": Case(
        "Same = BeforeValidator(lambda given: given)\nclass Input(BaseModel):\n"
        "    x: Annotated[tuple[int, ...] | Any, PlainSerializer(repr)]\n"
        "    y: list[Part] = []\n    z: Annotated[Part | None, Same] = None\n",
        ({"x": [1, 2]}, {"x": [], "y": [{"size": 1}], "z": {"size": 2}}),
    ),
    "records with dates, or other records": Case(
        "class Day(BaseModel):\n    day: date\nclass Named(BaseModel):\n    day: str\n"
        "class Input(BaseModel):\n    x: Annotated[Day | Named | dict[str, str], "
        "PlainSerializer(repr)]\n    y: Annotated[Named | dict[str, str], PlainSerializer(repr)]\n"
        "    z: Day | Any = None\n",
        ({"x": {"day": "2024-02-29"}, "y": {"day": "a"}, "z": {"day": "2024-02-29"}},),
    ),
    "an awkward field beside a plain one": Case(
        "class Input(BaseModel):\n    x: float\n    y: Part | None = None\n"
        "    z: bytes | None = None\n",
        ({"x": 1}, {"x": 1, "y": {"size": 1}}, {"x": 1, "z": "YWI="}),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", FAILED.values(), ids=FAILED)
def test_a_model_that_failed_once_fails_no_more(services, case):
    ask(services, case)


def test_members_of_an_enum_are_taken_by_their_values(services):
    """pydantic describes these values, and takes none of them from JSON."""
    source = "class Shape(Enum):\n    one = 1\n    pair = (1, 2)\n"
    source += "class Input(BaseModel):\n    x: Literal[Colour.RED, Level.LOW] | Shape\n"
    source += "    y: dict[Literal[Colour.RED], int] = {}\n"
    asked = Asked(*services(source, tail=PLAIN))
    assert asked.post({"x": "red", "y": {"red": 1}}).json == {"said": "<Colour.RED: 'red'>"}
    assert asked.post({"x": 1}).json == {"said": "<Level.LOW: 1>"}
    assert asked.post({"x": [1, 2]}).json == {"said": "<Shape.pair: (1, 2)>"}
    assert asked.post({"x": True}).status_code == asked.post({"x": "RED"}).status_code == 422


def test_the_page_offers_the_members_of_an_enum_whatever_they_are(services):
    source = "class Shape(Enum):\n    one = 1\n    half = 0.5\n    pair = (1, 2)\n"
    client = services(f"{source}class Input(BaseModel):\n    x: Shape\n")[0].test_client()
    page = client.get("/").text
    assert all(f'<option value="{one}">' in page for one in ("1", "0.5")), page


def test_a_default_of_another_type_leaves_the_description_valid(services):
    asked = Asked(*services("class Input(BaseModel):\n    x: str = None\n    y: int = None\n"))
    asked.other({"x": None})
    asked.request({"x": "a", "y": 1})


PLAIN = """
class Output(BaseModel):
    said: str

def predict(inputs: Input) -> Output:
    return Output(said=repr(inputs.x))
"""
LONG = "1" * 4301
WIDE = "class Input(BaseModel):\n    i: int = 0\n    x: float = 0\n    d: Decimal = Decimal(0)\n"


SAME = """
Txt = TypeAliasType("Txt", Annotated[str, AfterValidator(str.strip)])
Count = TypeAliasType("Count", Annotated[int, Field(ge=0)])

class Celsius(BaseModel):
    value: float

class Kelvin(BaseModel):
    value: float

class Leaf(BaseModel):
    size: int = 0

class Tree(BaseModel):
    size: int = 0
    within: list["Tree"] = []

"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "value", "seen"),
    [
        ("Celsius | Kelvin", {"value": 20}, "Celsius(value=20.0)"),
        ("list[Celsius | Kelvin]", [{"value": 20}], "[Celsius(value=20.0)]"),
        ("Leaf | Tree", {"size": 1}, "Leaf(size=1)"),
        ("Leaf | Tree", {"size": 1, "within": []}, "Tree(size=1, within=[])"),
        ("Any | Celsius", {"value": 1}, "{'value': 1}"),
        ("float | Count", 1.0, "1.0"),
        ("date | Txt", "2020-01-01", "'2020-01-01'"),
        ("bytes | Txt", "YWJj", "'YWJj'"),
        ("list[date] | list[str]", ["2020-01-01"], "['2020-01-01']"),
        ("list[bytes] | list[Txt]", ["YWJj"], "['YWJj']"),
        ("dict[str, date | Txt]", {"a": "2020-01-01"}, "{'a': '2020-01-01'}"),
        ("list[list[datetime]] | list[list[str]]", [["2020-01-01"]], "[['2020-01-01']]"),
    ],
)
def test_a_union_is_the_choice_of_its_author_also_where_types_have_names(
    services, kinds, value, seen
):
    used = "Celsius | Kelvin | Leaf | Tree | Txt | Count | None"
    source = f"{SAME}class Input(BaseModel):\n    x: {kinds}\n    other: {used} = None\n{SEEN}"
    client = services(source, tail="")[0].test_client()
    assert client.post("/api", json={"x": value}).json == {"seen": seen}
    assert client.post("/api/batch", json=[{"x": value}]).json == [{"seen": seen}]


TWICE = """
class Part(BaseModel):
    x: int | float = 0
class Whole(BaseModel):
    n: int
class Fraction(BaseModel):
    n: float
class Input(BaseModel):
    x: {0}
    again: list[Part | Whole | Fraction | float] = []
"""


@pytest.mark.slow
@pytest.mark.parametrize("twice", [True, False])
@pytest.mark.parametrize(
    ("kinds", "value", "seen"),
    [
        ("Part", {"x": 8.0}, "Part(x=8.0)"),
        ("Part | float", {"x": 8.0}, "Part(x=8.0)"),
        ("Part | float", {"x": 8}, "Part(x=8)"),
        ("Whole | float", {"n": 8.0}, "Whole(n=8)"),
        ("Whole | Fraction", {"n": 8.0}, "Fraction(n=8.0)"),
        ("Whole | Fraction", {"n": 8}, "Whole(n=8)"),
        ("list[int] | float", [8.0], "[8]"),
        ("int | float | Whole", 8.0, "8.0"),
        ("int | float | Whole", 2.0**53, "9007199254740992.0"),
        ("int | Decimal", 8.0, "Decimal('8')"),
        ("dict[str, int | float]", {"a": 8.0}, "{'a': 8.0}"),
    ],
)
def test_8_0_means_the_same_wherever_a_model_is_used(services, kinds, value, seen, twice):
    source = TWICE.format(kinds) if twice else TWICE.format(kinds).partition("    again")[0]
    client = services(source + SEEN, tail="")[0].test_client()
    assert client.post("/api", json={"x": value}).json == {"seen": seen}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "seen"),
    [("Day | Note", "Day(x=datetime.date(2024, 2, 29))"), ("Note | Day", "Note(x='2024-02-29')")],
)
@pytest.mark.parametrize("more", ["", "    y: list[Day | Note] = []\n"])
def test_a_text_means_the_same_wherever_a_model_is_used(services, kinds, seen, more):
    source = "class Day(BaseModel):\n    x: date\nclass Note(BaseModel):\n    x: str\n"
    source += f"class Input(BaseModel):\n    x: {kinds}\n{more}{SEEN}"
    client = services(source, tail="")[0].test_client()
    assert client.post("/api", json={"x": {"x": "2024-02-29"}}).json == {"seen": seen}


def test_a_default_that_is_a_record_is_described_as_it_is_taken(services):
    source = f"""
class Box(BaseModel):
    wide: float = Field(1, alias="Width")
    tags: set[str] = set()
{COMPUTED}

class Input(BaseModel):
    box: Box = Box(Width=2, tags={{"a"}})
"""
    asked = Asked(*services(source))
    default = asked.served.fields["box"].schema["default"]
    assert default == {"Width": 2, "tags": ["a"]}
    link = asked.client.get("/api", query_string={"box": json.dumps(default)})
    assert link.status_code == HTTPStatus.OK, link.text


def test_an_input_that_would_be_read_loosely_stops_the_start(services):
    source = "class Input(BaseModel):\n    x: float = 1\n\n"
    source += "    def __init__(self, **given):\n        super().__init__(**given)\n"
    with pytest.raises(SystemExit, match=r"Input has an __init__.*: write a model_validator"):
        services(source)


def test_settings_of_pydantic_for_building_and_for_times_are_kept(services):
    source = "class Input(BaseModel, defer_build=True):\n    x: complex = 1j\n" + BEFORE
    tail = """
class Output(BaseModel, ser_json_temporal="seconds", defer_build=True):
    at: datetime
    hour: time
    seen: str

def predict(inputs: Input) -> Output:
    return Output(at=datetime(2020, 1, 1), hour=time(1), seen=repr(inputs.x))
"""
    asked = Asked(*services(source, tail))
    answer = asked.client.post("/api", json={"x": "1+2j"}).json
    assert answer == {"at": 1577836800.0, "hour": 3600.0, "seen": "(1+2j)"}
    asked.gives.validate(answer)


def test_an_integer_is_exact_and_one_that_is_too_long_is_refused_in_words(services):
    client = services(WIDE + "    a: Any = 0\n")[0].test_client()
    body = f'{{"i": {LONG[1:]}}}'
    assert f'"i":{LONG[1:]},' in client.post("/api", data=body, content_type=JSON).text
    for name in "ixda":
        response = client.post("/api", data=f'{{"{name}": {LONG}}}', content_type=JSON)
        assert response.status_code == HTTPStatus.BAD_REQUEST
        assert "more than 4300 digits in a number" in response.json["detail"]
    assert client.get(f"/api?i={LONG}").json["errors"]["i"].startswith("Input should be a valid")
    rows = client.post("/api/batch", data=f"i\n1\n{LONG}\n", content_type="text/csv").text
    assert '""i"": 1,' in rows and "row 2: i: Input should be a valid integer" in rows


def test_a_decimal_keeps_its_digits_as_a_text_and_the_description_says_so(services):
    client, digits = services(WIDE)[0].test_client(), "0.12345678901234567890123"
    texts = [f'"{digits}"', digits]
    found = [client.post("/api", data=f'{{"d": {text}}}', content_type=JSON) for text in texts]
    assert [response.json["given"]["d"] for response in found] == [digits, "0.12345678901234568"]
    body = client.get("/openapi.json").json["paths"]["/api"]["post"]["requestBody"]
    assert "double precision" in body["description"]
    assert client.get(f"/api?d={digits}").json["given"]["d"] == digits


@pytest.mark.parametrize("path", ["/api?x=%C3%A9", "/openapi.json", "/examples", "/"])
def test_what_people_read_has_its_letters_as_they_are(services, path):
    app, _ = services("class Input(BaseModel):\n    x: str = Field('é', examples=['é'])\n")
    known = {"request": {"x": "é"}, "response": {"x": "é"}, "note": "é"}
    example = SimpleNamespace(**known, is_recorded=True)
    app.extensions["page"].examples = {"a": example}
    text = app.test_client().get(path).text
    assert "\\u00e9" not in text and ("é" in text or path == "/examples")


OPEN = """
class Input(BaseModel, extra="allow"):
    __pydantic_extra__: dict[str, float]
    x: int = 0
"""


def test_an_input_that_takes_any_name_takes_it_in_a_link_and_a_table_too(services):
    client = services(OPEN)[0].test_client()
    expected = {"x": 1, "Fe": 0.5}
    assert client.post("/api", json=expected).json["given"] == expected
    assert client.get("/api?x=1&Fe=.5").json["given"] == expected
    assert client.get("/api?x=1&Fe=a").json["errors"] == {"Fe": "Input should be a valid number"}
    table = client.post("/api/batch", data="x,Fe\n1,.5\n", content_type="text/csv")
    (row,) = csv.DictReader(io.StringIO(table.text))
    assert json.loads(row["given"]) == expected


def test_such_an_input_also_gets_what_is_kept(services):
    client = services(OPEN)[0].test_client()
    expected = {"x": 1, "Fe": 0.5}
    (row,) = client.post("/api/batch?keep=Fe", json=[expected]).json
    assert row == {"Fe": 0.5, "given": expected}
    table = client.post("/api/batch?keep=Fe", data="x,Fe\n1,.5\n", content_type="text/csv")
    (row,) = csv.DictReader(io.StringIO(table.text))
    assert (row["Fe"], json.loads(row["given"])) == (".5", expected)


@pytest.mark.parametrize("header", ["x,Fe,Fe", "Fe,Fe", "Fe,x,C,Fe"])
def test_such_an_input_has_no_column_twice(services, header):
    client = services(OPEN)[0].test_client()
    data = f"{header}\n{header.replace('Fe', '1').replace('x', '1').replace('C', '1')}\n"
    answer = client.post("/api/batch", data=data, content_type="text/csv")
    assert (answer.status_code, answer.json.get("errors")) == (422, {"Fe": "Name it once"})


@pytest.mark.parametrize("output", ['BaseModel, extra="allow"', "RootModel[dict[str, Input]]"])
def test_nothing_is_kept_beside_an_answer_that_may_have_any_name(services, output):
    tail = f"class Output({output}):\n    {'given: Input' if 'extra' in output else 'pass'}\n"
    tail += "def predict(inputs: Input) -> Output:\n    return Output(**{'given': inputs})\n"
    client = services(OPEN, tail)[0].test_client()
    assert client.post("/api/batch", json=[{"x": 1}]).json == [{"given": {"x": 1}}]
    refused = client.post("/api/batch?keep=id", json=[{"x": 1, "id": 1}])
    assert refused.status_code == 422 and "members of any name" in refused.json["detail"]


@pytest.mark.parametrize(
    "alias", ["AliasPath('a', 0)", "AliasPath('a')", "AliasChoices(AliasPath('a', 0), 'y')"]
)
def test_a_field_with_a_path_in_the_place_of_a_name_stops_the_start(services, alias):
    inner = f"class Inner(BaseModel):\n    x: int = Field(validation_alias={alias})\n"
    for source in (inner.replace("Inner", "Input"), inner + "class Input(Inner):\n    n: Inner\n"):
        with pytest.raises(SystemExit, match=r"the field x has an AliasPath"):
            services(source)


NO_TIME = """
from typing import NamedTuple
from pandas import NaT
@dataclass(frozen=True)
class Run:
    at: datetime | None
    data: bytes = b"\\xff"
class Step(NamedTuple):
    at: datetime | None
    data: bytes = b"\\xff"
class Row(TypedDict):
    at: datetime
    data: bytes
class Input(BaseModel):
    x: int = 0
class Output(BaseModel):
    runs: list[Run]
    step: Step
    rows: dict[str, Row]
    pair: tuple[AwareDatetime | Run, bytes]
    at: datetime
    several: list[datetime]
    years: dict[datetime, int]
def predict(inputs: Input) -> Output:
    return Output(
        runs=[Run(NaT)], step=Step(NaT), rows={"a": {"at": NaT, "data": b"\\xff"}},
        pair=(Run(NaT), b"\\xff"), at=NaT, several=[NaT, datetime(2024, 2, 29)],
        years={datetime(2024, 2, 29): 1},
    )
"""


@pytest.mark.slow
def test_a_time_that_is_missing_in_pandas_is_null_wherever_pydantic_takes_it(services):
    find_spec("pandas") or missing("pandas")
    asked = Asked(*services(NO_TIME, tail=""))
    row = {"at": None, "data": "/w=="}
    assert asked.post({}).json == {
        "runs": [row],
        "step": [None, "/w=="],
        "rows": {"a": row},
        "pair": [row, "/w=="],
        "at": None,
        "several": [None, "2024-02-29T00:00:00"],
        "years": {"2024-02-29T00:00:00": 1},
    }


# What a validator of the author's has read, or a default that is checked, is no JSON any more.
READ = """
class Input(BaseModel):
    day: date
    data: bytes = b"a"
    at: datetime = Field(datetime(2024, 2, 29), validate_default=True)
    file: bytes = Field(b"a", validate_default=True)

    @field_validator("day", mode="before")
    def month(cls, text):
        return date.fromisoformat(f"{text}-01") if len(text) == 7 else text

    @field_validator("data", mode="before")
    def latin(cls, text):
        return text.encode("latin-1") if isinstance(text, str) else text
"""


@pytest.mark.parametrize(("text", "day"), [("2024-02", "2024-02-01"), ("2024-02-03", "2024-02-03")])
def test_a_validator_may_read_a_text_itself(services, text, day):
    response = services(READ)[0].test_client().post("/api", json={"day": text, "data": "é"})
    assert response.status_code == HTTPStatus.OK, response.text
    expected = {"day": day, "data": "6Q==", "at": "2024-02-29T00:00:00", "file": "YQ=="}
    assert response.json["given"] == expected


CHECKED = """
class Input(BaseModel, {0}coerce_numbers_to_str=True):
    dec: Decimal = Field("1.5"{1})
    pause: timedelta = Field("P1D"{1})
    at: time = Field("08:30"{1})
    pair: tuple[int, date] = Field([1, "2024-02-29"]{1})
    names: set[str] = Field(["a"]{1})
    word: str = Field(5{1})
    part: Part = Field({{"size": "1"}}{1})
    parts: list[Part] = Field(default_factory=lambda: [{{"size": 1}}]{1})
"""


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "where", [("validate_default=True, ", ""), ("", ", validate_default=True")]
)
def test_a_default_that_is_checked_is_read_as_in_python(services, where):
    client = services(CHECKED.format(*where))[0].test_client()
    found = client.post("/api", json={}).json["given"]
    assert (found["dec"], found["pause"], found["at"]) == ("1.5", "P1D", "08:30:00")
    assert (found["pair"], found["names"], found["word"]) == ([1, "2024-02-29"], ["a"], "5")
    assert found["part"]["size"] == found["parts"][0]["size"] == 1
    assert client.post("/api", json={"part": {"size": "1"}}).json["errors"].keys() == {"part.size"}


OFFERED = "class Input(BaseModel):\n    x: float | None = 0.3\n    y: str | int = 'a'\n"


@pytest.mark.parametrize(
    ("request_", "link"),
    [
        ({"x": 1.5, "y": "007"}, "api?x=1.5&y=007"),
        ({"x": None}, ""),
        ({"y": 7}, ""),
        ({}, "api?"),
    ],
)
def test_a_link_is_offered_where_it_means_the_same(services, request_, link):
    app, _ = services(OFFERED)
    assert app.extensions["page"].link(request_) == link


SEEN = """
class Output(BaseModel):
    seen: str

def predict(inputs: Input) -> Output:
    return Output(seen=repr(inputs.x))
"""


@pytest.mark.slow
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("other", "text"),
    [
        ("date", "2024-02-29"),
        ("datetime", "2024-02-29T08:30:00"),
        ("time", "08:30:00"),
        ("timedelta", "PT8H"),
        ("Decimal", "1.10"),
        ("UUID", "12345678-1234-5678-1234-567812345678"),
        ("Colour", "red"),
        ("Path", "a/b"),
        ("IPv4Address", "1.1.1.1"),
        ("bytes", "YWI="),
        ("int", "7"),
        ("Days | list[Days] | Day | list[Day]", "2024-02-29"),
        ("None | Annotated[date | None, Field()]", "2024-02-29"),
    ],
)
def test_where_text_is_taken_a_text_is_that_text_whatever_it_looks_like(
    services, other, text, turned
):
    kinds = " | ".join(["str", other][:: -1 if turned else 1])
    imports = "from ipaddress import IPv4Address\nfrom pathlib import Path\n"
    source = f"{imports}class Input(BaseModel):\n    x: {kinds}\n{SEEN}\n"
    client = services(source, tail="")[0].test_client()
    told = client.post("/api", json={"x": text}), client.get("/api", query_string={"x": text})
    assert [answer.json for answer in told] == [{"seen": repr(text)}] * 2
    table = client.post("/api/batch", data=f"x\n{text}\n", content_type="text/csv").text
    assert [row["seen"] for row in csv.DictReader(io.StringIO(table))] == [repr(text)]


CHOICES = [
    *"int float str bool Decimal Fraction complex date datetime time timedelta UUID Any".split(),
    *"Colour Level Word Share Right Literal[1,'red'] Literal[Level.LOW] Mass Part".split(),
    *"Timed Named Member Record list list[Any] list[int] list[float] list[str]".split(),
    *"list[Level] list[date] list[Part] list[list[Any]] set[int] set[Any] frozenset[str]".split(),
    *"tuple[int,...] tuple[Any,...] tuple[int,int] dict dict[str,Any] dict[str,float]".split(),
    *"dict[str,date] dict[str,Part] dict[int,Any] dict[date,int] dict[Level,int]".split(),
    *"dict[Colour|str,int] Annotated[list[Any],Field(max_length=2)]".split(),
    *"Annotated[int,AfterValidator(abs)] Annotated[list[Any],BeforeValidator(unchanged)]".split(),
]
CHOSEN_OF = """
from enum import Flag, StrEnum
from fractions import Fraction
class Word(StrEnum):
    RED = "red"
class Share(float, Enum):
    HALF = 0.5
    WHOLE = 1.0
class Right(Flag):
    READ = 1
    WRITE = 2
class Timed(BaseModel):
    t: time
class Named(BaseModel):
    a: str
class Member(TypedDict):
    size: float
@dataclass
class Record:
    size: float
def unchanged(value):
    return value
class Output(BaseModel):
    seen: str
def predict(inputs):
    [name] = inputs.model_fields_set
    return Output(seen=repr(getattr(inputs, name)))
"""
CHOSEN = [
    *(None, 0, 1, 2, 3, 0.5, 1.5, "red", "a", "2024-02-29", "2024-02-29T12:00:00", "08:30:00"),
    *("PT1H", "12345678-1234-5678-1234-567812345678", "[1]", "1.5 ", "1+2j", "1/2", [], [1]),
    *([1, 2], [1.5, 2], ["a"], ["red"], ["2024-02-29"], [1, "a"], [None], [[1]], [{"size": 1.5}]),
    *({}, {"size": 1.5}, {"a": "b"}, {"a": "1.5"}, {"a": "2024-02-29"}, {"t": "08:30"}, {"a": 1}),
    *({"1": 1}, {"1": {"size": 1}}, {"red": 1}, {"2024-02-29": 1}, {"a": {"size": 1.5}}),
]


def texts_in(value: object) -> list[str]:
    """How a value is seen in which texts have stayed texts."""
    is_text = '"' in json.dumps(value)
    return [repr(value)] * is_text


@pytest.mark.slow
@pytest.mark.parametrize("first", CHOICES)
def test_of_a_union_the_choice_is_taken_that_pydantic_takes(services, first):
    """But for a text, which is that text where a choice takes texts."""
    others = [other for other in CHOICES if other != first]
    fields = [f"    x{place}: {first} | {other} = None\n" for place, other in enumerate(others)]
    source = f"{CHOSEN_OF}class Input(BaseModel):\n{''.join(fields)}"
    app, model = services(source, tail="")
    sent = [{f"x{place}": value} for value in CHOSEN for place in range(len(others))]
    answers = app.test_client().post("/api/batch", json=sent).json
    for row, answer in zip(sent, answers, strict=True):
        [(name, value)] = row.items()
        with noted(f"{first} | {others[int(name[1:])]}: {json.dumps(value)}"):
            try:
                read = model.Input.model_validate_json(json.dumps(row), strict=True)
                assert answer.get("seen") in (repr(getattr(read, name)), *texts_in(value))
            except ValidationError:
                assert answer["status"] == HTTPStatus.UNPROCESSABLE_ENTITY


AMONG_OTHERS = {
    "set[Decimal | float]": [1.5, 2],
    "set[tuple | Any]": [[2]],
    "set[tuple[int, ...] | frozenset[int]]": [[2]],
    "set[Level | Decimal]": [1],
    "set[Odd | tuple[int, int]]": [[1, 2]],
    "set[Decimal] | set": [2.5],
    "frozenset[tuple[int, ...]] | tuple[list[int], ...]": [[1]],
    "dict | Part | bytes": {"size": 1.5},
    "Any | Part | bytes": {"size": 1.5},
    "Json[Level | Decimal]": "1",
    "Json[tuple[int, ...] | list[float]]": "[1]",
    "Json[tuple[float, float] | Any]": "[1, 2]",
    "Json[dict[str, Decimal] | dict[str, Any]]": '{"a": 1}',
    "Counter[int]": {"1": 1, "2": 3},
    "OrderedDict[int, float]": {"2": 1, "1": 2},
    "Odd": [1, 2],
    "Odd | list[int]": [3],
    "Twice": {"f": 1},
    "Annotated[Twice, BeforeValidator(lambda value: value)] | int": {"f": 1},
    "Twice | dict[str, Any]": {"f": 1, "g": [1], "h": [1, 2]},
    "list[Twice | Any]": [{"f": 1, "h": [1, 2]}],
    "Kin": {"kids": [{"kids": []}, {"kids": [{}]}]},
}
ODD = """
from collections import Counter, OrderedDict
from pydantic import AnyUrl
class Odd(Enum):
    A = (1, 2)
    B = [1, 2]
class Twice(BaseModel, extra="forbid"):
    f: Level | Any
    g: tuple[int, ...] | list[float] = ()
    h: tuple[float, float] = (0, 0)
class Kin(BaseModel):
    kids: list["Kin | Any"] = []
class Input(BaseModel):
    a: Twice | None = None
    b: Twice | None = None
    url: AnyUrl | None = None
    x: {}
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", AMONG_OTHERS)
def test_a_value_is_read_as_pydantic_reads_it_within_what_else_there_is(services, kind):
    app, model = services(ODD.format(kind) + SEEN, tail="")
    answer = app.test_client().post("/api", json={"x": AMONG_OTHERS[kind]})
    text = json.dumps({"x": AMONG_OTHERS[kind]})
    try:
        read = model.Input.model_validate_json(text, strict=True)
    except ValidationError:  # behind a validator, where it takes no list as a tuple
        read = model.Input.model_validate_json(text)
    assert answer.json == {"seen": repr(read.x)}


@pytest.mark.parametrize(
    ("kind", "value"),
    [("Decimal", [0, [1], 2]), ("timedelta", "-P999999999DT86399S"), ("complex", True)],
)
def test_what_python_would_take_or_cannot_take_is_refused(services, kind, value):
    asked = Asked(*services(f"class Input(BaseModel):\n    x: {kind} | None = None\n"))
    assert asked.post({"x": value}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def test_a_number_is_a_complex_number_too(services):
    asked = Asked(*services("class Input(BaseModel):\n    x: complex\n", tail=PLAIN))
    for value in 1, 1.5, "1+2j":
        asked.takes.validate({"x": value})
        assert asked.post({"x": value}).status_code == HTTPStatus.OK
    told = asked.client.get("/api").json["required"]
    assert told["x"] == "complex number, required: no description"
    for text in "NaN", "1e999", "-1E+0400", "1" * 400 + ".5", "1" * 250 + "e99":
        answer = asked.client.post("/api", data=f'{{"x": {text}}}', content_type=JSON)
        assert answer.json["errors"] == {"x": "Input should be a finite number"}, text


def test_the_place_of_an_infinite_number_is_not_looked_for_in_a_long_body(services):
    client = services("class Input(BaseModel):\n    x: Any\n")[0].test_client()
    reasons = {"x.1": "Input should be a finite number"}
    reasons = {9: reasons, 10**6: {"body": "Input should have finite numbers alone"}}
    for size, errors in reasons.items():
        body = f'{{"x": ["{size * "a"}", NaN]}}'
        assert client.post("/api", data=body, content_type=JSON).json["errors"] == errors
        taken = client.post("/api", json={"x": [size * "a", "NaN e000"]})
        assert taken.status_code == HTTPStatus.OK


@pytest.mark.parametrize("kind", ["date", "datetime", "NaiveDatetime", "AwareDatetime"])
def test_the_description_allows_the_days_that_there_are(services, kind):
    asked = Asked(*services(f"class Input(BaseModel):\n    x: {kind}\n"))
    hour = {"date": "", "AwareDatetime": "T08:00:00Z"}.get(kind, "T08:00:00")
    for day in "2024-02-29", "2000-02-29", "2023-02-28", "0001-12-31":
        asked.request({"x": day + hour})
    for day in "2023-02-29", "1900-02-29", "0001-02-29", "2024-04-31", "2024-13-01", "0000-01-01":
        assert kind == "AwareDatetime" or not asked.takes.is_valid({"x": day + hour}), day
        assert asked.post({"x": day + hour}).status_code == HTTPStatus.UNPROCESSABLE_ENTITY, day


@pytest.mark.parametrize("kinds", ["datetime | Decimal", "date | Decimal | None", "Decimal | date"])
def test_digits_are_a_decimal_and_no_date(services, kinds):
    source = f"class Input(BaseModel):\n    x: {kinds}\n{SEEN}"
    client = services(source, tail="")[0].test_client()
    for text in "0.0000", "86400", "2024":
        told = client.post("/api", json={"x": text}), client.get("/api", query_string={"x": text})
        assert [answer.json for answer in told] == [{"seen": f"Decimal('{text}')"}] * 2


def test_a_text_that_a_bound_refuses_is_read_as_the_other_choice(services):
    source = "class Input(BaseModel):\n    x: date | Annotated[str, Field(pattern='^[a-z]+$')]\n"
    client = services(source + SEEN, tail="")[0].test_client()
    for text, seen in {"today": "'today'", "2024-02-29": "datetime.date(2024, 2, 29)"}.items():
        assert client.get(f"/api?x={text}").json == {"seen": seen}
    alias = "Name = TypeAliasType('Name', str)\nclass Input(BaseModel):\n"
    for kinds in "date | Name", "Day | Name":
        source = alias + f"    x: {kinds}\n    y: Day | Name = ''\n"
        found = services(source + SEEN, tail="")[0].test_client().get("/api?x=2024-02-29").json
        assert found == {"seen": "'2024-02-29'"}


SEVERAL = (
    "class Inner(BaseModel, populate_by_name=True):\n    a: float = Field(alias='A')\n"
    "class Members(TypedDict):\n"
    "    q: Annotated[int, Field(validation_alias=AliasChoices('Q', 'R'))]\n"
    "class Input(BaseModel, populate_by_name=True):\n    x: float = Field(alias='Mass')\n"
    "    y: int = Field(0, validation_alias=AliasChoices('first', 'second'))\n"
    "    i: Inner | None = None\n    m: Members | None = None\n    file: bytes | None = None\n"
)
ONCE = "Another name of Mass: give the field by one name"


@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ({"Mass": 1, "first": 1}, None),
        ({"x": 1, "second": 1}, None),
        ({"x": 1, "y": 1, "i": {"a": 1}, "m": {"R": 1}}, None),
        ({"Mass": 1, "x": 1}, {"x": ONCE}),
        ({"x": 1, "y": 1, "second": 2}, {"y": ONCE.replace("Mass", "first")}),
        ({"y": 1}, {"Mass": "Field required"}),
        ({"x": 1, "i": {"a": 1, "A": 1}}, {"i.a": ONCE.replace("Mass", "A")}),
        ({"x": 1, "m": {}}, {"m.Q": "Field required"}),
    ],
)
def test_a_field_of_several_names_is_given_by_one_as_the_description_says(services, sent, errors):
    asked = Asked(*services(SEVERAL))
    assert asked.post(sent).json.get("errors") == errors
    assert asked.takes.is_valid(sent) is not bool(errors)
    assert asked.client.get("/api", query_string=sent).json.get("errors") == errors or "i" in sent
    operation = asked.described["paths"]["/api"]
    form = operation["post"]["requestBody"]["content"][FORM]["schema"]
    parameters = {one["name"]: one["required"] for one in operation["get"]["parameters"]}
    assert parameters == dict.fromkeys(form["properties"], False)
    assert form["allOf"][0]["anyOf"] == [{"required": ["Mass"]}, {"required": ["x"]}]


NAMED = (
    "class Input(BaseModel, populate_by_name=True):\n"
    "    x: float = Field(alias='Mass')\n"
    "    y: int = Field(0, validation_alias=AliasChoices('first', 'second'))\n"
)


@pytest.mark.parametrize("names", [("Mass", "first"), ("x", "second"), ("x", "y")])
def test_a_field_is_taken_by_each_of_its_names(services, names):
    client = services(NAMED)[0].test_client()
    values = dict(zip(names, ("1.5", "2"), strict=True))
    expected = client.post("/api", json={"Mass": 1.5, "first": 2})
    assert expected.status_code == HTTPStatus.OK
    assert client.get("/api", query_string=values).data == expected.data
    table = f"{', '.join(values)}\n{','.join(values.values())}\n"
    answers = client.post("/api/batch", data=table, content_type="text/csv").text
    (row,) = csv.DictReader(io.StringIO(answers))
    assert json.loads(row["given"]) == expected.json["given"]


TYPES = (
    "class Input(BaseModel):\n    n: int = 0\n    x: float = 0\n    b: bool = False\n"
    "    s: str = '-'\n    d: date | None = None\n    v: list[float] = []\n"
)


def test_a_table_takes_what_common_tools_write(services):
    client = services(TYPES)[0].test_client()
    lines = ["n, x ,b,s,d,v", '1.0, .5,TRUE, a b,NA,"[1, 2]"', "+5,1e3,False,NA, 2024-02-29 ,7"]
    lines += ["NaN,NA,,,,NA"]
    response = client.post("/api/batch", data="\n".join(lines), content_type="text/csv")
    rows = [json.loads(row["given"]) for row in csv.DictReader(io.StringIO(response.text))]
    empty = {"n": 0, "x": 0.0, "b": False, "s": "-", "d": None, "v": []}
    assert rows == [
        {"n": 1, "x": 0.5, "b": True, "s": " a b", "d": None, "v": [1.0, 2.0]},
        {"n": 5, "x": 1000.0, "b": False, "s": "NA", "d": "2024-02-29", "v": [7.0]},
        empty,
    ]


@pytest.mark.parametrize("query", ["s=caf%E9", "%E9=1", "s=%ED%A0%80"])
def test_a_link_that_is_not_utf_8_is_refused(services, query):
    response = services(TYPES)[0].test_client().get(f"/api?{query}")
    assert response.status_code == HTTPStatus.BAD_REQUEST and "UTF-8" in response.json["detail"]


@pytest.mark.parametrize(
    ("field", "text", "hint"),
    [
        ("t: time", "8:30", "write a time such as 08:30"),
        ("t: timedelta", "8.5 h", "write a duration such as PT8H30M"),
        ("t: float", "1,5", "write a number such as 1.5, with a decimal point"),
        ("t: list[int]", "1,2", "t= before each in a link"),
    ],
)
def test_a_wrong_text_is_answered_with_an_example_of_a_right_one(services, field, text, hint):
    client = services(f"class Input(BaseModel):\n    {field}\n")[0].test_client()
    assert hint in client.get("/api", query_string={"t": text}).json["detail"]
    table = client.post("/api/batch", data=f't\n"{text}"\n', content_type="text/csv")
    assert hint in table.text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[1,2,x,4.1]", "expected value at line 1 column 6"),
        ("[1,2,NA,4.1]", "expected ident at line 1 column 7"),
        ("[1;2;3;4]", "expected `,` or `]` at line 1 column 3"),
        (" [1,2,3,4", "EOF while parsing a list at line 1 column 9"),
    ],
)
@pytest.mark.parametrize("kind", ["list[float]", "float | list[float]", "list[date] | None"])
def test_what_begins_as_a_list_and_is_no_json_is_said_of_the_list(services, kind, text, fault):
    client = services(f"class Input(BaseModel):\n    v: {kind}\n")[0].test_client()
    link = client.get("/api", query_string={"v": text}).json
    assert link["errors"] == {"v": f"Write a list as JSON: {fault}"}
    assert link["supplied"] == {"v": text}
    table = client.post("/api/batch", data=f'v\n"{text}"\n', content_type="text/csv")
    assert f"row 1: v: Write a list as JSON: {fault}" in table.text


KEEP = "No such field; name a column that is no input in ?keep="
COMMAS = "No such field; separate names by commas"


@pytest.mark.parametrize(
    ("header", "errors"),
    [
        ("id,v", {"id": KEEP}),
        ("id;v", {"id;v": COMMAS, "v": "Field required in the header"}),
        ("id\tv", {"id\tv": COMMAS, "v": "Field required in the header"}),
        ("sep=;", {"sep=;": COMMAS, "v": "Field required in the header"}),
        ("sep=,", {"sep=": KEEP, "header": "A column has no name", "v": "Field required"}),
        ("v,,", {"header": "A column has no name"}),
        ('""', {"header": "The first line names no field", "v": "Field required"}),
    ],
)
def test_a_name_in_a_header_that_is_no_field_has_the_way_out_that_fits_it(services, header, errors):
    client = services("class Input(BaseModel):\n    v: float\n")[0].test_client()
    table = f"{header}\n1;2\n"
    found = client.post("/api/batch", data=table, content_type="text/csv").json["errors"]
    assert found.keys() == errors.keys()
    assert all(found[name].startswith(errors[name]) for name in errors), found


def test_columns_without_a_name_are_told_apart_where_any_name_is_taken(services):
    source = "class Input(BaseModel, extra='allow'):\n    v: float\n"
    client = services(source)[0].test_client()
    table = client.post("/api/batch", data=",,v\n1,2,3\n", content_type="text/csv")
    assert table.json["errors"] == {"": "Name it once"}


KINDS_OF_RECORDS = """
from pydantic import Discriminator, Tag
@dataclass
class Spot:
    x: float
class Cow(BaseModel):
    kind: Literal["cow"] = Field(alias="Kind")
class Dog(BaseModel):
    kind: Literal["dog"] = Field(alias="Kind")
Cows = Annotated[Cow, Tag("cow")]
Tagged = Annotated[Cows | Annotated[Dog, Tag("dog")], Discriminator(lambda given: given["kind"])]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("t: dict[int, float]", {"x": 1}, "t.x: Name should be a valid integer."),
        ("t: list[int] = Field(min_length=2)", [1], "not 1."),
        ("t: datetime", "2024-02-29", "a date and time such as 2024-02-29T08:30:00."),
        ("t: Literal[True, 'None', None]", 1, "Input should be true or 'None' or null."),
        ("t: float", "1.5", "t: Input should be a valid number, without quotes."),
        ("t: list[bool]", ["true"], "t.0: Input should be a valid boolean, without quotes."),
        ("t: Pet", {}, "t: Give 'kind'."),
        ("t: Pet", {"kind": "cow"}, "t: 'kind' should be one of 'cat', 'dog'."),
        ("t: Cow | Dog = Field(discriminator='kind')", {}, "t: Give 'Kind'."),
        ("t: Cow | Dog = Field(discriminator='kind')", {"Kind": "a"}, "one of 'cow', 'dog'."),
        ("t: Tagged", {"kind": "x"}, "t: Its kind should be one of 'cow', 'dog'."),
        ("t: Spot", {"x": 1, "y": 2}, "t.y: No such field."),
        ("t: Any", "x", None),
    ],
)
def test_a_wrong_value_is_named_in_words_of_json(services, field, value, reason):
    source = f"{KINDS_OF_RECORDS}class Input(BaseModel):\n    {field}\n"
    asked = Asked(*services(source), source)
    response = asked.client.post("/api", json={"t": value})
    assert not reason or response.json["detail"].endswith(reason), response.text
    assert asked.takes.is_valid({"t": value}) is not bool(reason)


MADE = """
Nan = BeforeValidator(lambda given: math.nan)
Same = BeforeValidator(lambda given: given)
class Inner(BaseModel):
    y: float = 0
class Input(BaseModel):
    a: Annotated[float, Nan] = 1
    b: Annotated[list[float], BeforeValidator(lambda given: [*given, math.inf])] = []
    c: Annotated[Any, Nan] = 1
    d: Annotated[float, AfterValidator(lambda given: math.nan)] = 1
    e: Annotated[list[Inner], Same] = []
    f: Annotated[float, PlainValidator(float)] = 1
    x: float = 1
    @model_validator(mode="before")
    @classmethod
    def infinite_two(cls, given: dict) -> dict:
        return given | {"x": math.inf} if given.get("x") == 2 else given
"""


def test_what_a_validator_makes_of_good_numbers_is_for_the_model(services):
    asked = Asked(*services(MADE))
    for sent in ({"a": 1}, {"b": [1]}, {"c": 1}, {"d": 1}, {"x": 2}, {"e": [{"y": 1}]}):
        asked.request(sent)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ('{"a": NaN}', "a"),
        ('{"b": [1, 1e999]}', "b.1"),
        ('{"c": {"k": [-Infinity]}}', "c.k.0"),
        ('{"e": [{"y": 1}, {"y": NaN}]}', "e.1.y"),
        ('{"f": NaN}', "f"),
        ('{"x": NaN}', "x"),
    ],
)
def test_a_number_that_is_not_finite_is_named_where_it_was_sent(services, sent, place):
    for source in (MADE, MADE.partition("    @model_validator")[0]):
        client = services(source)[0].test_client()
        response = client.post("/api", data=sent, content_type=JSON)
        ((found, reason),) = response.json["errors"].items()
        assert (found, reason.partition(";")[0]) == (place, "Input should be a finite number")


@pytest.mark.slow
@pytest.mark.parametrize("validator", ["", BEFORE])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Json[list[float]]", "[1, NaN]"),
        ("Json[dict[str, Any]]", '{"a": [Infinity]}'),
        ("Json[Part]", '{"size": 1e999}'),
        ("Json", "-Infinity"),
        ("list[Json[float]]", ["NaN"]),
        ("Json[Box[Any]]", '{"inside": [1e999]}'),
        ("Json[Annotated[float, BeforeValidator(abs)]]", "1e999"),
        ("complex", "nan+1j"),
        ("complex", "1+infj"),
        ("Annotated[Decimal, Field(allow_inf_nan=True)]", "Infinity"),
    ],
)
def test_a_number_within_a_text_is_finite_too(services, kind, text, validator):
    source = f"class Input(BaseModel):\n    x: {kind}\n{validator}{SEEN}"
    response = services(source, tail="")[0].test_client().post("/api", json={"x": text})
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, response.text
    ((place, reason),) = response.json["errors"].items()
    assert place.partition(".")[0] == "x" and "finite number" in reason


OTHERS = """
import collections, decimal, fractions, ipaddress, pathlib, re, typing
from pydantic import Base64Str, Base64UrlBytes, SecretStr, WrapValidator

class Point(typing.NamedTuple):
    x: int

class Members(TypedDict):
    x: int

class Tree(BaseModel):
    trees: list["Tree"] = []
"""
ALIKE = [  # a type, a value that it takes, and one that it does not
    ("Base64Bytes", "YWI=", 5),
    ("Base64UrlBytes", "-_8=", [1]),
    ("Base64Str", "YWI=", True),
    ("collections.deque[int]", [1], "1"),
    ("list[collections.deque[Point]]", [[[1]]], [{"1": 1}]),
    ("collections.Counter[str]", {"a": 1}, {"a": "1"}),
    ("collections.OrderedDict[str, float]", {"a": 1}, [["a", 1]]),
    ("collections.defaultdict[str, int]", {"a": 1}, {"a": True}),
    ("frozenset[str]", ["a"], "a"),
    ("tuple[int, ...]", [1, 2], {"1": 2}),
    ("complex", "1+2j", True),
    ("complex", 0.5, [1]),
    ("fractions.Fraction", 0.1, False),
    ("decimal.Decimal", 0.1, True),
    ("UUID", "00000000-0000-4000-8000-000000000000", 1),
    ("pathlib.Path", "a/b", 1),
    ("re.Pattern", "a+", "("),
    ("ipaddress.IPv4Address", "1.2.3.4", 1),
    ("timedelta", "PT1H", 1),
    ("Point", [1], [True]),
    ("Members", {"x": 1}, {"y": 1}),
    ("SecretStr", "a", 1),
]
AROUND = {
    "before": BEFORE,
    "wrap": """
    @model_validator(mode="wrap")
    @classmethod
    def unchanged(cls, given: object, read) -> object:
        return read(given)
""",
    "another field": """
    tree: Tree = Tree()
    other: Annotated[float, WrapValidator(lambda value, read: read(value))] = 0
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("validator", AROUND)
def test_a_value_is_taken_behind_a_validator_as_without_one(services, validator):
    fields = [f"    x{n}: {kind} = None\n" for n, (kind, *_) in enumerate(ALIKE)]
    source, said = f"{OTHERS}class Input(BaseModel):\n{''.join(fields)}", []
    seen = SEEN.replace("inputs.x", "[getattr(inputs, name) for name in inputs.model_fields_set]")
    for own in ("", AROUND[validator]):
        client = services(source + own + seen, tail="")[0].test_client()
        said.append([
            client.post("/api", json={f"x{n}": value}).json
            for n, (_, *values) in enumerate(ALIKE)
            for value in values
        ])  # fmt: skip
    assert ["seen" in one for one in said[0]] == [True, False] * len(ALIKE)
    for without, behind in zip(*said, strict=True):
        assert without.get("seen") == behind.get("seen"), behind
        assert without.get("errors") == behind.get("errors")


NUMBER = "Input should be a valid number; write a number such as 1.5"
HURRIED = """
class Inner(BaseModel):
    y: float = 0
    @model_validator(mode="before")
    @classmethod
    def doubled(cls, given):
        return {**given, "y": given["y"] * 2}
@dataclass
class Spot:
    x: float
class Input(BaseModel):
    inner: Inner | None = None
    inners: list[Inner] = []
    word: Annotated[str, BeforeValidator(lambda given: given.strip())] = ""
    names: Annotated[list[str], WrapValidator(lambda given, read: read(given[:1]))] = []
    spot: Annotated[Spot, BeforeValidator(lambda given: given)] = Spot(1)
    @model_validator(mode="before")
    @classmethod
    def filled(cls, given):
        return {**given, "word": given.get("word", "-")}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ("[]", {"body": "Input should be an object"}),
        ("null", {"body": "Input should be an object"}),
        ('{"inner": [1]}', {"inner": "Input should be an object"}),
        ('{"inners": [{"y": 1}, 5]}', {"inners.1": "Input should be an object"}),
        ('{"inner": {"y": {}}}', {"inner.y": NUMBER}),
        ('{"word": 5}', {"word": "Input should be a valid string"}),
        ('{"names": {"a": 1}}', {"names": "Input should be a valid array"}),
        ('{"spot": 1}', {"spot": "Input should be an object"}),
    ],
)
def test_a_value_that_a_validator_stumbles_over_is_refused_for_its_type(services, sent, errors):
    client = services(HURRIED)[0].test_client()
    found = client.post("/api", data=sent, content_type=JSON).json["errors"]
    assert found == errors
    rows = client.post("/api/batch", data=f'[{sent}, {{"word": " a "}}]', content_type=JSON).json
    assert rows[0]["errors"] == errors and rows[1]["given"]["word"] == "a"


UNIT = 'json_schema_extra={"unit": "kg"}'
BEHIND = {
    f"Annotated[float, Same, Field(gt=0, {UNIT})]": ("number > 0 kg", -1, "greater than 0"),
    f"Annotated[float, Wrap, Field(ge=0, le=1, {UNIT})]": ("0 to 1 kg", 5, "less than or equal"),
    f"Annotated[float | int, Field(gt=0, {UNIT})]": (
        "number > 0 kg or integer > 0 kg",
        0,
        "than 0",
    ),
    "Annotated[int, Same, Field(multiple_of=5)]": ("integer, a multiple of 5", 6, "multiple of 5"),
    "Annotated[Decimal, Same, Field(lt=9)]": ("number < 9", 9, "less than 9"),
    "Annotated[str, Same, Field(min_length=2)]": ("text, 2 or more characters", "a", "at least 2"),
    'Annotated[str, Same, Field(pattern="^a")]': ("text, matches ^a", "b", "match pattern '^a'"),
    "Annotated[list[int], Same, Field(max_length=1)]": (
        "list of at most 1 integers",
        [1, 2],
        "Input should have a length of at most 1, not 2",
    ),
    "Annotated[bytes, Same, Field(max_length=2)]": ("file", "AAAAAAAA", "at most 2, not 6"),
    "Annotated[dict[str, int], Same, Field(min_length=1)]": ("integers by name", {}, "at least 1"),
    "Annotated[date, Same, Field(gt=date(2000, 1, 1))]": ("date", "1999-01-01", "than 2000-01-01"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BEHIND)
def test_a_bound_behind_a_validator_is_told_like_any_other(services, kind):
    told, bad, reason = BEHIND[kind]
    source = "Same = BeforeValidator(lambda given: given)\n"
    source += "Wrap = WrapValidator(lambda given, read: read(given))\n"
    asked = Asked(*services(f"{source}class Input(BaseModel):\n    t: {kind}\n"))
    problem = asked.post({"t": bad}).json
    assert problem["required"]["t"] == f"{told}, required: no description"
    assert reason in problem["errors"]["t"] and "validation" not in problem["errors"]["t"]
    assert asked.takes.is_valid({"t": bad}) is ("date" in kind)
    assert not {"gt", "ge", "lt", "le", "multiple_of"} & {*asked.served.fields["t"].schema}


PATTERNS = {
    "(?i)^abc$": ("ABC", "Matches (?i)^abc$"),
    r"\\A[[:alpha:]]+\\z": ("ABC", r"Matches \A[[:alpha:]]+\z"),
    r"^\\p{L}+$": ("é", r"Matches ^\p{L}+$"),
    "^[a-z&&[^b]]$": ("a", "Matches ^[a-z&&[^b]]$"),
    r"^[\\w.-]+--\\d$": ("a--1", r"matches ^[\w.-]+--\d$"),
}


@pytest.mark.slow
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_that_a_schema_cannot_say_is_told_in_words(services, pattern):
    field = f'Annotated[str, Field(pattern="{pattern}")]'
    source = f"class Input(BaseModel):\n    t: {field}\n    d: dict[{field}, int] = {{}}\n"
    asked, (good, told) = Asked(*services(source)), PATTERNS[pattern]
    asked.request({"t": good, "d": {good: 1}})
    problem = asked.post({"t": "1", "d": {"1": 1}}).json
    assert told in problem["required"]["t"] and problem["errors"].keys() == {"t", "d.1"}


RECORDS = """
import dataclasses
from enum import IntFlag
from typing import NamedTuple
class Access(IntFlag):
    READ = 4
    WRITE = 2
class Point(NamedTuple):
    x: float
    y: float = 0
@dataclasses.dataclass(kw_only=True)
class Run:
    n: int
    steps: list[float] = dataclasses.field(default_factory=list)
    cache: int = dataclasses.field(default=3, init=False)
class Members(TypedDict, total=False):
    a: Required[int]
    b: str
class Ox(BaseModel):
    kind: Literal["ox"] = "ox"
    weight: float = 1
class Input(BaseModel):
    access: Access = Access.READ
    point: Point = Point(1)
    points: list[Point] = []
    run: Run | None = None
    members: Members = {"a": 1}
    ox: Annotated[Ox | Dog, Field(discriminator="kind")] = Ox()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("good", "bad", "errors"),
    [
        ({"access": 6}, {"access": "READ"}, {"access": "Input should be 4 or 2"}),
        ({"point": [1, 2]}, {"point": [1, 2, 3]}, {"point": "Input should have at most 2 items"}),
        ({"point": {"x": 1}}, {"point": {"y": 1}}, {"point.x": "Field required"}),
        ({"points": [[1], {"x": 1, "y": 2}]}, {"points": [["a"]]}, {"points.0.0": "Input should"}),
        ({"run": {"n": 1}}, {"run": {"n": 1, "cache": 3}}, {"run.cache": "No such field"}),
        ({"run": {"n": 1, "steps": [1]}}, {"run": {"steps": []}}, {"run.n": "Field required"}),
        ({"members": {"a": 1, "b": "x"}}, {"members": {"b": "x"}}, {"members.a": "Field required"}),
        ({"ox": {"kind": "ox"}}, {"ox": {"weight": 2}}, {"ox": "Give 'kind'"}),
    ],
)
def test_records_of_every_kind_are_described_as_they_are_read(services, good, bad, errors):
    asked = Asked(*services(RECORDS))
    asked.request(good)
    found = asked.post(bad).json["errors"]
    assert found.keys() == errors.keys()
    assert all(found[place].startswith(errors[place]) for place in errors), found
    assert not asked.takes.is_valid(bad)


ROOTS = """
class Masses(RootModel[dict[str, float]]):
    pass
class Input(BaseModel):
    masses: Masses = Field(description="Masses")
    part: RootModel[Part] | None = None
    roots: list[RootModel[Literal[1, 2]]] = []
    root: RootModel[RootModel[float]] = RootModel(1)
"""


def test_a_model_of_anything_is_described_as_what_it_holds(services):
    asked = Asked(*services(ROOTS))
    asked.request({"masses": {"a": 1.5}, "part": {"size": 1}, "roots": [1, 2], "root": 2})
    for sent in {"masses": {"a": "x"}}, {"masses": {}, "part": {"sise": 1}}, {"masses": 1}:
        assert "errors" in asked.post(sent).json and not asked.takes.is_valid(sent)
    required = asked.post({}).json["required"]
    assert required["masses"] == "numbers by name, required: Masses"
    assert required["root"].startswith("number, ")


def test_a_list_that_is_read_one_by_one_is_checked_before_the_model_sees_it(services):
    source = "from collections.abc import Iterable\nclass Input(BaseModel):\n    x: Iterable[int]\n"
    asked = Asked(*services(source))
    assert asked.post({"x": [1, 2]}).json == {"given": {"x": [1, 2]}}
    assert asked.post({"x": [1, "a"]}).json["errors"].keys() == {"x.1"}


OUTPUT = """
class Input(BaseModel):
    x: Json[list[int]] = []
class Output(BaseModel, ser_json_inf_nan={0!r}):
    size: float = math.nan
    sizes: list[float] = [math.inf]
    pairs: dict[tuple[int, int], float] = {{(1, 2): 3}}
    years: dict[int | None, float] = {{None: 1, 1990: 2}}
    parts: dict[float, Level] = {{math.nan: Level.LOW}}

def predict(inputs: Input) -> Output:
    return Output()
"""


@pytest.mark.parametrize("written", ["null", "constants", "strings"])
def test_an_answer_is_json_as_described_whatever_its_author_wants_of_nan(services, written):
    asked = Asked(*services(OUTPUT.format(written), tail=""))
    answer = asked.post({}).json  # which is checked against the description
    assert (answer["size"], answer["sizes"]) == (None, [None])
    assert (answer["pairs"], answer["years"]) == ({"1,2": 3}, {"None": 1, "1990": 2})


FAILING = """
def failing():
    yield 1
    raise {}
"""


@pytest.mark.parametrize("kind", ["Iterable[float]", "Any", "dict"])
@pytest.mark.parametrize("error", ["ZeroDivisionError", "LookupError('lost')", "TypeError"])
def test_an_iterator_that_fails_gives_no_answer_of_its_rest(services, kind, error):
    given = '{"a": failing()}' if kind == "dict" else "failing()"
    more = "from collections.abc import Iterable" + FAILING.format(error)
    client = services(ANSWERS.format(more, kind, "", given), tail="")[0].test_client()
    assert client.post("/api", json={}).status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    (row,) = client.post("/api/batch", json=[{}]).json
    assert row["status"] == HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize("given", ["iter([1, 2])", "(x for x in (1, 2))", "map(float, [1, 2])"])
def test_an_iterator_is_answered_as_a_list(services, given):
    for kind in ("Iterable[float]", "Any"):
        more = "from collections.abc import Iterable"
        client = services(ANSWERS.format(more, kind, "", given), tail="")[0].test_client()
        assert client.post("/api", json={}).json == {"v": [1, 2]}


ANSWERS = """
class Input(BaseModel):
    x: int = 0
{0}
class Output(BaseModel):
    v: {1}
    {2}

def predict(inputs: Input) -> Output:
    return Output(v={3})
"""
HALF, TELL = (
    "PlainSerializer(lambda v: v / 2)",
    "PlainSerializer(lambda v: str(v), return_type=str)",
)
INSIDE = """
class Inner(BaseModel):
    v: float
    @model_serializer{0}
    def written(self{1}) -> dict[str, float]:
        return {{"v": self.v / 2, "w": math.nan}}
"""
# Serializers of an author: classes, the type of a field, its serializers, a value
SERIALIZED = {
    "float": ("", f"Annotated[float, {HALF}]", "", "1.5"),
    "int to str": ("", f"Annotated[int, {TELL}]", "", "3"),
    "str": ("", "Annotated[str, PlainSerializer(str.upper)]", "", "'a'"),
    "date": ("", f"Annotated[date, {TELL}]", "", "date(2024, 2, 29)"),
    "Decimal": ("", "Annotated[Decimal, PlainSerializer(float, return_type=float)]", "", "'1.5'"),
    "list": ("", "Annotated[list[int], PlainSerializer(sum, return_type=int)]", "", "[1, 2]"),
    "set": ("", "Annotated[set[str], PlainSerializer(sorted)]", "", "{'b', 'a', 'c'}"),
    "bytes": ("", "Annotated[bytes, PlainSerializer(bytes.hex, return_type=str)]", "", "b'+'"),
    "base64": ("", f"Annotated[Base64Bytes, {TELL}]", "", "b'YWI='"),
    "in a list": ("", f"list[Annotated[float, {HALF}]]", "", "[1, 2]"),
    "in a dict": ("", f"dict[str, Annotated[float, {TELL}]]", "", "{'a': 1}"),
    "a name": ("Name = TypeAliasType('Name', str)", "Name", "w: Name = 'a'\n"
               "    @field_serializer('v', 'w')\n    def t(self, v) -> str: return 'w'", "'v'"),
    "or null": ("", f"Annotated[float, {HALF}] | None", "", "1.5"),
    "or a text": ("", f"float | Annotated[str, {TELL}] | None", "", "1.5"),
    "a field": ("", "float", "@field_serializer('v')\n    def w(self, v) -> str: return 'w'", "1"),
    "a wrap": ("", "int", "@field_serializer('v', mode='wrap')\n"
               "    def w(self, v, write) -> list[int]: return [write(v)]", "1"),
    "a date in a list": ("", "Annotated[date, WrapSerializer(listed)]", "", "date(2024, 2, 29)"),
    "a set in a list": ("", "Annotated[set[int], WrapSerializer(listed)]", "", "{1, 2}"),
    "computed": ("", "float", f"@computed_field\n    def w(self) -> Annotated[float, {HALF}]:"
                 " return self.v", "1.5"),
    "encoders": ("", "float", "model_config = {'json_encoders': {float: lambda v: v / 2}}", "1.5"),
    "a model": (INSIDE.format("", ""), "Inner", "", "Inner(v=1)"),
    "models": (INSIDE.format("(mode='wrap')", ", write"), "list[Inner]", "", "[Inner(v=1)]"),
    "by a tag": ("class One(BaseModel):\n    kind: Literal['a'] = 'a'\n"
                 "    @model_serializer\n    def w(self): return {'z': 1}\n"
                 "class Two(BaseModel):\n    kind: Literal['b'] = 'b'\n",
                 "Annotated[One | Two, Field(discriminator='kind')]", "", "One()"),
    "NaN": ("", "Annotated[float, PlainSerializer(lambda v: math.nan)]", "", "1.5"),
    "NaN within": ("", "Annotated[Any, PlainSerializer(lambda v: {'a': [math.nan]})]", "", "1.5"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`json_encoders` is deprecated")
@pytest.mark.parametrize("name", SERIALIZED)
def test_a_serializer_of_the_author_writes_the_answer(services, name):
    asked = Asked(*services(ANSWERS.format(*SERIALIZED[name]), tail=""))
    assert asked.post({}).json == asked.directly({})  # which is checked against the description


SILENT = {
    "a text for a number": ("", "Annotated[float, PlainSerializer(lambda v: f'{v} kg')]", "", "1"),
    "a bound": ("", "Annotated[int, Field(ge=0, le=9), PlainSerializer(lambda v: -v)]", "", "5"),
    "a length": ("", "Annotated[list[int], Field(min_length=2), PlainSerializer(len)]", "",
                 "[1, 2]"),
    "in a list": ("", "list[Annotated[date, PlainSerializer(date.toordinal)]]", "",
                  "[date(1, 1, 1)]"),
    "a choice": ("", "Annotated[Literal['a'], PlainSerializer(str.upper)]", "", "'a'"),
    "a field": ("", "int", "@field_serializer('v')\n    def w(self, v): return [v]", "1"),
    "a wrap": ("", "Annotated[date, WrapSerializer(lambda v, write: {'on': write(v)})]", "",
               "date(1, 1, 1)"),
    "a record": ("", "Annotated[Part, PlainSerializer(lambda v: v.size)]", "", "Part(size=1)"),
    "records": ("", "Annotated[Part, PlainSerializer(lambda v: v.size)]", "w: Part = Part(size=2)",
                "Part(size=1)"),
    "a list for a record": ("class Inner(BaseModel):\n    v: float\n    @model_serializer\n"
                            "    def w(self): return [self.v]\n", "Inner", "", "Inner(v=1)"),
    "a member of a record": ("class Inner(BaseModel):\n    v: float\n"
                             "    @model_serializer(mode='wrap')\n    def w(self, write):\n"
                             "        return write(self) | {'v': 'much'}\n",
                             "list[Inner]", "", "[Inner(v=1)]"),
    "or null": ("", "float | None", "@field_serializer('v', when_used='unless-none')\n"
                "    def w(self, v): return 'some'", "1"),
    "encoders": ("", "float", "model_config = {'json_encoders': {float: str}}", "1.5"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`json_encoders` is deprecated")
@pytest.mark.parametrize("name", SILENT)
def test_nothing_is_promised_of_what_a_serializer_gives_that_does_not_say_it(services, name):
    asked = Asked(*services(ANSWERS.format(*SILENT[name]), tail=""))
    assert asked.post({}).json == asked.directly({})  # which is checked against the description


def test_a_description_and_a_unit_are_said_also_where_a_serializer_writes(services):
    field = "Annotated[float, PlainSerializer(abs)] = Field(description='The size', **KG)"
    source = ANSWERS.format("KG = {'json_schema_extra': {'unit': 'kg'}}", field, "", "1")
    named = Asked(*services(source, tail="")).described["components"]["schemas"]
    told = named["Output"]["properties"]["v"]
    assert told == {"title": "V", "description": "The size", "unit": "kg"}


@pytest.mark.parametrize(
    ("head", "raised", "words"),
    [
        ("(KeyError): pass", "'no convergence'", "no convergence"),
        ("(KeyError): pass", "", "The model refuses this input."),
        ("(KeyError): pass", "'a', 'b'", "('a', 'b')"),
        ("(KeyError):\n    __str__ = lambda self: f'no {self.args[0]}'", "'a'", "no a"),
        ("(Exception): pass", "'no convergence'", "no convergence"),
    ],
)
def test_the_words_of_a_refusal_have_no_quotes_of_python(services, head, raised, words):
    source = f"class Refusal{head}\nclass Input(BaseModel):\n    x: int = 0\n"
    source += f"def predict(inputs: Input) -> Input:\n    raise Refusal({raised})\nOutput = Input\n"
    answer = services(source, tail="")[0].test_client().post("/api", json={}).json
    assert answer["detail"].startswith(words), answer


CHANGED = """
Kelvin = Annotated[float, Field(le=100), AfterValidator(lambda celsius: celsius + 273.15)]
Degree = Annotated[float, Field(gt=0)]

class Spot(BaseModel):
    x: float = Field(0, ge=0, serialization_alias="X")
    level: Level = Level.LOW

class Far(Spot, extra="forbid"):
    y: int = 0

@dataclass
class Plain:
    x: float = 0

class Input(BaseModel):
    number: int = 0

class Output(BaseModel, extra="forbid"):
    n: int = Field(1, ge=0, validation_alias="N")
    text: str = "-"
    choice: Literal["a", "b"] = "a"
    spot: Spot = Spot()
    spots: list[Spot] = []
    by_name: dict[str, Spot | None] = {}
    pet: Pet = Cat(kind="cat", lives=9)
    kelvin: Kelvin = 27
    note: str = None
    when: date = date(2024, 2, 29)
    several: set[int] = set()
    plain: Plain = Plain()
    seen: int = 0

    @model_validator(mode="after")
    def count(self):
        self.seen += 1
        return self

def predict(inputs: Input) -> Output:
    return written(inputs)

def predict_batch(rows):
    return [written(row) for row in rows]

def written(inputs):
    output = Output(N=inputs.number)
    pass
    return output
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        "output.n = -1",
        "output.n = 1.5",
        "output.n = '1'",
        "output.n = True",
        "output.text = None",
        "output.choice = 'c'",
        "output.spot.x = -1",
        "output.spot = None",
        "output.spot.level = 3",
        "output.spots.append(1)",
        "output.spots.append(Spot.model_construct(x=-1))",
        "output.by_name['a'] = Spot.model_construct(x='much')",
        "output.spot = {'x': 1}",
        "output.spots.append({'x': 1, 'level': 1, 'label': 'SECRET'})",
        "output.by_name['a'] = {'x': 1, 'level': 1}",
        "output.pet = {'kind': 'cat', 'lives': 9}",
        "output.plain = {'x': 1}",
        "output.pet.lives = 'nine'",
        "output.note = 5",
        "output.when = '2024-02-30'",
        "output.several.add('a')",
        "output = Output.model_construct(n=1)\n    del output.text",
        "output = Output.model_construct(n=None)",
        "output = Output(N=1).model_copy(update={'n': -5})",
    ],
)
def test_an_answer_that_was_changed_into_another_type_is_none(services, caplog, change):
    client = services(CHANGED.replace("pass", change), tail="")[0].test_client()
    assert client.post("/api", json={}).status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert re.search(r"Output\S* does not fit its description", caplog.text)
    assert "SECRET" not in caplog.text
    (row,) = client.post("/api/batch", json=[{}]).json
    assert row["status"] == HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("pass", {"n": 0, "note": None, "kelvin": 27, "seen": 1}),
        ("output.n = 5", {"n": 5, "seen": 1}),
        ("output.spot.x = math.nan", {"spot": {"X": None, "level": 1}}),
        ("output.spot = Far(x=1, y=2)", {"spot": {"X": 1, "level": 1}}),
        ("output = Output(N=1, kelvin=99)", {"kelvin": 372.15}),
        ("output = Output.model_construct(n=7)", {"n": 7, "seen": 0}),
        ("output.note = 'a'", {"note": "a"}),
        ("output.pet = Dog(kind='dog', name='Rex')", {"pet": {"kind": "dog", "name": "Rex"}}),
        ("output = dict(N=3)", {"n": 3, "seen": 1}),
        ("import numpy; output.n = numpy.int64(4)", {"n": 4}),
        ("import numpy; output.spot.x = numpy.float32(0.5)", {"spot": {"X": 0.5, "level": 1}}),
        ("import numpy; output.spots = [Spot(x=numpy.float64(1))]",
         {"spots": [{"X": 1, "level": 1}]}),
    ],
)  # fmt: skip
def test_an_answer_that_fits_after_a_change_is_sent_and_no_validator_reads_it_again(
    services, change, found
):
    find_spec("numpy") or missing("numpy")
    client = services(CHANGED.replace("pass", change), tail="")[0].test_client()
    answer = client.post("/api", json={}).json
    assert {name: answer[name] for name in found} == found


def test_a_serializer_gives_bytes_in_base64(services):
    for kind in (
        "Annotated[bytes, WrapSerializer(listed)]",
        "list[Annotated[bytes, PlainSerializer(bytes, return_type=bytes)]]",
    ):
        given = "b'\\xff'" if "Wrap" in kind else "[b'\\xff']"
        asked = Asked(*services(ANSWERS.format("", kind, "", given), tail=""))
        assert asked.post({}).json == {"v": ["/w=="]}


def test_a_text_that_should_hold_json_is_refused_by_its_name(services):
    client = services(OUTPUT.format("null"), tail="")[0].test_client()
    for value, reason in {"[1,": "Invalid JSON", 1: "Input should be a text that holds"}.items():
        response = client.post("/api", json={"x": value})
        assert response.json["errors"]["x"].startswith(reason), response.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("complex", "x", "Input should be a complex number such as 1+2j"),
        ("Literal[Level.LOW, 'a']", "x", "Input should be 1 or 'a'"),
        (
            "Decimal",
            "1.5 m",
            "Input should be a valid decimal; write a decimal number such as 1.50",
        ),
        ("Annotated[Decimal, Field(max_digits=2)]", 111, "Input should have no more than 2 digits"),
    ],
)
def test_a_refusal_has_no_words_of_python(services, kind, value, reason):
    client = services(f"class Input(BaseModel):\n    x: {kind}\n")[0].test_client()
    assert client.post("/api", json={"x": value}).json["errors"]["x"].startswith(reason)


@pytest.mark.parametrize(
    ("value", "place", "hint"),
    [
        ([{"day": "2024-02-29", "mass": "3,5"}], "x.0.mass", "point and not a comma"),
        ([{"day": "29.02.2024", "mass": 3.5}], "x.0.day", "a date such as 2024-02-29"),
        ([{"day": "2024-02-29", "mass": -1}], "x.0.mass", "Input should be greater than 0"),
    ],
)
def test_what_is_wrong_in_a_row_gets_the_hint_for_its_member(services, value, place, hint):
    source = "class Row(BaseModel):\n    day: date\n    mass: Mass\n"
    source += "class Input(BaseModel):\n    x: list[Row]\n"
    client = services(source)[0].test_client()
    assert client.post("/api", json={"x": value}).json["errors"][place].endswith(hint)
    link = client.get("/api", query_string={"x": json.dumps(value)})
    assert link.json["errors"][place].endswith(hint)


SEEDED = """
import random
def even(seed):
    if seed is not None and seed % 2:
        raise ValueError("not even")
    return seed
class Input(BaseModel):
    seed: {0} = None
    _source: Any = None
    def model_post_init(self, context):
        self._source = random.Random(self.seed)
class Output(BaseModel):
    drawn: float
def predict(inputs: Input) -> Output:
    return Output(drawn=inputs._source.random())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "int | None",
        "Annotated[int, Field(ge=1, multiple_of=10**6)] | None",
        "Annotated[int, Field(ge=0, le=1e9)] | None",
        "Annotated[int, Field(ge=0.0, multiple_of=2.0)] | None",
        "Literal[1, 2, 3] | None",
        "Annotated[int | None, AfterValidator(even)]",
        "Annotated[int | None, AfterValidator(lambda seed: seed and seed + 1)]",
    ],
)
def test_the_seed_that_is_told_gives_the_same_answer_whatever_is_made_of_it(services, kind):
    client = services(SEEDED.format(kind), tail="")[0].test_client()
    for sent in "{}", ' { "seed" : null } ':
        answer = client.post("/api", data=sent, content_type=JSON)
        assert answer.status_code == HTTPStatus.OK, answer.text
        again = client.get("/api", query_string={"seed": answer.headers["Model-Seed"]})
        assert again.json == answer.json


def test_an_input_that_takes_no_seed_asks_for_one(services):
    kind = "Annotated[int, AfterValidator(lambda seed: seed if seed == 7 else 1 / 0)] | None"
    kind = kind.replace("1 / 0", "refused_if_unlucky(13)")
    client = services(SEEDED.format(kind), tail="")[0].test_client()
    answer = client.post("/api", json={})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.json["errors"]["seed"].startswith("Give a seed")
    assert client.get("/api?seed=7").status_code == HTTPStatus.OK


MOVED = """
    @model_validator(mode="before")
    @classmethod
    def renamed(cls, given):
        if "random_state" in given:
            given["seed"] = given.pop("random_state")
        return given
"""


@pytest.mark.parametrize(
    ("kind", "more", "sent"),
    [
        ("int | None", MOVED, {"random_state": None}),
        ("Annotated[int | None, AfterValidator(lambda seed: None)]", "", {}),
    ],
)
def test_a_drawn_seed_that_a_validator_loses_is_not_told(services, kind, more, sent):
    source = SEEDED.format(kind).replace("    _source", f"{more}    _source")
    client = services(source, tail="")[0].test_client()
    answer = client.post("/api", json=sent)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, answer.text
    assert answer.json["errors"]["seed"].startswith("Give a seed")
    assert "Model-Seed" not in answer.headers


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ('random: int | None = Field(None, alias="seed")', {"seed": None}),
        ('seed: int | None = Field(None, validation_alias=AliasChoices("seed", "rng"))', {}),
        (
            'seed: int | None = Field(None, validation_alias=AliasChoices("seed", "rng"))',
            {"rng": None},
        ),
    ],
)
def test_a_seed_of_another_name_is_an_ordinary_field(services, field, sent):
    client = services(f"class Input(BaseModel):\n    {field}\n")[0].test_client()
    answer = client.post("/api", json=sent)
    assert answer.status_code == HTTPStatus.OK, answer.text
    assert "Model-Seed" not in answer.headers


PICTURED = """
Png = Annotated[bytes, Field(json_schema_extra={"contentMediaType": "image/png"})]
class Input(BaseModel):
    is_drawn: bool = True
class Plot(BaseModel):
    map: Png | None = None
class Count(BaseModel):
    map: int = 3
class Note(BaseModel):
    text: str = ""
def predict(inputs: Input):
    return Output(Plot(map=b"image") if inputs.is_drawn else OTHER)
"""


@pytest.mark.slow
@pytest.mark.parametrize("other", ["Count()", "Note()", "None", "Plot()"])
def test_a_picture_that_an_answer_lacks_is_not_acceptable(services, other):
    output = "class Output(RootModel):\n    root: Plot | Count | Note | None\n"
    tail = output + f"OTHER = {other}\n"
    client = services(PICTURED, tail)[0].test_client()
    headers = {"Accept": "image/png"}
    answer = client.get("/api", headers=headers)
    assert (answer.status_code, answer.data) == (HTTPStatus.OK, b"image")
    missing = client.get("/api?is_drawn=false", headers=headers)
    assert missing.status_code == HTTPStatus.NOT_ACCEPTABLE, missing.text
    both = {"Accept": "image/png, application/json;q=0.5"}
    assert client.get("/api", headers=both).data == b"image"
    found = client.get("/api?is_drawn=false", headers=both)
    assert (found.status_code, found.mimetype) == (HTTPStatus.OK, JSON)
    assert "Content-Security-Policy" not in found.headers
    answers = client.get("/openapi.json").json["paths"]["/api"]["get"]["responses"]["200"]
    assert "image/png" in answers["content"]


WORDLESS = "Not taken by a check of the model"
CHECKS = """
def wordless(value):
    if not value:
        raise ValueError()
    return value
def asserted(value):
    assert value
    return value
def worded(value):
    raise ValueError("Name the day")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fields", "sent", "errors"),
    [
        ("x: Annotated[int, AfterValidator(wordless)]", {"x": 0}, {"x": WORDLESS}),
        ("x: Annotated[int, AfterValidator(asserted)]", {"x": 0}, {"x": WORDLESS}),
        ("x: Annotated[date, BeforeValidator(worded)]", {"x": "1 May"}, {"x": "Name the day"}),
        (
            "x: int\n    y: int = Field(default_factory=lambda data: data['x'])",
            {},
            {"x": "Field required"},
        ),
    ],
)
def test_a_reason_is_what_the_author_says(services, fields, sent, errors):
    source = f"{CHECKS}class Input(BaseModel):\n    {fields}\n"
    client = services(source)[0].test_client()
    assert client.post("/api", json=sent).json["errors"] == errors
    assert client.get("/api", query_string=sent).json["errors"] == errors


def test_only_a_name_of_the_row_itself_may_be_kept(services):
    client = services("class Input(BaseModel):\n    x: Part\n")[0].test_client()
    row = {"x": {"size": 1, "more": 1}, "name": 1}
    errors = client.post("/api/batch", json=[row]).json[0]["errors"]
    assert errors["x.more"] == "No such field"
    assert "?keep=" in errors["name"]


def test_what_is_wrong_in_a_member_gets_no_hint_for_the_whole(services):
    client = services("class Input(BaseModel):\n    x: Mass | dict[str, Mass]\n")[0].test_client()
    errors = client.post("/api", json={"x": {"a": -1}}).json["errors"]
    assert errors == {"x.a": "Input should be greater than 0"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "first", "other"),
    [
        ("float", "1", "1.0"),
        ("float | str", "1e1", "10"),
        ("Decimal", "1.10", "1.1"),
        ("datetime", "2024-02-29T08:00", "2024-02-29T08:00:00"),
        ("UUID", "ABCDEFAB-1234-5678-1234-567812345678", "abcdefab-1234-5678-1234-567812345678"),
        ("Annotated[int, AfterValidator(abs)]", "1", "-1"),
        ("Annotated[str, AfterValidator(str.lower)]", "A", "a"),
    ],
)
def test_two_names_of_one_key_are_refused_with_both(services, keys, first, other):
    fields = f"    x: dict[{keys}, int]\n    y: list[dict[{keys}, bool]] = []\n"
    client = services(f"class Input(BaseModel):\n{fields}{SEEN}", tail="")[0].test_client()
    assert client.post("/api", json={"x": {first: 1}}).status_code == HTTPStatus.OK
    reason = f'"{first}" and "{other}" mean the same: give one'
    sent = {"x": {first: 1, other: 2}}
    expected = None if keys == "float | str" else {"x": reason}  # where each is a text
    assert client.post("/api", json=sent).json.get("errors") == expected
    sent = {"x": {}, "y": [{}, {first: True, "-": 0, other: False}]}
    refused = client.post("/api", json=sent).json["errors"]
    assert all(place.startswith("y.1") for place in refused)


ALL_KEYS = {
    "Decimal": ("1.10 -3 .5 1e3", "x NaN"),
    "int | float": ("1 1.5 -2e5", "x +1"),
    "Level": ("1 2", "3 1.0 LOW"),
    'Literal[1, "x", True]': ("1 x true", "2 True y"),
    'Literal[1, "1"]': ("1", "2"),
    "bool": ("true false", "1 True yes"),
    "int | None": ("1", "null None"),
    "date": ("2024-02-29", "2024 x"),
    "date | int": ("2024-02-29 5", "x 5.5"),
    "datetime | time": ("2024-02-29T08:00:00 08:00:00", "x 5"),
    "UUID": ("12345678-1234-5678-1234-567812345678", "x"),
    "Colour | int": ("red 5", "RED 5.5"),
    "Annotated[int, Field(ge=0)]": ("0 5", "-0 -1 +1 05"),
    "Annotated[int, Field(gt=-3, le=2)]": ("-2 0 2", "-3 3 -0"),
    "Mass": ("5 0.5", "x"),
    "str | int": ("x 5 -", ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("keys", ALL_KEYS)
def test_the_names_of_an_object_are_described_as_its_keys_are_read(services, keys):
    fields = f"    x: dict[{keys}, int]\n    y: list[dict[{keys}, bool]] = []\n"
    asked = Asked(*services(f"class Input(BaseModel):\n{fields}"))
    good, bad = map(str.split, ALL_KEYS[keys])
    for name in good:
        asked.request({"x": {name: 1}, "y": [{name: True}]}, is_model_asked=False)
    for name in bad:
        response = asked.post({"x": {name: 1}})
        assert response.json["errors"][f"x.{name}"].startswith("Name should be"), response.text
        assert not asked.takes.is_valid({"x": {name: 1}}), name


def test_the_bounds_of_keys_are_told(services):
    source = "class Input(BaseModel):\n    x: dict[Annotated[int, Field(ge=0, le=9)], float]\n"
    source += "    y: dict[date | Level, float] = {}\n"
    required = services(source)[0].test_client().post("/api", json={}).json["required"]
    assert required["x"] == "numbers by name (integer, 0 to 9), required: no description"
    names = 'date or "1" (LOW) or "2" (HIGH)'
    assert required["y"] == f"numbers by name ({names}), optional: no description"


ENDS = ("-1000001 -31 -30.5 -30 -29.75 -1 -0.5 0 0.05 0.049 0.5 1 1.5 9 10 99 100 999 1000 1000.0 "
        "1000.5 1001 2000 1000001")  # fmt: skip


BOUNDS = "ge=0;gt=0;le=0;lt=0;gt=-30;ge=1, le=1000;gt=1, lt=1000;ge=-30, lt=9;ge=99, lt=100"
FRACTIONS = "ge=0.05;gt=-29.75, le=1000.5;lt=0.5;le=1e99"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int", "float", "Decimal"])
@pytest.mark.parametrize("bounds", [*BOUNDS.split(";"), *FRACTIONS.split(";")])
def test_a_name_is_a_number_within_the_bounds_of_its_keys(services, kind, bounds):
    if kind == "int" and bounds in FRACTIONS:
        pytest.skip("An integer has no such bound.")
    keys = f"Annotated[{kind}, Field({bounds})]"
    asked = Asked(*services(f"class Input(BaseModel):\n    x: dict[{keys}, int]\n"))
    for name in ENDS.split():
        sent = {"x": {name: 1}}
        is_taken = asked.post(sent).status_code == HTTPStatus.OK
        assert asked.takes.is_valid(sent) is is_taken, name


def test_digits_without_end_are_refused_at_once(services):
    client = services("class Input(BaseModel):\n    t: Decimal\n    u: UUID\n")[0].test_client()
    begun = time.perf_counter()
    for name, text in {"t": 20_000 * "1" + "x", "u": 20_000 * "a" + "\nz"}.items():
        answer = client.get("/api", query_string={name: text})
        assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert time.perf_counter() - begun < 1  # a pattern that tries all ends takes ten


@contextmanager
def noted(words: object) -> Iterator[None]:
    """Name what was asked, if something fails."""
    try:
        yield
    except Exception as error:
        error.add_note(str(words))
        raise


def ask(services, case: Case, client: Wire | None = None) -> Asked:
    """Ask a model everything."""
    asked = Asked(*services(case.source), case.source, client)
    with noted(case):
        for request in case.requests:
            asked.request(request)
        for other in case.others:
            asked.other(other)
        for query in case.texts:
            asked.texts(query)
    return asked


FEW = 5 if settings.default.max_examples < 100 else 50


@pytest.mark.slow
# Each example starts a service, so a failing one is not made smaller.
@settings(
    max_examples=FEW,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(case=cases() | st.sampled_from(sorted(FAILED.values(), key=str)))
def test_a_model_process_answers_as_the_same_model_does_here(
    services, serve, cookies_session, case
):
    project = cookies_session.bake().project_path
    swapped(project, HEAD + case.source + TAIL, records=False)
    with serve(project, MODEL_CHECK="false", MODEL_PROCESSES="1", WEB_CONCURRENCY="1") as server:
        ask(services, case, Wire(server.port))
    assert "Traceback" not in server.log.read_text()


PHASES = [Phase.explicit, Phase.generate, Phase.shrink]
HALF = 25 if settings.default.max_examples < 100 else 1000
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
drawn = settings(max_examples=HALF, deadline=None, suppress_health_check=SLOW, phases=PHASES)


def served_as_it_is(services, case: Case, data: st.DataObject) -> None:
    """Ask a model everything, and what its description allows."""
    asked = ask(services, case)
    schemas = asked.described["components"]["schemas"]
    for _ in range(3):
        allowed = data.draw(allowed_by(asked.takes.schema, schemas))
        with noted(f"{case.source}\n{allowed}"):
            asked.allowed(allowed)


# Two tests, so that two processes can share them: each name draws models of its own.
@drawn
@given(case=cases(), data=st.data())
def test_a_model_that_nobody_wrote_is_served_as_it_is(services, case, data):
    served_as_it_is(services, case, data)


@drawn
@given(case=cases(), data=st.data())
def test_another_model_that_nobody_wrote_is_served_as_it_is(services, case, data):
    served_as_it_is(services, case, data)
