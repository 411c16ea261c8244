"""The page in a real browser, through a real Gunicorn, as people use it.

Chromium is driven by Playwright, which brings its driver but no browser.
"""

import base64
import contextlib
import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from conftest import clean_environment, missing, swapped
from playwright.sync_api import Browser, Page, expect, sync_playwright
from samples import SAMPLES, need, put_in, recorded

pytestmark = pytest.mark.browser

BOUND = 10**150
LANGUAGES = ["curl", "Python", "R", "JavaScript"]
NASTY = """it's "C:\\new\\" $HOME `id` 100% & + # ? \\' 🚀 שלום </script> {{ 7*7 }}"""

# A model with a field of every kind; a field's name must not hide what the script asks for.
PENDULUM = """
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field


class Method(StrEnum):
    EULER = "Euler"
    RUNGE_KUTTA = "Runge-Kutta"


class Bob(BaseModel):
    mass: float = Field(gt=0, le=1e6, json_schema_extra={"unit": "kg"})
    label: str


class Input(BaseModel):
    length: float = Field(
        gt=0, le=100, description="Length of the thread", examples=[1.5],
        json_schema_extra={"unit": "m"},
    )
    dataset: Method = Field(description="The integrator", examples=["Euler"])
    damped: bool = Field(default=False, description="Whether air slows the bob")
    action: str | int | None = Field(default=None, description="A remark, given back")
    story: str = Field(default="-", max_length=100_000, description="A long remark, given back")
    angles: list[float] = Field(min_length=1, description="Angles (degrees)", examples=[[1, 2.5]])
    order: Literal[1, 2, 4] = 4
    seeds: int | None = Field(default=None, ge=0)


class Output(BaseModel):
    given: Input


def predict(inputs: Input) -> Output:
    return Output(given=inputs)
"""
NESTED = PENDULUM.replace(
    "    order:",
    '    bob: Bob = Field(description="The bob", examples=[{"mass": 2, "label": "x"}])\n    order:',
)

