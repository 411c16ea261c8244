"""Records that have a default, on the page in a real browser: what is shown is what is sent."""

import json
import re
import shlex
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote

import pytest
from conftest import Server, swapped
from playwright.sync_api import Page, expect
from test_page import browser, visit  # noqa: F401 (fixtures)

pytestmark = pytest.mark.browser

# Records of each kind, each with a default that differs from those of its members.
DEFAULTS = """
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

Value = TypeVar("Value")


class Rates(BaseModel):
    k: float = 1.0
    m: float = 2.0


class Pair(BaseModel):
    lat: float
    lon: float


class Site(BaseModel):
    rates: Rates = Rates(k=6.0)
    place: Pair = Pair(lat=1, lon=2)
    beds: int = 3


@dataclass
class Step:
    length: float = 0.25
    count: int = 4


class Names(TypedDict, total=False):
    first: str
    last: str


class Range(BaseModel, Generic[Value]):
    low: Value
    high: Value


class Input(BaseModel):
    x: float = Field(examples=[2])
    rates: Rates = Rates(k=5.0)
    where: Pair = Pair(lat=10, lon=20)
    maybe: Rates | None = Rates(m=0.5)
    step: Step = Step(length=0.5)
    names: Names = {"first": "Ada"}
    span: Range[int] = Range[int](low=1, high=9)
    site: Site = Site(rates=Rates(k=7.0), beds=8)
    pairs: list[Pair] = [Pair(lat=3, lon=4)]
    steps: list[Rates] | None = [Rates(k=9.0)]
    made: Rates = Field(default_factory=lambda: Rates(k=4.0))
    none: Pair | None = None
    words: list[str] = ["a"]


class Output(BaseModel):
    y: float
    given: Input


def predict(inputs: Input) -> Output:
    return Output(y=inputs.x * inputs.rates.k, given=inputs)
"""
RECORDS = ["rates", "where", "maybe", "step", "names", "span", "site", "pairs", "steps"]
VALUES = {
    "rates": '{"m": 8}',
    "site": "{}",
    "words": "[]",
    "words ": '["a b", "c"]',
    "words  ": "[a",
}
LINKS = {name: f"?{name.strip()}={quote(text)}" for name, text in VALUES.items()}
LINKS |= {"plain": "", "example": "?example=first", "x": "?x=3"}


@pytest.fixture(scope="module")
def service(bake, serve) -> Iterator[Server]:
    """The service of the model whose records have defaults."""
    with serve(swapped(bake(project_slug="defaults"), DEFAULTS), MODEL_PROCESSES="1") as server:
        yield server


@pytest.fixture(scope="module")
def ports(service) -> dict[str, int]:
    """Its port, for `visit`."""
    return {"square": service.port}


def run(page: Page) -> tuple[dict, dict]:
    """Press the button; return the request that the page sends, and the answer to it."""
    with page.expect_response(re.compile("/api([?]|$)")) as found:
        page.get_by_role("button", name="Run the model").click()
    assert found.value.status == 200, found.value.text()
    query, body = found.value.url.partition("?")[2], found.value.request.post_data
    request = {"x": float(query.removeprefix("x="))} if query else json.loads(body)
    return request, found.value.json()


def due(service: Server, link: str) -> dict:
    """The request that the page shows before its script runs."""
    shown = re.search(r"<noscript>.*?<code>(.*?)</code>", service.get(f"/{link}").body.decode())
    words = shlex.split(unescape(shown[1]))
    return json.loads(words[-1]) if "-d" in words else {"x": float(words[1].partition("=")[2])}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_the_page_sends_what_its_link_says(visit, service, link):  # noqa: F811
    page = visit()
    page.goto(page.ours + link)
    request, answer = run(page)
    assert request == due(service, link)
    rates = request.get("rates", {"k": 5})
    assert answer["y"] == request["x"] * rates.get("k", 1)


@pytest.mark.parametrize("name", RECORDS)
def test_what_an_example_leaves_out_is_included_as_its_default(visit, name):  # noqa: F811
    page = visit()
    page.goto(f"{page.ours}?example=first")
    tick = page.get_by_role("checkbox", name=f"Include {name}", exact=True)
    expect(tick).not_to_be_checked()
    assert page.locator(f"[name={name}]").evaluate("control => control.nextElementSibling.hidden")
    default = run(page)[1]["given"]
    tick.check()
    request, answer = run(page)
    assert name in request and answer["given"] == default


def test_what_an_example_leaves_out_says_what_stands_for_it(visit):  # noqa: F811
    page = visit()
    page.goto(f"{page.ours}?example=first")
    words, kept = page.locator("[name=words]"), page.locator("[name=x]")
    expect(words).to_have_value("")
    expect(words).to_have_attribute("placeholder", 'default ["a"]')
    assert kept.get_attribute("placeholder") is None  # it is required


def test_what_is_left_out_and_included_again_is_as_it_was_typed(visit):  # noqa: F811
    page = visit()
    tick = page.get_by_role("checkbox", name="Include where")
    page.get_by_label("lat", exact=True).first.fill("11.5")
    tick.uncheck()
    assert run(page)[1]["given"]["where"] == {"lat": 10, "lon": 20}
    tick.check()
    assert run(page)[1]["given"]["where"] == {"lat": 11.5, "lon": 20}
