"""Links that open the page with values or an example, through a real Gunicorn."""

import json
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote

import pytest
from conftest import Server, run_module, swapped

pytestmark = pytest.mark.slow

# A model with a field that has the name by which links ask for an example.
PLACES = """
from pydantic import BaseModel, Field


class Input(BaseModel):
    example: str = Field(examples=["clay"])
    example_: int = 3
    tree: list | dict | None = None
    other: list | dict | None = None
    texts: list[str] = []


class Output(BaseModel):
    example: str


def predict(inputs: Input) -> Output:
    return Output(example=inputs.example)
"""
LONGEST = 150_000  # bytes of a page, whatever the link says


@pytest.fixture(scope="module")
def server(bake, serve) -> Iterator[Server]:
    """The service of the model of places, with an example of awkward values."""
    project = swapped(bake(project_slug="places"), PLACES)
    (project / "model/examples/sand.json").write_text(
        json.dumps({"request": {"example": "sand"}, "response": {"example": "sand"}}), "utf-8"
    )
    done = run_module(project, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_page.py")
    assert done.returncode == 0, done.stdout
    with serve(project, MODEL_PROCESSES="1") as server:
        yield server


def opened(server: Server, link: str) -> tuple[int, str]:
    """The status of the page, and its text."""
    answer = server.get(link)
    return answer.status, answer.body.decode()


def filled(server: Server, link: str) -> str:
    """The value of the field `example` on the page."""
    control = re.search(r'<input[^>]* name="example"[^>]*>', opened(server, link)[1])[0]
    return re.search(r' value="([^"]*)"', control)[1]


def test_a_link_gives_a_value_to_a_field_that_is_called_example(server):
    assert filled(server, "/") == "clay"
    assert filled(server, "/?example=first") == "first"


def test_the_links_to_the_examples_still_open_them(server):
    found = re.findall(r'href="([?][^"#]+)(?:#input)?">', opened(server, "/")[1])
    links = {name: f"/{unescape(link)}" for link in found for name in link.split("=")[1:]}
    values = {name: filled(server, links[name]) for name in links}
    assert values == {"first": "clay", "sand": "sand"}


@pytest.mark.parametrize("levels", [10, 100, 200, 900, 950, 1500])
@pytest.mark.parametrize("signs", ["[]", '{"a":}'])
def test_a_deep_value_gives_no_long_page(server, levels, signs):
    begin, end = signs[:-1], signs[-1]
    value = quote(begin * levels + "1" + end * levels, safe='[]{}":')
    link = f"/?example=x&tree={value}&other={value}"
    if len(link) < 8000:
        status, text = opened(server, link)
        assert status == 200 and len(text) < LONGEST
        call = server.get(link.replace("/?", "/api?"))
        assert call.status in ([200] if levels <= 100 else [400, 422]), call.body


@pytest.mark.parametrize("value", ['["\\ud800"]', '{"\\udfff": 1}', '"\\ud800"', "\\ud800"])
@pytest.mark.parametrize("name", ["texts", "tree", "example", "unknown"])
def test_half_a_character_is_no_fault_of_the_service(server, name, value):
    assert opened(server, f"/?{name}={quote(value)}")[0] == 200
    assert server.get(f"/api?example=x&{name}={quote(value)}").status in (200, 422)
