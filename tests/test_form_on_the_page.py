"""The form on the page: what suits each kind of field, in a real browser, through a real Gunicorn.

What the form sends is what the same JSON would say: the model gives its input back.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
import test_page
from conftest import swapped
from playwright.sync_api import Locator, Page, expect
from samples import SAMPLES

pytestmark = pytest.mark.browser

browser, visit, sample = test_page.browser, test_page.visit, test_page.sample
check, error = test_page.check, test_page.error

# A clinical trial, with a field of each kind for which the page has a view.
TRIAL = """
from datetime import date, datetime, time
from decimal import Decimal
from enum import IntEnum

from pydantic import BaseModel, Field


class Arm(IntEnum):
    PLACEBO = 0
    HIGH_DOSE = 2


class Place(BaseModel):
    latitude: float = Field(ge=-90, le=90, examples=[52.5], description="Latitude")
    name: str | None = Field(None, description="Its name")


class Site(BaseModel):
    place: Place = Field(examples=[{"latitude": 52.5}])
    beds: int = Field(10, ge=1, description="Beds")
    private: bool = True


class Patient(BaseModel):
    left: float = Field(ge=150, le=250, description="Left leg", json_schema_extra={"unit": "mm"})
    arm: Arm = Arm.PLACEBO
    smokes: bool = False
    note: str = ""
    days: list[int] = []
    home: Place | None = None


class Input(BaseModel):
    day: date = Field(examples=["2024-02-29"])
    moment: datetime = Field(datetime(2024, 2, 29, 8, 30), description="When it began")
    clock: time = time(8, 30)
    dose: Decimal = Field(Decimal("1.10"), ge=0, le=5, json_schema_extra={"unit": "mg"})
    arm: Arm = Field(examples=[2], description="The arm")
    blinded: bool = True
    repeated: bool | None = None
    site: Site = Field(examples=[{"place": {"latitude": 52.5}}])
    backup: Place | None = None
    patients: list[Patient] = Field(min_length=1, examples=[[{"left": 200.50}, {"left": 180}]])
    huge: int = 12345678901234567890


class Output(BaseModel):
    given: Input


def predict(inputs: Input) -> Output:
    return Output(given=inputs)
