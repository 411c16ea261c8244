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
from pydantic import BaseModel, Field

class Input(BaseModel):
    labels: list[str | None] = Field([], examples=[[None, "a"]])
    mixed: list[float | str] = []
    tags: list[str] = []

class Output(BaseModel):
    labels: list[str | None]
    mixed: list[float | str]
    tags: list[str]

def predict(inputs: Input) -> Output:
    return Output(**dict(inputs))
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
