"""The page asks for each field of this model, and shows its examples and how to cite it."""

import html
import re
from html.parser import HTMLParser

import pytest

from service.about.citation import BIBTEX, cited
from service.about.page import pretty
from service.proof.examples import recorded

RECORDED = recorded()
BASE = "http://localhost/"


class Elements(HTMLParser):
    """The elements of a page, each its tag and its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.found.append((tag, dict(attributes)))

    def of(self, *tags: str) -> list[dict]:
        """The attributes of the elements of some tags."""
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture
def text(client) -> str:
    """The page as it is sent."""
    return client.get("/").text


def test_it_names_the_project(text):
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", text)[1]
    assert html.unescape(heading) == cited().title


def test_each_field_has_one_control_with_a_label_and_a_description(text, served):
    elements = Elements(text)
    controls = elements.of("input", "select", "textarea")
    labels = [label.get("for") for label in elements.of("label")]
    known = {attributes.get("id") for _, attributes in elements.found}
    for name in served.fields:
        (control,) = [found for found in controls if found.get("name") == name]
        assert labels.count(control["id"]) == 1, name
        assert set(control["aria-describedby"].split()) <= known, name


@pytest.mark.parametrize("name", RECORDED)
def test_each_recorded_example_is_shown_and_fills_the_form(client, page, name):
    example = RECORDED[name]
    text = html.unescape(client.get("/", query_string={page.asks: name}).text)
    assert pretty(example.request) in text and pretty(example.response) in text
    assert page.call(BASE, page.sample(name)) in text
    assert page.link(page.sample(name)) in text


def test_it_says_how_to_cite(client, text):
    bibtex = client.get("/citation", headers={"Accept": BIBTEX}).text
    text = html.unescape(text)
    assert bibtex.strip() in text
    assert all(
        line.rpartition(" ")[0] in text for line in client.get("/citation").text.splitlines()
    )