# A model that takes files; it gives back what came, and a hash of each file.
FILES = """
from hashlib import sha256

from pydantic import BaseModel, Field


class Point(BaseModel):
    left: float


class Input(BaseModel):
    note: str = Field(description="A remark, given back", examples=["a note"])
    image: bytes = Field(description="The picture", max_length=1_000_000, examples=["AQID"])
    scans: list[bytes] = Field(default=[], description="Further pictures")
    point: Point | None = Field(None, examples=[{"left": 1.5}])


class Output(BaseModel):
    note: str
    hashes: list[str]
    left: float | None


def predict(inputs: Input) -> Output:
    hashes = [sha256(data).hexdigest() for data in (inputs.image, *inputs.scans)]
    left = inputs.point.left if inputs.point else None
    return Output(note=inputs.note, hashes=hashes, left=left)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or another that is installed."""
    names = ["chromium", "chromium-browser", "google-chrome"]
    path = next(filter(None, map(shutil.which, names)), None) or missing("Chromium")
    arguments = ["--no-sandbox", "--disable-quic", "--host-resolver-rules=MAP *.example 127.0.0.1"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def ports(bake, serve) -> Iterator[dict[str, int]]:
    """The ports of four services: the square, a model of all kinds of fields, nested, files."""

    def project(name: str, model: str) -> Path:
        return swapped(bake(project_slug=name), model)

    models = {"pendulum": PENDULUM, "nested": NESTED, "files": FILES}
    with contextlib.ExitStack() as stack:
        found = {"square": stack.enter_context(serve(bake())).port}
        for name, model in models.items():
            found[name] = stack.enter_context(serve(project(name, model))).port
        yield found


@pytest.fixture
def visit(browser, ports):
    """Open the page of a service; afterwards, no error was logged and nobody else was asked."""
    contexts, pages, faults = [], [], []

    def opened(model: str = "square", host: str = "127.0.0.1", **options: object) -> Page:
        contexts.append(browser.new_context(**options))
        pages.append(contexts[-1].new_page())
        page = pages[-1]
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.on("request", lambda request: faults.append(request.url))
        page.ours = f"http://{host}:{ports[model]}/"
        page.expected = [page.ours, "data:", "Failed to load resource: the server responded with"]
        page.goto(page.ours)
        return page

    yield opened
    expected = tuple(text for page in pages for text in page.expected)
    for context in contexts:
        context.close()
    assert not [fault for fault in faults if not fault.startswith(expected)]


@pytest.fixture
def sample(request, bake, serve, ports) -> Iterator[str]:
    """The name of one of the models in examples/, which is served."""
    need(request.param)
    with serve(put_in(bake(project_slug=f"sample-{request.param}"), request.param)) as server:
        ports[request.param] = server.port
        yield request.param


def run(page: Page, seconds: float = 5) -> str:
    """Press the button, and return the answer as it came."""
    with page.expect_response(re.compile("/api([?]|$)"), timeout=1000 * seconds) as answer:
        page.get_by_role("button", name="Run the model").click()
    expect(page.locator("#status")).to_have_text(re.compile("^Done in"), timeout=1000 * seconds)
    return answer.value.text()


def error(page: Page, name: str):
    """The place beside a field where its error stands, found as a screen reader does."""
    described = page.get_by_label(name, exact=True).get_attribute("aria-describedby")
    return page.locator(f"#{described.split()[-1]}")


def as_json(page: Page, name: str, text: str) -> None:
    """Write a record as JSON instead of field by field."""
    page.get_by_role("button", name=f"Show {name} as JSON").click()
    page.locator(f"textarea[name={name}]").fill(text)


def fill(page: Page) -> dict:
    """Fill in what is awkward to quote, and return the input that it stands for."""
    page.get_by_label("length").fill(" 2.50 ")
    page.get_by_label("dataset").select_option("Runge-Kutta")
    page.get_by_label("damped").check()
    page.get_by_label("action").fill(NASTY)
    page.get_by_label("story").fill(f"first\n\n{NASTY}\tlast")
    page.get_by_label("angles").fill("1\n\n -2e3\n0.1\n")
    page.get_by_label("order").select_option("2")
    return {
        "length": 2.5,
        "dataset": "Runge-Kutta",
        "damped": True,
        "action": NASTY,
        "story": f"first\n\n{NASTY}\tlast",
        "angles": [1, -2000, 0.1],
        "order": 2,
        "seeds": None,
    }


@pytest.mark.parametrize("value", [12, 0, BOUND, -BOUND + 7], ids=["12", "0", "bound", "digits"])
def test_the_answer_is_shown_to_the_last_digit(visit, value):
    page = visit()
    page.get_by_label("value").fill(str(value))
    assert run(page) == f'{{"Value Squared":{value * value}}}\n'
    expect(page.locator(".values td")).to_have_text(str(value * value))
    assert page.locator("#permalink a").text_content() == f"/api?value={value}"


def test_each_kind_of_field_reaches_the_model(visit):
    page = visit("pendulum")
    given = fill(page)
    assert json.loads(run(page)) == {"given": given}


def test_spaces_around_what_may_be_a_text_reach_the_model(visit):
    page = visit("pendulum")
    given = fill(page) | {"action": " a "}
    page.get_by_label("action").fill(" a ")
    assert json.loads(run(page)) == {"given": given}


def test_nested_values_and_whole_numbers_reach_the_model_as_typed(visit):
    page = visit("nested")
    given = fill(page)
    as_json(page, "bob", '{"mass": 0.1,\n "label": "{a}"}')
    page.get_by_label("seeds").fill(f"00{BOUND}")
    answer = run(page)
    bob = {"mass": 0.1, "label": "{a}"}
    assert json.loads(answer) == {"given": given | {"bob": bob, "seeds": BOUND}}
    assert f'"seeds":{BOUND}' in answer
    expect(page.locator("#permalink")).to_be_hidden()


def test_a_nested_field_says_what_its_members_take(visit):
    page = visit("nested")
    about = page.get_by_text("The bob", exact=True).locator("..")
    expect(about).to_contain_text("JSON with mass (number > 0 and ≤ 10^6 kg), label (text)")


def test_an_error_stands_next_to_its_field_until_it_is_mended(visit):
    page = visit()
    field = page.get_by_label("value")
    for text, reason in {"two": "valid integer", "1.5": "valid integer", "": "required"}.items():
        field.fill(text)
        page.get_by_role("button", name="Run the model").click()
        expect(error(page, "value")).to_contain_text(reason)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_be_focused()
        expect(page.locator("#status")).to_have_text("422 Unprocessable Entity")
    field.fill("3")
    run(page)
    expect(error(page, "value")).to_be_empty()
    assert field.get_attribute("aria-invalid") is None


def test_each_error_finds_its_own_field_and_item(visit):
    page = visit("pendulum")
    page.get_by_label("length").fill("101")
    page.get_by_label("angles").fill("1\ntwo\n3\nfour")
    page.get_by_role("button", name="Run the model").click()
    expect(error(page, "length")).to_contain_text("less than or equal to 100")
    expect(error(page, "angles")).to_contain_text("angles, item 2: Input should be a valid number")
    expect(error(page, "angles")).to_contain_text("angles, item 4")
    expect(page.get_by_label("length")).to_be_focused()
    expect(error(page, "dataset")).to_be_empty()


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "Write JSON: "), ('{"mass": 0, "label": "x"}', "mass: Input should be")],
)
def test_an_error_in_nested_values_names_its_place(visit, text, reason):
    page = visit("nested")
    as_json(page, "bob", text)
    page.get_by_role("button", name="Run the model").click()
    expect(page.locator("textarea[name=bob] ~ .error")).to_contain_text(reason)
    expect(page.locator("textarea[name=bob]")).to_be_focused()


