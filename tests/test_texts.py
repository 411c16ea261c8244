"""Texts in links and tables, read as the JSON that they stand for, through a real Gunicorn."""

import csv
import io
import json
from urllib.parse import urlencode

import pytest
from conftest import swapped
from test_models import post

pytestmark = pytest.mark.slow

SOURCE = """
from typing import Literal
from pydantic import AliasChoices, BaseModel, Field

class Place(BaseModel):
    lat: float = Field(ge=-90, le=90, json_schema_extra={"unit": "°"})

class Row(BaseModel):
    day: int = Field(validation_alias=AliasChoices("day", "d"))
    flow: float | None
    at: Place = Place(lat=0)

class Linear(BaseModel):
    kind: Literal["linear"] = "linear"
    slope: float

class Constant(BaseModel):
    kind: Literal["constant"] = "constant"

class Input(BaseModel):
    labels: list[str | None] = Field([], examples=[[None, "a"]])
    mixed: list[float | str] = []
    tags: list[str] = []
    flow: float | None = Field(1, ge=0, json_schema_extra={"unit": "m3/s"})
    count: int = 1
    switch: bool = True
    tiny: float = Field(1, gt=1e-300, lt=1e300)
    flows: dict[Literal[1, "1"], float] = {}
    pair: tuple[int, str] = (1, "a")
    times: list[float] = []
    rows: list[Row] = Field([], max_length=4000)
    trend: Linear | Constant = Field(Constant(), discriminator="kind")
    matrix: list[list[float]] = Field([], examples=[[[1, 0.5], [0.5, 1]]])

class Output(BaseModel):
    labels: list[str | None]
    mixed: list[float | str]
    tags: list[str]

def predict(inputs: Input) -> Output:
    return Output(labels=inputs.labels, mixed=inputs.mixed, tags=inputs.tags)
"""


@pytest.fixture(scope="module")
def server(cookies_session, serve):
    """A service whose model takes values that a text may say in several ways."""
    with serve(swapped(cookies_session.bake().project_path, SOURCE)) as started:
        yield started
    assert "Traceback" not in started.log.read_text()


def ask(server, **texts: str) -> dict:
    """The answer to a link."""
    return json.loads(server.get(f"/api?{urlencode(texts, doseq=True)}").body)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("labels", '[null, "a"]', [None, "a"]),
        ("labels", '["a", null]', ["a", None]),
        ("labels", "null", ["null"]),
        ("mixed", '[1, "a"]', [1, "a"]),
        ("mixed", "[1, 2]", [1, 2]),
        ("mixed", "[O-]", ["[O-]"]),
        ("tags", "[1]", ["[1]"]),
        ("tags", '["1"]', ["1"]),
    ],
)
def test_the_json_of_a_list_is_that_list_whatever_its_first_item_is(server, name, text, value):
    assert ask(server, **{name: text})[name] == value
    if text[:1] + text[-1:] == "[]" and value != [text]:
        cells = json.dumps(text).replace('\\"', '""')
        status, table = post(server, "/api/batch", f"{name}\n{cells}\n", "text/csv")
        (row,) = csv.DictReader(io.StringIO(table))
        assert (status, json.loads(row[name])) == (200, value)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("count", "1" * 5000, "Input should be a valid integer; write at most 4300 digits"),
        ("switch", "1", "Input should be a valid boolean; write true or false"),
        ("flows", "2020:1", 'Write JSON, such as {"name": 1}: '),
        ("pair", "(1,2)", 'Write JSON, such as [1, "a"]: '),
        ("matrix", "1 2", "Write JSON, such as [[1, 0.5], [0.5, 1]]: "),
        ("trend", "linear", 'Write JSON, such as {"kind": "constant"}: '),
    ],
)
def test_a_link_that_is_refused_says_what_to_write(server, name, text, reason):
    assert ask(server, **{name: text})["errors"][name].startswith(reason)


@pytest.mark.parametrize(
    ("body", "place", "reason"),
    [
        ('{"count": "1"}', "count", "Input should be a valid integer, without quotes"),
        ('{"switch": "1"}', "switch", "Input should be a valid boolean; write true or false"),
        ('{"times": "a"}', "times", "Input should be a valid array"),
        ('{"tiny": 0}', "tiny", "Input should be greater than 1e-300"),
        ('{"tiny": 1e301}', "tiny", "Input should be less than 10^300"),
        (
            '{"count": 9007199254740992.0}',
            "count",
            "Input should be a valid integer: "
            "from 2^53 on, write it with all its digits and without a point",
        ),
        (
            '{"rows": [{"day": 1, "d": 1, "flow": 1}]}',
            "rows.0.d",
            "Another name of day: give the field by one name",
        ),
        (
            '{"rows": [{"day": 1, "flow": 1, "at": 47}]}',
            "rows.0.at",
            "Input should be an object; write JSON with lat (-90 to 90 °)",
        ),
        ('{"trend": {"slope": 1}}', "trend", "Give 'kind'"),
    ],
)
def test_a_body_that_is_refused_says_what_is_wrong_with_it(server, body, place, reason):
    status, text = post(server, "/api", body)
    assert (status, json.loads(text)["errors"]) == (422, {place: reason})


@pytest.mark.parametrize("place", [0, 99])
def test_a_fault_in_a_long_list_says_what_to_write(server, place):
    rows = [{"day": day, "flow": 0.5} for day in range(100)]
    rows[place]["flow"] = "0,5"
    number = "write a number such as 1.5, with a decimal point and not a comma"
    errors = {f"rows.{place}.flow": f"Input should be a valid number; {number}"}
    assert json.loads(post(server, "/api", json.dumps({"rows": rows}))[1])["errors"] == errors


def test_what_is_required_is_said_in_words(server):
    required = json.loads(post(server, "/api", '{"count": "a"}')[1])["required"]
    assert required["flow"] == "number ≥ 0 m3/s or null, default 1: no description"
    assert required["flows"] == 'numbers by name ("1"), optional: no description'
    rows = "list of at most 4000 records with day (integer), flow (number or null), "
    assert required["rows"] == f'{rows}at (JSON, default {{"lat": 0.0}}), optional: no description'
    trends = 'JSON with kind ("linear"), slope (number) or JSON with kind ("constant"), '
    assert required["trend"] == trends + 'default {"kind": "constant"}: no description'


@pytest.mark.parametrize("path", ["/api", "/api/batch"])
def test_a_body_may_begin_with_a_byte_order_mark(server, path):
    body = '{"tags": ["a"]}' if path == "/api" else '[{"tags": ["a"]}]'
    status, text = post(server, path, b"\xef\xbb\xbf" + body.encode())
    assert (status, '"tags":["a"]' in text) == (200, True), text