"""
FIRST = {"left": 200.5, "arm": 0, "smokes": False, "note": "", "days": [], "home": None}
START = {
    "day": "2024-02-29",
    "moment": "2024-02-29T08:30:00",
    "clock": "08:30:00",
    "dose": "1.10",
    "arm": 2,
    "blinded": True,
    "repeated": None,
    "site": {"place": {"latitude": 52.5, "name": None}, "beds": 10, "private": True},
    "backup": None,
    "patients": [FIRST, FIRST | {"left": 180}],
    "huge": 12345678901234567890,
}


@pytest.fixture(scope="module")
def ports(bake, serve) -> Iterator[dict[str, int]]:
    """The ports of the square, of the trial, and of a model that takes files."""
    models = {"trial": TRIAL, "files": test_page.FILES}
    with ExitStack() as stack:
        found = {"square": stack.enter_context(serve(bake())).port}
        for name, model in models.items():
            project = swapped(bake(project_slug=f"form-{name}"), model)
            found[name] = stack.enter_context(serve(project)).port
        yield found


def sent(page: Page) -> dict:
    """Press the button, and return the input that the model was given."""
    with page.expect_response(re.compile("/api([?]|$)")) as response:
        page.get_by_role("button", name="Run the model").click()
    assert response.value.status == 200, response.value.text()
    return response.value.json()["given"]


def refused(page: Page) -> None:
    """Press the button, and wait until the input is refused."""
    with page.expect_response(re.compile("/api([?]|$)")) as response:
        page.get_by_role("button", name="Run the model").click()
    assert response.value.status == 422
    expect(page.locator("[aria-invalid]").first).to_be_focused()


def cell(page: Page, row: int, name: str) -> Locator:
    """The cell of a patient."""
    return page.locator(f".records tbody tr:nth-child({row}) [data-name={name}]")


def paste(place: Locator, text: str) -> None:
    """Paste what a spreadsheet copies."""
    place.evaluate(
        """(cell, text) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", text);
            const options = {clipboardData, bubbles: true, cancelable: true};
            cell.dispatchEvent(new ClipboardEvent("paste", options));
        }""",
        text,
    )


def drop(place: Locator, text: str, name: str = "dropped.csv") -> None:
    """Drop a file."""
    place.evaluate(
        """(place, [text, name]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([text], name));
            const options = {dataTransfer, bubbles: true, cancelable: true};
            place.dispatchEvent(new DragEvent("drop", options));
        }""",
        [text, name],
    )


def test_it_starts_from_the_defaults_and_examples_of_the_fields(visit):
    assert sent(visit("trial")) == START


def test_a_link_to_the_page_fills_it(visit):
    page = visit("trial")
    place = quote(json.dumps({"latitude": -0.10, "name": "here"}))
    page.goto(f"{page.ours}?day=2025-01-31&blinded=False&dose=1.250&backup={place}")
    expect(page.get_by_label("blinded")).not_to_be_checked()
    changed = {"day": "2025-01-31", "blinded": False, "dose": "1.250"}
    assert sent(page) == START | changed | {"backup": {"latitude": -0.1, "name": "here"}}


def test_a_link_to_the_page_of_the_square_fills_it_without_the_script_too(visit):
    for options in {}, {"java_script_enabled": False}:
        page = visit(**options)
        page.goto(f"{page.ours}?value=3")
        expect(page.get_by_label("value")).to_have_value("3")


def test_recorded_examples_are_one_click_away(visit):
    page = visit()
    page.get_by_label("value").fill("5")
    page.locator(".starts").get_by_role("link", name="very-large").click()
    expect(page.get_by_label("value")).to_have_value("-12345678901234567890")
    page.locator(".starts").get_by_role("link", name="the defaults").click()
    expect(page.get_by_label("value")).to_have_value("2")


def test_each_view_says_what_is_done_in_it(visit):
    page = visit("trial")
    page.locator("[name=arm]").select_option("0 · PLACEBO")
    page.get_by_label("blinded").uncheck()
    page.get_by_label("latitude").first.fill("-1.50")
    page.get_by_label("private").uncheck()
    cell(page, 2, "left").fill("0190.0")
    cell(page, 2, "smokes").select_option("true")
    cell(page, 2, "note").fill(' a, "b" ')
    cell(page, 2, "days").fill("[1, 2]")
    second = {"left": 190, "smokes": True, "note": ' a, "b" ', "days": [1, 2]}
    site = {"place": {"latitude": -1.5, "name": None}, "beds": 10, "private": False}
    patients = [FIRST, FIRST | second]
    changed = {"arm": 0, "blinded": False, "site": site, "patients": patients}
    assert sent(page) == START | changed


def test_the_unit_and_the_bounds_of_a_number_stand_beside_it(visit):
    page = visit("trial")
    field = page.locator(".field:has(> .line > [name=dose])")
    expect(field.locator(".line .unit")).to_have_text("mg")
    expect(field.locator(".facts")).to_contain_text("0 to 5")
    expect(page.get_by_role("columnheader", name="left mm")).to_be_visible()


def test_what_may_be_left_out_is_sent_once_it_is_included(visit):
    page = visit("trial")
    tick = page.get_by_role("checkbox", name="Include backup")
    tick.check()
    assert sent(page)["backup"] == {"latitude": 52.5, "name": None}
    tick.uncheck()
    assert sent(page)["backup"] is None


@pytest.mark.parametrize("name", ["site", "patients"])
def test_what_a_view_cannot_say_stays_json(visit, name):
    page = visit("trial")
    given = {"site": '{"place": {"latitude": 1, "height": 2}}', "patients": '[{"left": null}]'}
    page.goto(f"{page.ours}?{name}={quote(given[name])}")
    if name == "site":  # the view of the site shows all but the place as fields
        expect(page.locator("textarea[data-name=place]")).to_be_visible()
    else:
        expect(page.locator("textarea[name=patients]")).to_be_visible()
    refused(page)


def test_a_record_is_written_as_json_and_shown_as_fields_again(visit):
    page = visit("trial")
    test_page.as_json(page, "site", '{"place": {"latitude": 1e0}, "private": false}')
    page.get_by_role("button", name="Show site as JSON").click()
    expect(page.locator("textarea[name=site]")).to_be_hidden()
    expect(page.get_by_label("latitude").first).to_have_value("1e0")
    expect(page.get_by_label("beds")).to_have_value("10")
    assert sent(page)["site"]["private"] is False


def test_a_block_of_a_spreadsheet_is_pasted_where_the_cell_is(visit):
    page = visit("trial")
    paste(cell(page, 2, "left"), '151\t2\tTRUE\t"two\nlines"\r\n152\t0\tFALSE\tNA\r\n153\t\t\t\r\n')
    due = [
        FIRST,
        FIRST | {"left": 151, "arm": 2, "smokes": True, "note": "two\nlines"},
        FIRST | {"left": 152, "note": "NA"},
        FIRST | {"left": 153},
    ]
    assert sent(page)["patients"] == due


def test_a_header_that_is_pasted_names_the_columns(visit):
    page = visit("trial")
    paste(cell(page, 1, "left"), "smokes\tLeft\tname\tarm\ntrue\t160\tAda\t7\n\t161\tBob\t2")
    told = "2 rows read, in the place of 2. There is no column or choice for name, 7: left out."
    expect(page.locator(".records .note")).to_have_text(told)
    given = [{"left": 160, "smokes": True}, {"left": 161, "arm": 2}]
    assert sent(page)["patients"] == [FIRST | one for one in given]


@pytest.mark.parametrize("is_dropped", [True, False])
def test_a_csv_file_takes_the_place_of_the_rows(visit, is_dropped):
    page = visit("trial")
    text = 'left;note\n170;"a;b"\n171;\n172;c\n'
    if is_dropped:
        drop(page.locator(".records"), text)
    else:
        file = {"name": "a.csv", "mimeType": "text/csv", "buffer": text.encode()}
        page.get_by_label("Open CSV for patients").set_input_files(file)
    expect(page.locator(".records .note")).to_have_text("3 rows read, in the place of 2.")
    rows = [{"left": 170, "note": "a;b"}, {"left": 171}, {"left": 172, "note": "c"}]
    assert sent(page)["patients"] == [FIRST | row for row in rows]


def test_rows_are_added_removed_and_walked_by_the_keyboard(visit):
    page = visit("trial")
    page.get_by_role("button", name="Add a row").press("Enter")
    expect(cell(page, 3, "left")).to_be_focused()
    page.keyboard.type("190")
    page.keyboard.press("Enter")
    expect(cell(page, 4, "left")).to_be_focused()
    page.keyboard.type("191")
    page.keyboard.press("ArrowUp")
    expect(cell(page, 3, "left")).to_be_focused()
    page.get_by_role("button", name="Remove this row").first.press("Enter")
    expect(page.get_by_role("rowheader").first).to_have_text("1")
    assert [row["left"] for row in sent(page)["patients"]] == [180, 190, 191]


def test_an_error_stands_beside_its_cell(visit):
    page = visit("trial")
    paste(cell(page, 1, "left"), "200\n300\n\n210")  # the third row is empty, and no row
    cell(page, 4, "days").fill("x")
    page.get_by_label("latitude").first.fill("95")
    refused(page)
    for found in cell(page, 2, "left"), cell(page, 4, "days"), page.get_by_label("latitude").first:
        expect(found).to_have_attribute("aria-invalid", "true")
        told = found.get_attribute("aria-describedby").split()[-1]
        expect(page.locator(f"[id='{told}']")).to_contain_text("Input should be")
    assert page.locator("[aria-invalid]").count() == 3
    # The rows of the table are counted from 1, and so are they in the sentence.
    expect(page.locator("#shown")).to_contain_text("patients, item 2.left: ")
    cell(page, 2, "left").fill("250")
    cell(page, 4, "days").fill("")
    page.get_by_label("latitude").first.fill("90")
    sent(page)
    expect(page.locator("[aria-invalid], .of-cell")).to_have_count(0)


def test_a_cell_that_is_no_json_has_the_error_beside_it(visit):
    page = visit("trial")
    cell(page, 2, "home").fill("52, 13")
    cell(page, 1, "home").fill('{"latitude": 1}, "note": "x"')
    refused(page)
    for row in 1, 2:
        expect(cell(page, row, "home")).to_have_attribute("aria-invalid", "true")
        told = cell(page, row, "home").get_attribute("aria-describedby").split()[-1]
        expect(page.locator(f"[id='{told}']")).to_contain_text("write JSON with latitude")
    cell(page, 1, "home").fill('{"latitude": 1}')
    cell(page, 2, "home").fill("")
    homes = [{"latitude": 1, "name": None}, None]
    assert [row["home"] for row in sent(page)["patients"]] == homes


@pytest.mark.parametrize(
    ("name", "before", "picked", "after"),
    [
        ("day", "", "2025-12-31", "2025-12-31"),
        ("clock", "08:30:00.123456", "09:15", "09:15"),
        ("moment", "2024-02-29T08:30:00", "2025-12-31T09:15", "2025-12-31T09:15"),
        ("moment", "2024-02-29 08:30:00.5+02:00", "2025-12-31T09:15", "2025-12-31T09:15+02:00"),
    ],
)
def test_a_picker_writes_what_can_be_typed_too(visit, name, before, picked, after):
    page = visit("trial")
    page.locator(f"[name={name}]").fill(before)
    page.get_by_role("button", name=re.compile(f"^Pick a .* for {name}$")).click()
    page.locator(f"[name={name}] ~ .native").fill(picked)
    expect(page.locator(f"[name={name}]")).to_have_value(after)
    assert sent(page)[name].startswith(after.partition("+")[0])


def test_a_page_that_is_reloaded_keeps_what_was_typed(visit):
    page = visit("trial")
    page.locator("[name=dose]").fill("2.50")
    page.get_by_label("blinded").uncheck()
    cell(page, 1, "left").fill("222")
    page.get_by_role("checkbox", name="Include backup").check()
    page.reload()
    expect(page.get_by_role("checkbox", name="Include backup")).to_be_checked()
    expect(cell(page, 1, "left")).to_have_value("222")
    found = sent(page)
    assert (found["dose"], found["blinded"], found["patients"][0]["left"]) == ("2.50", False, 222)
    page.goto(page.ours)  # a link says what it says
    assert sent(page) == START


def drop_file(place: Locator, path: Path) -> None:
    """Drop a file on the upper edge of a place as the browser itself does it."""
    path.write_text("a picture")
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    session = place.page.context.new_cdp_session(place.page)
    for kind in "dragEnter", "dragOver", "drop":
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 5}
        session.send("Input.dispatchDragEvent", {"type": kind, "data": data} | at)


def test_files_are_dropped(visit, tmp_path):
    page = visit("files")
    drop_file(page.get_by_label("image"), tmp_path / "a.png")
    chosen = "control => control.files[0]?.name"
    assert page.get_by_label("image").evaluate(chosen) == "a.png"


def test_a_file_that_is_dropped_beside_its_field_leaves_the_page(visit, tmp_path):
    page = visit("files")
    drop_file(page.locator("h1"), tmp_path / "a.txt")
    page.wait_for_timeout(300)
    assert [one.url for one in page.context.pages] == [page.ours]


FRAMES = """() => {
    window.frames_ = [];
    let last = performance.now();
    const tick = (now) => {
        frames_.push(now - last);
        last = now;
        requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
}"""


def test_typing_into_a_thousand_rows_stays_fluid(visit):
    page = visit("trial")
    paste(cell(page, 1, "left"), "\n".join(f"{150 + row / 10}\t0\tTRUE\tx" for row in range(1000)))
    expect(page.get_by_role("rowheader")).to_have_count(1000)
    cell(page, 500, "note").scroll_into_view_if_needed()
    cell(page, 500, "note").focus()
    page.wait_for_timeout(500)
    page.evaluate(FRAMES)
    for letter in "a sentence of a remark that is typed":
        page.keyboard.type(letter)
        page.wait_for_timeout(40)
    frames = sorted(page.evaluate("frames_"))
    assert frames[len(frames) // 2] < 18  # milliseconds; a busy machine drops single frames
    assert len(sent(page)["patients"]) == 1000


def test_a_key_in_a_cell_dims_the_answer_and_the_calls_follow_once_it_is_left(visit):
    page = visit("trial")
    sent(page)
    expect(page.locator("#asked")).to_contain_text(re.compile("^For day"))
    cell(page, 1, "note").press("x")
    assert page.locator("#asked").text_content().startswith("For the inputs before: ")
    page.keyboard.press("Tab")
    assert '"note": "x"' in page.locator(".call:visible").text_content()
    assert page.locator("#asked").text_content().startswith("For the inputs before: ")
    sent(page)
    expect(page.locator("#asked")).to_contain_text(re.compile("^For day"))
    cell(page, 1, "note").press("Backspace")
    assert page.locator("#asked").text_content().startswith("For the inputs before: ")
    page.keyboard.press("x")
    page.keyboard.press("Tab")
    assert page.locator("#asked").text_content().startswith("For day")


def test_the_button_is_in_view_with_six_fields_and_with_more(visit):
    page = visit("trial", viewport={"width": 1280, "height": 800})
    expect(page.get_by_role("button", name="Run the model")).to_be_in_viewport(ratio=1)
    page.get_by_label("beds").focus()  # and does not hide what has the focus
    field, button = (
        page.locator(place).bounding_box() for place in ("[data-name=beds]", ".send .run")
    )
    assert field["y"] + field["height"] <= button["y"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 768, 1280])
def test_axe_finds_nothing_in_any_state_of_the_form(visit, width, scheme):
    page = visit("trial", viewport={"width": width, "height": 800}, color_scheme=scheme)
    check(page)
    page.get_by_role("checkbox", name="Include backup").check()
    page.get_by_text("What the columns take").click()
    paste(cell(page, 1, "left"), "300\t\t\t\nx\t\t\t")
    page.locator("[name=day]").fill("29.2.2024")
    refused(page)
    check(page)
    page.get_by_role("button", name="Show patients as JSON").click()
    check(page)


@pytest.mark.parametrize("width", [375, 768])
@pytest.mark.parametrize("sample", SAMPLES, indirect=True)
def test_axe_finds_nothing_on_the_page_of_a_sample(visit, sample, width):
    check(visit(sample, viewport={"width": width, "height": 800}, color_scheme="dark"))
