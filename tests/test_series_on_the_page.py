"""Dated records and series on the page: tables that are pasted, and plots over times."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from conftest import swapped
from playwright.sync_api import Page, expect
from test_form_on_the_page import cell, drop, paste
from test_page import browser, check, run, visit  # noqa: F401 (fixtures)

pytestmark = pytest.mark.browser

# Rain that runs off, and a series over what the caller asks for.
RUNOFF = """
from datetime import date, datetime, timedelta

from pydantic import BaseModel, Field

DAYS = [{"day": f"2024-05-0{n}", "depth": n} for n in range(1, 8)]


class Rain(BaseModel):
    day: date
    depth: float = Field(ge=0, json_schema_extra={"unit": "mm"})
    gauge: str = ""


class Hour(BaseModel):
    moment: datetime
    level: float = 0


class Input(BaseModel):
    rains: list[Rain] = Field(examples=[DAYS])
    hours: list[Hour] = [Hour(moment=datetime(2024, 5, 1, 6))]
    start: datetime = datetime(2024, 5, 1)
    minutes: float = Field(1440, gt=0, description="Between two points of the series")
    points: int = Field(10, ge=1, le=1000)


class Output(BaseModel):
    peak: float = Field(description="The largest discharge", json_schema_extra={"unit": "m³/s"})
    share: float = Field(description="Of the rain", json_schema_extra={"unit": "1"})
    area: float = Field(description="Of the catchment", json_schema_extra={"unit": "km²"})
    rains: list[Rain]
    days: list[date]
    discharge: list[float] = Field(json_schema_extra={"unit": "m³/s"})
    excess: list[float] = Field(json_schema_extra={"unit": "mm"})
    moments: list[datetime]
    level: list[float] = Field(json_schema_extra={"unit": "m"})


def predict(inputs: Input) -> Output:
    points = range(inputs.points)
    moments = [inputs.start + timedelta(minutes=inputs.minutes * n) for n in points]
    days = [one.day for one in inputs.rains]
    return Output(
        peak=1.3161248969773889,
        share=0.019427804748617494,
        area=12345.678,
        rains=inputs.rains,
        days=days,
        discharge=[one.depth**0.5 for one in inputs.rains],
        excess=[1000 * one.depth for one in inputs.rains],
        moments=moments,
        level=[n * n for n in points],
    )
