"""The page says what this is, asks for each field of `Input`, and its calls work."""

import html
import re
from html.parser import HTMLParser

import pytest

from service.citation import ANSWERS, BIBTEX, CITATION, SENTENCE
from service.examples import EXAMPLES
from service.pages import body, call, literal, pretty
from service.schemas import FIELDS, is_linkable

linkable = pytest.mark.skipif(not is_linkable(), reason="This model takes POST alone.")
NASTY = """it's "C:\\new\\" $HOME `id` 🚀 שלום </script>"""


class Page(HTMLParser):
    """The elements of a page, each its tag and its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.elements.append((tag, dict(attributes)))

    def find(self, *tags: str) -> list[dict]:
        """The attributes of the elements of some tags."""
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture
def page(client) -> Page:
    """The page as a browser takes it apart."""
    return Page(client.get("/").text)


def test_the_page_names_the_project(client):
    response = client.get("/")
    assert response.mimetype == "text/html"
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", response.text)[1]
    assert html.unescape(heading) == CITATION["title"]


@linkable
def test_the_sample_link_answers(client):
    link = html.unescape(re.search(r'href="(/api[^"]*)"', client.get("/").text)[1])
    assert client.get(link).status_code == 200


def test_the_call_names_the_host_that_the_page_was_opened_at(client):
    page = html.unescape(client.get("/", base_url="http://model.example:8080").text)
    with client.application.test_request_context(base_url="http://model.example:8080"):
        address = call().split()[1].strip("'")
    assert address.startswith("http://model.example:8080/api")
    assert address in page


def test_each_field_has_one_control_with_a_label_and_a_description(page):
    for name in FIELDS:
        (control,) = [
            found for found in page.find("input", "select", "textarea") if found.get("name") == name
        ]
        assert [label["for"] for label in page.find("label")].count(control["id"]) == 1, name
        known = [attributes.get("id") for _, attributes in page.elements]
        assert set(control["aria-describedby"].split()) <= set(known), name


def test_no_identifier_is_given_twice(page):
    given = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert sorted(given) == sorted(set(given))


def test_the_page_loads_nothing_from_elsewhere(client, page):
    loaded = [found["href"] for found in page.find("link")]
    loaded += [found["src"] for _, found in page.elements if "src" in found]
    ours = [address for address in loaded if re.match(r"/(?!/)", address)]
    assert sorted({*loaded} - {*ours}) == ["data:,"]
    for address in ours:
        response = client.get(address, buffered=True)  # which closes the file
        assert response.status_code == 200, address
        assert not re.search(r"url\(|@import|https?://(?!\$)", response.text), address


def test_the_page_runs_and_wears_nothing_that_stands_in_it(client, page):
    assert all(set(found) == {"src", "defer"} for found in page.find("script"))
    assert not page.find("style")
    names = [name for _, attributes in page.elements for name in attributes]
    assert not [name for name in names if name == "style" or name.startswith("on")]
    policy = client.get("/").headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert "unsafe" not in str(policy)


@linkable
def test_the_form_works_without_its_script(page):
    assert [form["action"] for form in page.find("form")] == ["/api"]


def test_a_quoted_text_comes_back():
    assert eval(literal(NASTY)) == NASTY


def test_the_rest_is_linked(page):
    linked = {found.get("href") for found in page.find("a")}
    assert {"/openapi.json", "/service-info", "#examples", "#cite"} <= linked


def test_each_recorded_example_is_shown_and_fills_the_form(client):
    for name, example in EXAMPLES.items():
        page = html.unescape(client.get("/", query_string={"example": name}).text)
        assert pretty(example.request) in page and pretty(example.response) in page
        assert literal(body(example.request)) in page  # the calls beside the form


def test_the_page_says_how_to_cite(client):
    page = html.unescape(client.get("/").text)
    assert SENTENCE in page and ANSWERS[BIBTEX] in page