def test_what_is_no_json_and_too_long_for_a_link_is_said(visit):
    page = visit("nested")
    page.get_by_label("story").fill("long " * 4000)
    as_json(page, "bob", "{")
    page.get_by_role("button", name="Run the model").click()
    expect(page.locator("#status")).to_have_text("400 Bad Request")
    expect(page.locator("#shown")).to_contain_text("The body is not JSON")


def test_an_answer_that_never_comes_is_said(visit):
    page = visit()
    page.route("**/api?*", lambda route: route.abort())
    page.expected.append("Failed to load resource: net::ERR_FAILED")
    page.get_by_role("button", name="Run the model").click()
    expect(page.locator("#status")).to_have_text("No answer came.")


def test_an_input_too_long_for_a_link_is_posted(visit):
    page = visit("pendulum")
    page.get_by_label("story").fill("long " * 4000)
    assert json.loads(run(page))["given"]["story"] == "long " * 4000
    expect(page.locator("#permalink")).to_be_hidden()
    expect(page.locator(".call:visible")).to_contain_text('-d \'{"length": 1.5')


def written(language: str, call: str, folder: Path) -> tuple[Path, list]:
    """Write a call into a file as a reader would, and give the command that runs it."""
    tools = {"curl": "curl", "Python": sys.executable, "R": "Rscript", "JavaScript": "node"}
    if not (tool := shutil.which(tools[language])):
        missing(tools[language])
    name = {"curl": "call.sh", "Python": "call.py", "R": "call.R", "JavaScript": "call.mjs"}
    script = folder / name[language]
    script.write_text(call, "utf-8")
    return script, ["sh" if language == "curl" else tool, script]


