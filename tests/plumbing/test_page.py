"""The page loads nothing from elsewhere, works without its script, and its calls work."""

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import render_template_string


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


def test_it_is_html(client):
    assert client.get("/").mimetype == "text/html"


def test_the_sample_link_answers(client, query):
    link = html.unescape(re.search(r'href="(api[?][^"]*)"', client.get("/").text)[1])
    assert client.get(f"/{link}").status_code == 200


def test_the_calls_name_the_host_that_the_page_was_opened_at(app, client):
    base, page = "http://model.example:8080", app.extensions["page"]
    text = html.unescape(client.get("/", base_url=base).text)
    address = page.call(f"{base}/").split()[1].strip("'")
    assert address.startswith(f"{base}/api") and address in text


def test_no_identifier_is_given_twice(page):
    given = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert sorted(given) == sorted(set(given))


def test_the_page_loads_nothing_from_elsewhere(client, page):
    loaded = [found["href"] for found in page.find("link")]
    loaded += [found["src"] for _, found in page.elements if "src" in found]
    ours = [address for address in loaded if re.match(r"\w+/", address)]
    assert sorted({*loaded} - {*ours}) == ["data:,"]
    for address in ours:
        response = client.get(f"/{address}", buffered=True)  # which closes the file
        assert response.status_code == 200, address
        assert not re.search(r"url\(|@import|https?://(?!\$)", response.text), address


def test_the_browser_need_not_read_one_script_to_ask_for_the_next(client, page):
    asked = {found["href"] for found in page.find("link") if found["rel"] == "modulepreload"}
    asked |= {found["src"] for found in page.find("script")}
    names = {path.name for path in Path(client.application.static_folder).glob("*.js")}
    assert asked | {"static/batch.js"} == {f"static/{name}" for name in names}


def test_the_page_is_light(client):
    folder = Path(client.application.static_folder)
    loaded = sum(path.stat().st_size for path in folder.iterdir())
    assert loaded + len(client.get("/").data) + len(client.get("/openapi.json").data) <= 150_000


def test_the_page_runs_and_wears_nothing_that_stands_in_it(client, page):
    assert all(set(found) == {"src", "type"} for found in page.find("script"))
    assert not page.find("style")
    names = [name for _, attributes in page.elements for name in attributes]
    assert not [name for name in names if name == "style" or name.startswith("on")]
    policy = client.get("/").headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert "unsafe" not in str(policy)


def test_the_form_works_without_its_script(page, query):
    assert [form["action"] for form in page.find("form")] == ["api"]


def test_the_rest_is_linked(page):
    linked = {found.get("href") for found in page.find("a")}
    assert {"openapi.json", "service-info", "#about", "#examples", "#cite"} <= linked


HOSTILE = """Period of a `pendulum`. <script>alert(1)</script>

    T = 2 pi sqrt(l / g)

Source: https://doi.org/10.1109/TSMC.1979.4310076.

Notes
-----
- one <b>
- two `<i>`

javascript:alert(1) [x](javascript:alert(2)) {{ 7*7 }}
"""


def test_a_docstring_is_shown_as_prose_and_what_is_hostile_in_it_stays_text(app):
    template = '{% from "prose.html" import prose %}{{ prose(text) }}'
    with app.test_request_context():
        shown = render_template_string(template, text=HOSTILE)
    assert {tag for tag, _ in Page(shown).elements} <= {"p", "pre", "code", "ul", "li", "h3", "a"}
    assert "<code>pendulum</code>" in shown and ">T = 2 pi sqrt(l / g)</pre>" in shown
    address = "https://doi.org/10.1109/TSMC.1979.4310076"
    assert [found["href"] for found in Page(shown).find("a")] == [address]
    assert '<h3 dir="auto">Notes</h3>' in shown
    assert [len(Page(shown).find(tag)) for tag in ("ul", "li", "code")] == [1, 2, 2]
    assert "&lt;script&gt;" in shown and "{{ 7*7 }}" in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The parts:\n- one\n  more\n- two",
            "<p>The parts:</p><ul><li>one\n  more</li><li>two</li></ul>",
        ),
        ("Words\nthat go on", "<p>Words\nthat go on</p>"),
        ("Steps:\n1. cut\n2. count", '<p class="typed">Steps:\n1. cut\n2. count</p>'),
        (
            "Parameters\n----------\nx : float\n    Length (m)",
            '<h3>Parameters</h3><p class="typed">x : float\n    Length (m)</p>',
        ),
    ],
    ids=["list after a line", "long line", "numbered", "numpy"],
)
def test_the_lines_of_a_docstring_that_stand_for_something_stay_apart(app, text, expected):
    template = '{% from "prose.html" import prose %}{{ prose(text) }}'
    with app.test_request_context():
        shown = render_template_string(template, text=text)
    assert re.sub(r' dir="auto"|(?<=>)\n+', "", shown).strip() == expected


def test_the_page_says_what_its_author_writes_of_the_model(app, client, monkeypatch):
    monkeypatch.setitem(app.config, "CHECK", True)
    facts, text = app.extensions["model"].facts, html.unescape(client.get("/").text)
    for said in (facts["method"], facts["about"]):
        assert said.split("\n")[0].split("`")[0] in text
    assert client.get("/service-info").json["fingerprint"] in text
    assert app.extensions["page"].started[:10] in text


def test_a_link_to_the_page_fills_the_form(app, query):
    given = app.extensions["page"].given(query)
    for name, texts in query.items():
        assert app.extensions["model"].fields[name].texts(given[name]) == texts


def test_a_link_to_the_page_that_is_not_utf_8_is_refused(client):
    assert client.get("/?value=%E9").status_code == 400