"""


@pytest.fixture(scope="module")
def ports(bake, serve) -> Iterator[dict[str, int]]:
    """The port of the model, for `visit`."""
    project = swapped(bake(project_slug="runoff"), RUNOFF)
    with serve(project, MODEL_PROCESSES="1") as server:
        yield {"square": server.port}


DAYS = [{"day": f"2024-05-0{n}", "depth": float(n), "gauge": ""} for n in range(1, 8)]
NOTE = ".records:has([data-name=depth]) > .note"


def rains(page: Page) -> list[dict]:
    """Run the model, and return the rains that it was given."""
    return json.loads(run(page))["rains"]


@pytest.mark.parametrize(
    "name", ["depth", "Depth", "depth (mm)", "depth [mm]", "depth mm", "DEPTH (mm)", "depth_mm"]
)
def test_the_unit_in_a_header_is_that_of_the_column(visit, name):  # noqa: F811
    page = visit()
    lines = "".join(f"2025-06-0{n}\t{n}.5\n" for n in range(1, 8))
    paste(cell(page, 1, "day"), f"day\t{name}\n{lines}")
    expect(page.locator(NOTE)).to_have_text("7 rows read, in the place of 7.")
    due = [{"day": f"2025-06-0{n}", "depth": n + 0.5, "gauge": ""} for n in range(1, 8)]
    assert rains(page) == due


@pytest.mark.parametrize("row", [1, 3])
@pytest.mark.parametrize("name", ["depth (cm)", "Depth (MM)", "Tiefe"])
def test_no_old_value_stays_beside_those_of_a_block_that_does_not_fit(visit, name, row):  # noqa: F811
    page = visit()
    paste(cell(page, row, "day"), f"day\t{name}\n2025-06-01\t9\n2025-06-02\t9\n")
    expect(page.locator(f"{NOTE}.bad")).to_contain_text(f"no column or choice for {name}: left out")
    for at in row, row + 1:
        expect(cell(page, at, "day")).to_have_value(f"2025-06-0{at - row + 1}")
        expect(cell(page, at, "depth")).to_have_value("")
    page.get_by_role("button", name="Run the model").click()
    expect(page.locator("#status")).to_have_text("422 Unprocessable Entity")
    expect(page.locator(f"{NOTE}.bad")).to_be_visible()
    check(page)


def test_two_columns_of_a_block_that_are_one_of_the_table_are_named(visit):  # noqa: F811
    page = visit()
    paste(cell(page, 2, "day"), "day\tdepth\tdepth (mm)\n2025-06-01\t8\t9\n")
    expect(page.locator(f"{NOTE}.bad")).to_contain_text("no column or choice for depth (mm)")
    expect(cell(page, 2, "depth")).to_have_value("8")


def test_a_row_of_a_block_that_is_too_short_empties_the_rest(visit):  # noqa: F811
    page = visit()
    paste(cell(page, 2, "day"), "day\tdepth\n2025-06-01\n2025-06-02\t5")
    expect(cell(page, 2, "depth")).to_have_value("")
    expect(cell(page, 3, "depth")).to_have_value("5")


def test_a_csv_file_names_what_has_no_column(visit):  # noqa: F811
    page = visit()
    drop(page.locator(".records").first, "day,depth (mm),depth (cm)\n2025-06-01,5,6\n")
    told = "1 row read, in the place of 7. There is no column or choice for depth (cm): left out."
    expect(page.locator(f"{NOTE}.bad")).to_have_text(told)
    assert rains(page) == [{"day": "2025-06-01", "depth": 5.0, "gauge": ""}]


def test_a_csv_file_that_is_not_utf_8_changes_nothing(visit):  # noqa: F811
    page = visit()
    text = "day,depth,gauge\n2025-06-01,3,M\xfcller\n"
    file = {"name": "rain.csv", "mimeType": "text/csv", "buffer": text.encode("cp1252")}
    page.get_by_label("Open CSV for rains").set_input_files(file)
    expect(page.locator(f"{NOTE}.bad")).to_have_text("The file is not CSV in UTF-8.")
    assert rains(page) == DAYS


def test_a_block_from_the_first_cell_on_takes_the_place_of_the_rows(visit):  # noqa: F811
    page = visit()
    paste(cell(page, 1, "day"), "2025-06-01\t1\n2025-06-02\t2\n")
    expect(page.locator(NOTE)).to_have_text("2 rows read, in the place of 7.")
    assert [one["day"] for one in rains(page)] == ["2025-06-01", "2025-06-02"]


def test_a_block_elsewhere_changes_its_cells_alone(visit):  # noqa: F811
    page = visit()
    paste(cell(page, 1, "depth"), "11\n12\n")
    expect(page.locator(NOTE)).to_have_text("2 rows read.")
    paste(cell(page, 7, "day"), "2025-06-07\t1\n2025-06-08\t2\n")
    depths = [one | {"depth": at + 11.0} for at, one in enumerate(DAYS[:2])]
    last = [{"day": f"2025-06-0{n}", "depth": n - 6.0, "gauge": ""} for n in (7, 8)]
    assert rains(page) == depths + DAYS[2:6] + last


def drawn(page: Page, unit: str = "m"):
    """The plot of the level, or that of another unit."""
    page.wait_for_timeout(200)  # until it is drawn
    plot = page.locator(".plot").filter(has=page.get_by_text(f"({unit})", exact=False))
    return plot.get_by_role("img")


# The text and the place of each label that is shown below a plot; the places of all ticks, and of
# the first and the last time.
PLACES = """drawing => {
    const curve = drawing.querySelector(".curve");
    const points = [...curve.getAttribute("d").matchAll(/[ML]([-0-9.]+),/g)];
    const across = ([, x]) => new DOMPoint(+x, 0).matrixTransform(curve.getScreenCTM()).x;
    const labels = [...drawing.querySelectorAll(".axis g text")];
    const marks = [...drawing.querySelectorAll(".axis line")];
    const edges = drawing.parentElement.getBoundingClientRect();
    return {
        marks: marks.map((mark) => mark.getBoundingClientRect().x),
        ends: [points[0], points.at(-1)].map(across),
        labels: labels.filter((label) => label.checkVisibility()).map((label) => {
            const box = label.getBoundingClientRect();
            const is = box.left >= edges.left && box.right <= edges.right;
            return {text: label.textContent, left: box.left, right: box.right, is};
        }),
    };
}"""


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize(
    ("start", "minutes", "points", "due"),
    [
        ("2024-05-01T06:00", 1, 13, r"05-01 06:(00|05|10|15)"),
        ("2024-05-01T06:01", 1, 19, r"05-01 06:(05|10|15)"),
        ("2024-05-01T06:00", 60, 25, r"05-0[12] (00|06|12|18):00"),
        ("2024-05-01T06:00:00Z", 360, 9, r"05-0[123] (00|12):00|2024-05-0[1-3]"),
        ("2024-05-01T00:00", 1440, 10, r"2024-05-\d\d"),
        ("2024-01-15T00:00", 1440 * 7, 60, r"2024-(04|07|10|01)|2025-(01|02)"),
        ("2019-12-31T00:00", 1440 * 30, 60, r"202[0-4]"),
        ("1850-01-01T00:00", 1440 * 365.25, 175, r"(18|19|20)[05]0|1950"),
    ],
)
def test_the_ticks_of_times_stand_at_round_times_in_utc(
    visit,  # noqa: F811
    width,
    start,
    minutes,
    points,
    due,
):
    page = visit(viewport={"width": width, "height": 800}, timezone_id="America/New_York")
    for name, value in {"start": start, "minutes": minutes, "points": points}.items():
        page.get_by_label(name, exact=True).fill(str(value))
    moments = json.loads(run(page))["moments"]
    found = drawn(page).evaluate(PLACES)
    labels = found["labels"]
    assert len(labels) >= 2
    first, last = (utc(moment) for moment in (moments[0], moments[-1]))
    left, right = found["ends"]
    for one in labels:
        assert re.fullmatch(due, one["text"]), one
        assert one["is"], one
        moment = utc(one["text"] if len(one["text"]) != 11 else f"2024-{one['text']}")
        place = left + (moment - first) / (last - first) * (right - left)
        assert min(abs(place - mark) for mark in found["marks"]) < 0.2
        assert abs(place - (one["left"] + one["right"]) / 2) < 1
    for one, other in pairwise(labels):
        assert one["right"] < other["left"]


# The text and the height of each number beside a plot; the heights of its grid and its points.
HEIGHTS = """drawing => {
    const heights = (path) => {
        const d = drawing.querySelector(path).getAttribute("d");
        const found = [...d.matchAll(/[ML]([-0-9.]+),([-0-9.]+)/g)];
        const matrix = drawing.querySelector(path).getScreenCTM();
        return found.map(([, x, y]) => new DOMPoint(+x, +y).matrixTransform(matrix).y);
    };
    const labels = [...drawing.querySelectorAll(".scale span")];
    return {
        numbers: labels.map((label) => +label.textContent),
        labels: labels.map((label) => label.getBoundingClientRect().y),
        grid: heights(".grid"),
        curve: heights(".curve"),
    };
}"""


@pytest.mark.parametrize("width", [375, 1280])
def test_the_numbers_beside_a_plot_stand_at_their_heights(visit, width):  # noqa: F811
    page = visit(viewport={"width": width, "height": 800})
    levels = json.loads(run(page))["level"]
    found = drawn(page).evaluate(HEIGHTS)
    assert found["numbers"] == [0, 20, 40, 60, 80, 100]
    assert found["labels"] == pytest.approx(found["grid"], abs=0.5)
    bottom, top = found["labels"][0], found["labels"][-1]
    due = [bottom + level / 100 * (top - bottom) for level in levels]
    assert found["curve"] == pytest.approx(due, abs=0.5)


def utc(text: str) -> float:
    """The seconds of a time, or of the beginning of a day, a month or a year."""
    whole = text + "2000-01-01"[len(text) :]
    return datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()


def test_the_first_list_of_dates_that_rises_is_the_axis(visit):  # noqa: F811
    page = visit()
    run(page)
    names = [one.get_attribute("aria-label") for one in page.get_by_role("img").all()]
    due = ["discharge over days", "excess over days", "level over moments"]
    assert names == [f"Plot of {name}" for name in due]
    captions = [one.all_inner_texts() for one in page.locator("figcaption").all()]
    assert len(captions) == 3  # the records, and each axis with its lists
    paste(cell(page, 1, "day"), "2025-06-03\t1\n2025-06-02\t2\n2025-06-04\t3")
    run(page)
    expect(page.get_by_role("img", name="Plot of discharge over item")).to_be_visible()


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_a_number_stays_in_its_card_beside_its_name(visit, width):  # noqa: F811
    page = visit(viewport={"width": width, "height": 800})
    run(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    card = page.locator("#outcome").bounding_box()
    for one in page.locator(".values td").all():
        box = one.bounding_box()
        assert box["x"] + box["width"] <= card["x"] + card["width"] + 0.5


@pytest.mark.parametrize("width", [375, 1280])
def test_a_column_is_as_wide_as_a_date_or_a_time(visit, width):  # noqa: F811
    page = visit(viewport={"width": width, "height": 800})
    for name in "day", "moment":
        control = page.locator(f".records tbody tr:first-child [data-name={name}]")
        if name == "moment":
            control.fill("2024-05-01T06:00:00")
        assert control.evaluate("one => one.scrollWidth <= one.clientWidth"), name
    frame = page.locator(".records .rows").last
    assert frame.evaluate("one => one.querySelector('tr').scrollWidth >= one.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_plots_over_the_same_dates_are_in_line(visit):  # noqa: F811
    page = visit()
    run(page)
    plots = [drawn(page, unit).first.evaluate(PLACES) for unit in ("m³/s", "mm")]
    assert plots[0]["ends"] == plots[1]["ends"]


BLOCKS = {
    "commas": ("2025-06-01,1,a\n2025-06-02,2,b\n", "ab"),
    "commas and a header": ("day,depth (mm),gauge\n2025-06-01,1,a\n2025-06-02,2,b\n", "ab"),
    "a comment above tabs": ("# of gauges, daily\nday\tdepth\n2025-06-01\t1\n2025-06-02\t2", ""),
    "a comment above commas": ("# daily\n#\n2025-06-01,1,#a\n2025-06-02,2,b\n", ["#a", "b"]),
    "a header that is a comment": ("# depth\tday\n1\t2025-06-01\n2\t2025-06-02", ""),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_of_a_text_editor_is_read_without_its_comments(visit, name):  # noqa: F811
    page = visit()
    text, gauges = BLOCKS[name]
    paste(cell(page, 1, "day"), text)
    expect(page.locator(NOTE)).to_have_text("2 rows read, in the place of 7.")
    due = [{"day": f"2025-06-0{n}", "depth": float(n), "gauge": ""} for n in (1, 2)]
    assert rains(page) == [
        one | {"gauge": g} for one, g in zip(due, gauges or ["", ""], strict=True)
    ]


def test_a_csv_file_is_read_without_its_comments(visit):  # noqa: F811
    page = visit()
    text = "# of gauges; daily\n# and more\nday,depth,gauge\n2025-06-01,5,#1\n"
    drop(page.locator(".records").first, text)
    assert rains(page) == [{"day": "2025-06-01", "depth": 5.0, "gauge": "#1"}]


def test_a_block_that_is_no_table_changes_nothing(visit):  # noqa: F811
    page = visit()
    paste(cell(page, 1, "day"), '"2025-06-01\t1\n2025-06-02\t2')
    expect(page.locator(f"{NOTE}.bad")).to_contain_text("a quote does not end with its cell")
    assert rains(page) == DAYS


def test_a_remark_with_commas_stays_whole(visit):  # noqa: F811
    page = visit()
    paste(cell(page, 2, "gauge"), "a, b, c\nd, e, f\n")
    assert [one["gauge"] for one in rains(page)[:3]] == ["", "a, b, c", "d, e, f"]


def test_a_column_of_a_block_without_a_name_is_said(visit):  # noqa: F811
    page = visit()
    paste(cell(page, 1, "day"), "\tday\tdepth\nfirst\t2025-06-01\t5\n")
    told = "1 row read, in the place of 7. There is no column or choice for first: left out."
    expect(page.locator(f"{NOTE}.bad")).to_have_text(told)
    assert rains(page) == [{"day": "2025-06-01", "depth": 5.0, "gauge": ""}]