def execute(language: str, call: str, folder: Path) -> str:
    """Run a call as a reader would, and return what it prints."""
    done = subprocess.run(
        written(language, call, folder)[1],
        cwd=folder,
        env=clean_environment() | {"PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def copied(page: Page, language: str) -> str:
    """Choose a language, press its button, and return what is on the clipboard."""
    page.get_by_text(language, exact=True).and_(page.locator("fieldset label")).click()
    page.get_by_role("button", name=f"Copy the {language} call").click()
    expect(page.locator(".copy:visible")).to_have_text("Copied")
    return page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", ["square", "pendulum", "nested"])
def test_a_copied_call_gives_the_answer(visit, tmp_path, model, language):
    page = visit(model, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("value").fill(str(BOUND)) if model == "square" else fill(page)
    answer = run(page)
    printed = execute(language, copied(page, language), tmp_path)
    if language == "Python":
        assert printed == f"{json.loads(answer)}\n"
    else:
        assert printed.strip() == answer.strip()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", ["square", "nested", "files"])
def test_a_copied_call_shows_the_words_of_the_problem(visit, tmp_path, model, language):
    page = visit(model, permissions=["clipboard-read", "clipboard-write"])
    if model == "square":
        page.get_by_label("value").fill("two")
    elif model == "nested":
        fill(page)
        page.get_by_label("length").fill("101")
    else:
        choose(page, tmp_path)
        page.get_by_label("left").fill("x")
    script, command = written(language, copied(page, language), tmp_path)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")
    said = done.stdout + done.stderr
    reason = {"square": "value: Input should be a valid integer", "nested": "length: Input should"}
    assert reason.get(model, "point.left: Input should be a valid number") in said
    assert "Traceback" not in said and "    at " not in said, script


PICTURES = {'pict\'ure "é".png': bytes(range(256)) * 1000, "b;c,d.png": b"\xff"}


def choose(page: Page, folder: Path) -> dict:
    """Fill in the form of the model of files, and return the answer that is due."""
    for name, data in PICTURES.items():
        (folder / name).write_bytes(data)
    paths = [folder / name for name in PICTURES]
    page.get_by_label("note").fill(NASTY)
    page.get_by_label("image").set_input_files(paths[0])
    page.get_by_label("scans").set_input_files(paths)
    page.get_by_role("checkbox", name="Include point").check()
    page.get_by_label("left").fill("1.5")
    hashes = [hashlib.sha256(data).hexdigest() for data in PICTURES.values()]
    return {"note": NASTY, "hashes": [hashes[0], *hashes], "left": 1.5}


def test_files_that_are_chosen_reach_the_model_whole(visit, tmp_path):
    page = visit("files")
    due = choose(page, tmp_path)
    assert json.loads(run(page)) == due


def test_an_answer_to_another_file_of_the_same_name_is_old(visit, tmp_path):
    page = visit("files")
    choose(page, tmp_path)
    run(page)
    expect(page.locator("#asked")).to_contain_text(re.compile("^For note"))
    file = {"name": next(iter(PICTURES)), "mimeType": "image/png", "buffer": b"other"}
    page.get_by_label("image").set_input_files(file)
    expect(page.locator("#asked")).to_contain_text("For the inputs before")


def test_a_file_that_is_missing_or_too_long_is_said_beside_its_field(visit, tmp_path):
    page = visit("files")
    page.get_by_role("button", name="Run the model").click()
    expect(error(page, "image")).to_have_text("Field required")
    expect(page.get_by_label("image")).to_be_focused()
    (tmp_path / "long").write_bytes(b"x" * 1_000_001)
    page.get_by_label("image").set_input_files(tmp_path / "long")
    page.get_by_role("button", name="Run the model").click()
    expect(error(page, "image")).to_contain_text("at most 1000000 bytes")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_copied_call_sends_the_files(visit, tmp_path, language):
    page = visit("files", permissions=["clipboard-read", "clipboard-write"])
    choose(page, tmp_path)
    answer = run(page)
    printed = execute(language, copied(page, language), tmp_path)
    if language == "Python":
        assert printed == f"{json.loads(answer)}\n"
    else:
        assert printed.strip() == answer.strip()


def test_a_file_is_sent_without_the_script(visit, tmp_path):
    page = visit("files", java_script_enabled=False)
    (tmp_path / "picture").write_bytes(b"\xff\0")
    page.get_by_label("image").set_input_files(tmp_path / "picture")
    page.get_by_role("button", name="Run the model").click()
    page.wait_for_url("**/api")
    answer = json.loads(page.locator("body").inner_text())
    digest = hashlib.sha256(b"\xff\0").hexdigest()
    assert answer == {"note": "a note", "hashes": [digest], "left": None}


def test_a_file_is_chosen_by_keyboard(visit, tmp_path):
    page = visit("files")
    # Long before the key, or Chromium may open a window of its own instead of telling.
    page.on("filechooser", lambda _: None)
    page.get_by_label("note").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_label("image")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") != "0px"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    (tmp_path / "picture").write_bytes(b"1")
    chooser.value.set_files(tmp_path / "picture")
    expect(page.locator(".call:visible")).to_contain_text("-F image='@\"picture\"'")


@pytest.mark.parametrize("model", ["square", "pendulum", "nested", "files"])
def test_the_call_of_curl_is_the_same_with_and_without_the_script(visit, model):
    def call(**options: object) -> list[str]:
        shown = visit(model, **options).locator(".calls code:visible").inner_text()
        words = shlex.split(shown.replace("\\\n", "").replace("+", "%20"))
        return ["".join(word.split()) for word in words]

    assert call() == call(java_script_enabled=False)


def test_a_long_call_scrolls_within_itself_so_that_what_follows_stays_near(visit):
    page = visit("pendulum")
    page.get_by_label("story").fill("a word " * 5000)
    shown = page.locator(".call pre:visible")
    expect(shown).to_contain_text("a word a word")
    assert shown.bounding_box()["height"] < 500


def test_a_call_is_copied_where_the_browser_has_no_clipboard_for_it(visit):
    page = visit(host="model.example")
    assert not page.evaluate("isSecureContext")
    page.get_by_role("button", name="Copy the curl call").click()
    expect(page.locator(".copy:visible")).to_have_text("Copied")
    page.get_by_label("value").fill("")
    page.get_by_label("value").press("Control+v")
    assert page.get_by_label("value").input_value() == f"curl '{page.ours}api?value=2'"


def test_the_keyboard_is_enough(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    press = page.keyboard.press
    page.get_by_role("link", name="What is served").focus()
    for _ in "the defaults", "two", "very-large", "value":
        press("Tab")
    expect(page.get_by_label("value")).to_be_focused()
    page.keyboard.type("5")  # which replaces the 2, selected by the Tab key
    press("Enter")
    expect(page.locator("#shown")).to_contain_text("25")
    for _ in "button", "fingerprint", "JSON", "citation", "link", "language":
        press("Tab")
    press("ArrowRight")
    expect(page.get_by_role("radio", name="Python")).to_be_checked()
    press("Tab")
    expect(page.get_by_role("button", name="Copy the Python call")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline != "0px"
    press("Enter")
    expect(page.locator(".copy:visible")).to_have_text("Copied")
    assert "urlopen" in page.evaluate("navigator.clipboard.readText()")


def test_the_answer_keeps_beside_a_long_form_and_off_what_follows(visit):
    page = visit("pendulum", viewport={"width": 1280, "height": 800})
    button = page.get_by_role("button", name="Run the model")
    button.scroll_into_view_if_needed()
    expect(page.locator("#answer")).to_be_in_viewport()
    for place in range(0, 3000, 100):
        page.evaluate(f"scrollTo(0, {place})")
        answer, examples = (page.locator(name).bounding_box() for name in (".outcome", ".examples"))
        assert answer["y"] + answer["height"] < examples["y"], place


def check(page: Page) -> None:
    """Let axe look for what keeps people out, and see that nothing sticks out of the window."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 20
    assert not found["violations"], json.dumps(found["violations"], indent=1)
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("model", ["square", "nested", "files"])
def test_axe_finds_nothing_and_nothing_sticks_out(visit, tmp_path, model, width, scheme):
    page = visit(model, viewport={"width": width, "height": 800}, color_scheme=scheme)
    check(page)
    if model == "files":
        choose(page, tmp_path)
    run(page)
    check(page)
    field = page.get_by_label("left") if model == "files" else page.locator("form [name]").first
    field.fill("9" * 400)
    page.get_by_role("button", name="Run the model").click()
    expect(page.locator("#status")).to_contain_text("422")
    check(page)


@pytest.mark.parametrize("sample", SAMPLES, indirect=True)
def test_the_page_of_a_sample_gives_the_recorded_answer(visit, sample):
    page = visit(sample, viewport={"width": 1280, "height": 800})
    check(page)
    name, first = next(iter(recorded(sample).items()))
    page.goto(f"{page.ours}?example={name}")
    if "image" in first["request"]:  # the one thing that no page may fill in
        file = {"name": "cells.png", "mimeType": "image/png"}
        file["buffer"] = base64.b64decode(first["request"]["image"])
        page.get_by_label("image").set_input_files(file)
    answer = run(page, seconds=60)
    check(page)
    assert rounded(answer) == rounded(json.dumps(first["response"]))


def rounded(document: str) -> object:
    """A JSON document whose fractions have the digits that must not differ."""
    return json.loads(document, parse_float=lambda digits: f"{float(digits):.4g}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_what_is_served_is_a_page_too(visit, width, scheme):
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    fingerprint = page.locator(".prose dd a[href='service-info']").text_content()
    page.get_by_role("link", name="What is served").click()
    expect(page.get_by_role("heading", name="What is served")).to_be_visible()
    expect(page.get_by_text(fingerprint, exact=True)).to_be_visible()
    check(page)
    page.get_by_role("link", name="Square API").click()
    expect(page.get_by_role("button", name="Run the model")).to_be_visible()


def test_the_form_works_without_its_script(visit):
    page = visit("square", java_script_enabled=False)
    page.get_by_label("value").fill("-12")
    page.get_by_role("button", name="Run the model").click()
    page.wait_for_url("**/api?value=-12")
    assert json.loads(page.locator("body").inner_text()) == {"Value Squared": 144}


def test_what_needs_the_script_is_hidden_without_it(visit):
    shown = ".copy:visible, fieldset:visible, #outcome details:visible, #fingerprint:visible"
    expect(visit(java_script_enabled=False).locator(shown)).to_have_count(0)
    expect(visit().locator(shown)).to_have_count(2)  # the languages, and one call to copy


def test_a_page_of_another_origin_may_ask(visit, ports):
    page = visit("pendulum")
    page.goto(f"{page.ours}healthz")  # where no policy of ours holds the browser back
    theirs = f"http://127.0.0.1:{ports['square']}/api"
    page.expected.append(theirs)
    answer = page.evaluate(
        """async ([url, body]) => {
            const headers = {"Content-Type": "application/json"};
            const response = await fetch(url, {method: "POST", headers, body});
            return await response.text();
        }""",
        [theirs, '{"value": 4}'],
    )
    assert answer == '{"Value Squared":16}\n'
