"""The answer as people read it on the page, in a real browser and through a real Gunicorn."""

import base64
import csv
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import quote

import pytest
from conftest import swapped, wait_until
from playwright.sync_api import Page, expect
from test_page import browser, check, run, visit  # noqa: F401 (fixtures)

pytestmark = pytest.mark.browser

# A model whose answer has a value of every kind.
SPECTRUM = '''
"""A made-up spectrum."""

import math
import time
from base64 import b64decode
from datetime import date

from pydantic import BaseModel, ConfigDict, Field

PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Input(BaseModel):
    points: int = Field(3, ge=0, le=100_000, examples=[3], description="How many points")
    seconds: float | None = Field(None, ge=0, le=60)
    times: list[float] = Field([], json_schema_extra={"unit": "s", "axis": "x"})
    days: list[date] = Field([], json_schema_extra={"axis": "x"})


class Peak(BaseModel):
    position: float = Field(json_schema_extra={"unit": "nm"})
    label: str


class Fit(BaseModel):
    quality: float = Field(description="Goodness of the fit")
    is_valid: bool


class Output(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64")

    count: int = Field(description="A large number", json_schema_extra={"unit": "photons"})
    lost: float = Field(description="A share without a value")
    maybe: float | None
    word: str
    fit: Fit = Field(description="The fit")
    wavelength: list[float] = Field(
        description="Where", json_schema_extra={"unit": "nm", "axis": "x"}
    )
    intensity: list[float] = Field(description="How much", json_schema_extra={"unit": "counts"})
    phase: list[float] = Field(json_schema_extra={"unit": "rad"})
    echo: list[float]
    peaks: list[Peak] = Field(description="The peaks")
    matrix: list[list[float]]
    none: list[float]
    map: bytes = Field(description="A drawn map")
    report: bytes


def predict(inputs: Input) -> Output:
    time.sleep(inputs.seconds or 0)
    n = inputs.points
    x = [500.125 - i / 1024 for i in range(n)]
    return Output(
        count=10**40 + 7,
        lost=math.nan,
        maybe=None,
        word="<b>bold</b>",
        fit=Fit(quality=0.1 + 0.2, is_valid=True),
        wavelength=x,
        intensity=[math.nan if i == 1 else 1e3 * math.sin(one) for i, one in enumerate(x)],
        phase=x,
        echo=inputs.times or range(len(inputs.days)),
        peaks=[Peak(position=1.0, label='a, "b"'), Peak(position=1e-300, label="c")],
        matrix=[[1, 2], [3, 4.5]],
        none=[],
        map=PNG,
        report=b"%PDF-1.4",
    )
'''

# A model whose lists lie in objects, or do not belong together.
CURVES = """
from pydantic import BaseModel, Field


class Input(BaseModel):
    points: int = Field(3, examples=[3])


class Curve(BaseModel):
    t: list[float] = Field(json_schema_extra={"unit": "s"})
    n: list[float]


class Output(BaseModel):
    north: Curve
    south: Curve
    by_site: dict[str, Curve]
    nested: dict[str, dict[int, list]]
    items: set[str]
    keys: tuple[str, str]
    numbers: set[int]
    vector: tuple[float, float, float]
    names: list[str]
    fitted: list[float]
    measured: list[float | None]
    sites: list[str] = Field(json_schema_extra={"axis": "x"})
    empty: dict[str, float]


def predict(inputs: Input) -> Output:
    curve = Curve(t=[0, 1, 2], n=[4, 3, 5])
    return Output(
        north=curve,
        south=curve,
        by_site={"a": curve},
        nested={"b": {1: [1, "x"]}},
        items={"q", "z"},
        keys=("4", "7"),
        numbers={1, 2, 3},
        vector=(1, 2, 3),
        names=["one", "two", "three"],
        fitted=[1, 5, 4],
        measured=[1, None, 3],
        sites=["i", "j", "k"],
        empty={},
    )
"""

# A model that draws a number.
DICE = """
import random

from pydantic import BaseModel, Field


class Input(BaseModel):
    sides: int = Field(10**9, ge=2)
    seed: int | None = Field(None, ge=0, examples=[1])


class Output(BaseModel):
    eyes: int


def predict(inputs: Input) -> Output:
    return Output(eyes=random.Random(inputs.seed).randint(1, inputs.sides))
"""

# A model that draws what its caller writes.
LABEL = """
from pydantic import BaseModel, Field


class Input(BaseModel):
    label: str = Field(examples=["a"])


class Output(BaseModel):
    map: bytes


def predict(inputs: Input) -> Output:
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg"><text y="20">{inputs.label}</text></svg>'
    return Output(map=drawn.encode())
"""


@pytest.fixture(scope="module")
def service(bake, serve) -> Iterator[object]:
    """The service of the spectrum."""
    with serve(swapped(bake(project_slug="spectrum"), SPECTRUM), MODEL_PROCESSES="1") as server:
        yield server


@pytest.fixture(scope="module")
def ports(bake, serve, service) -> Iterator[dict[str, int]]:
    """Its port and those of the other models, for `visit`."""
    found = {"square": service.port}
    with ExitStack() as stack:
        for name, model in {"curves": CURVES, "dice": DICE, "label": LABEL}.items():
            project = swapped(bake(project_slug=name), model)
            found[name] = stack.enter_context(serve(project, MODEL_PROCESSES="1")).port
        yield found


def row(page: Page, name: str) -> str:
    """The value beside a name in the table of values."""
    return page.locator(".values tr").filter(has=page.get_by_text(name, exact=True)).locator("td")


def figure(page: Page, name: str):
    """The plots and the table of a list."""
    title = page.locator("figcaption b").get_by_text(name, exact=True)
    return page.locator("figure").filter(has=title)


def captions(page: Page) -> list[list[str]]:
    """The names in the caption of each figure."""
    figures = page.locator("figure").all()
    return [one.locator("figcaption b").all_inner_texts() for one in figures]


def test_each_value_has_its_name_unit_description_and_every_digit(visit):  # noqa: F811
    page = visit()
    answer = json.loads(run(page))
    expect(row(page, "count")).to_have_text(f"{10**40 + 7} photons")
    expect(page.get_by_text("A large number", exact=True)).to_be_visible()
    expect(row(page, "quality")).to_have_text(f"{answer['fit']['quality']} ")
    expect(row(page, "is_valid")).to_have_text("true ")
    expect(row(page, "word")).to_have_text("<b>bold</b> ")
    expect(row(page, "none")).to_have_text("an empty list")


# The JSON of a browser from before 2025, which rounds numbers and says nothing of their digits.
OLDER = """
const parse = JSON.parse;
JSON.parse = (text, act) => parse(text, act && ((key, value) => act(key, value)));
delete JSON.rawJSON;
delete JSON.isRawJSON;
"""


def test_an_older_browser_shows_the_answer_with_rounded_numbers(visit):  # noqa: F811
    page = visit()
    page.add_init_script(OLDER)
    page.reload()
    answer = json.loads(run(page))
    expect(row(page, "count")).to_have_text("1e+40 photons")
    expect(row(page, "quality")).to_have_text(f"{answer['fit']['quality']} ")
    expect(figure(page, "intensity").get_by_role("img")).to_have_count(2)


def test_a_null_says_why_it_is_one(visit):  # noqa: F811
    page = visit()
    run(page)
    expect(row(page, "lost")).to_have_text("not finite (NaN or infinite) ")
    expect(row(page, "maybe")).to_have_text("null: none, or not finite (NaN or infinite) ")


def test_no_list_is_described_by_what_a_null_in_it_means(visit):  # noqa: F811
    page = visit()
    run(page)
    name = page.locator(".values th").filter(has=page.get_by_text("none", exact=True))
    expect(name).to_have_text("none")


def test_lists_are_plotted_over_the_axis_and_kept_as_csv(visit):  # noqa: F811
    page = visit()
    answer = json.loads(run(page))
    found = figure(page, "intensity")
    names = [image.get_attribute("aria-label") for image in found.get_by_role("img").all()]
    assert names == ["Plot of intensity over wavelength", "Plot of phase over wavelength"]
    assert "nm" in found.locator("svg.axis > text").first.text_content()
    expect(found.locator("th").nth(1)).to_have_text("intensity counts")
    with page.expect_download() as download:
        found.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "square-api-answer.csv"
    rows = list(csv.DictReader(download.value.path().read_text("utf-8").splitlines()))
    assert [one["wavelength (nm)"] for one in rows] == list(map(str, answer["wavelength"]))
    assert [one["intensity (counts)"] for one in rows][1] == ""


def test_a_list_is_plotted_over_the_axis_among_the_inputs(visit):  # noqa: F811
    page = visit()
    page.get_by_label("times").fill("5\n0.10\n3\n4")
    run(page)
    found = figure(page, "echo")
    assert found.get_by_role("img").get_attribute("aria-label") == "Plot of echo over times"
    expect(found.locator("th")).to_have_text(["times s", "echo "])
    expect(found.locator("tbody td").nth(2)).to_have_text("0.10")


def test_a_list_is_plotted_over_days(visit):  # noqa: F811
    page = visit()
    page.get_by_label("days").fill("2024-03-01\n2024-02-28\n2024-02-29\n2024-03-09")
    run(page)
    found = figure(page, "echo")
    assert found.get_by_role("img").get_attribute("aria-label") == "Plot of echo over days"
    expect(found.locator("svg text").filter(has_text="2024-03-0").first).to_be_visible()
    expect(found.locator("tbody td").first).to_have_text("2024-03-01")


@pytest.mark.parametrize(
    "times",
    [["5", "5", "5"], [f"{8 * 10**18 + n * 1024}" for n in range(3)], ["-1e308", "0", "1e308"]],
    ids=["one value", "beyond the integers of JavaScript", "too far apart"],
)
def test_no_numbers_keep_the_page_from_its_answer(visit, times):  # noqa: F811
    page = visit()
    page.get_by_label("times").fill("\n".join(times))
    run(page)
    page.wait_for_timeout(300)  # until it is drawn
    expect(figure(page, "echo").locator("tbody tr")).to_have_count(3)


def test_numbers_of_any_size_have_ticks(visit):  # noqa: F811
    page = visit()
    for power in "e-23", "e-300", "e40", "e300":
        page.locator("[name=times]").fill(f"1{power}\n2{power}\n3{power}\n2{power}")
        run(page)
        drawing = figure(page, "echo").get_by_role("img")
        numbers = list(map(float, drawing.locator(".scale span").all_inner_texts()))
        one = float(f"1{power}")
        assert numbers == pytest.approx([one, 1.5 * one, 2 * one, 2.5 * one, 3 * one], rel=1e-9)


def test_a_null_is_a_gap_in_the_line(visit):  # noqa: F811
    page = visit()
    page.get_by_label("points").fill("5")
    run(page)
    path = figure(page, "intensity").locator(".curve").first.get_attribute("d")
    assert [path.count(sign) for sign in "ML"] == [2, 2]  # the second of five is none


def test_the_point_below_the_pointer_is_said_with_every_digit(visit):  # noqa: F811
    page = visit()
    answer = json.loads(run(page))
    drawing = figure(page, "intensity").get_by_role("img").first
    drawing.scroll_into_view_if_needed()
    drawing.hover(position={"x": drawing.bounding_box()["width"] - 15, "y": 50})
    said = f"wavelength {answer['wavelength'][0]} nm · intensity {answer['intensity'][0]} counts"
    expect(figure(page, "intensity").locator(".readout").first).to_have_text(said)


def test_records_are_a_table(visit):  # noqa: F811
    page = visit()
    run(page)
    found = figure(page, "peaks")
    expect(found.locator("th")).to_have_text(["position nm", "label "])
    expect(found.locator("td")).to_have_text(["1.0", 'a, "b"', "1e-300", "c"])
    expect(figure(page, "matrix").locator("td")).to_have_text(["1.0", "2.0", "3.0", "4.5"])


def test_figures_are_called_by_their_paths(visit):  # noqa: F811
    page = visit("curves")
    run(page)
    titles = captions(page)
    curves = [[f"{path}.t", f"{path}.n"] for path in ("north", "south", "by_site.a")]
    assert titles[:4] == [*curves, ["nested.b.1"]]
    expect(figure(page, "south.n").get_by_role("img")).to_have_count(1)
    plot = figure(page, "south.n").get_by_role("img").get_attribute("aria-label")
    assert plot == "Plot of south.n over south.t"
    rows = [" ".join(one.split()) for one in page.locator(".values tr").all_inner_texts()]
    due = ["north see below", "south see below", "by_site", "a see below", "nested", "b see below"]
    assert rows[:6] == due
    expect(row(page, "empty")).to_have_text("an empty object")


def test_only_lists_of_numbers_and_their_axis_stand_side_by_side(visit):  # noqa: F811
    page = visit("curves")
    run(page)
    titles = captions(page)
    alone = [["items"], ["keys"], ["numbers"], ["vector"], ["names"]]
    assert titles[4:] == [*alone, ["fitted", "measured", "sites"]]
    expect(figure(page, "numbers").get_by_role("img")).to_have_count(0)


def test_a_picture_is_shown_and_a_file_can_be_kept(visit):  # noqa: F811
    page = visit()
    answer = json.loads(run(page))
    picture = page.get_by_role("img", name="map")
    assert picture.evaluate("image => image.naturalWidth") == 1
    with page.expect_download() as download:
        row(page, "report").get_by_role("link", name="Download PDF").click()
    assert download.value.suggested_filename == "report.pdf"
    assert download.value.path().read_bytes() == base64.b64decode(answer["report"])


def test_a_picture_runs_no_script_that_its_caller_wrote(visit):  # noqa: F811
    page = visit("label")
    accept = {"accept": "image/svg+xml"}  # as some browsers ask, but not this one
    page.route("**/api?*", lambda route: route.continue_(headers=route.request.headers | accept))
    page.expected.append("Blocked script execution")
    label = quote("</text><script>document.documentElement.id = 'ran'</script><text>", safe="")
    answer = page.goto(f"{page.ours}api?label={label}")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert answer.headers["content-security-policy"] == policy
    assert page.locator("script").count() == 1 and page.locator("#ran").count() == 0
    page.unroute("**/api?*")
    assert "content-security-policy" not in page.goto(f"{page.ours}api?label=a").headers


def test_the_json_is_indented_and_has_every_digit(visit):  # noqa: F811
    page = visit()
    answer = run(page)
    page.get_by_text("JSON", exact=True).click()
    shown = page.locator("#text").text_content()
    assert '\n  "count": 10000000000000000000000000000000000000007,\n' in shown
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", answer)


def test_a_hundred_thousand_points_stay_fluid(visit):  # noqa: F811
    page = visit()
    page.get_by_label("points").fill("100000")
    run(page, seconds=30)
    drawing = figure(page, "intensity").get_by_role("img").first
    assert len(drawing.locator(".curve").get_attribute("d")) < 200_000
    expect(figure(page, "intensity").locator(".under")).to_contain_text("The first 200 of 100000")
    drawing.scroll_into_view_if_needed()
    begun = time.monotonic()
    page.set_viewport_size({"width": 700, "height": 800})
    drawing.hover(position={"x": 100, "y": 50})
    expect(figure(page, "intensity").locator(".readout").first).to_contain_text("wavelength")
    assert time.monotonic() - begun < 2


def test_an_answer_is_marked_as_old_once_the_inputs_differ(visit):  # noqa: F811
    page = visit()
    run(page)
    expect(page.locator("#asked")).to_have_text("For points = 3")
    page.get_by_label("points").fill("4")
    expect(page.locator("#asked")).to_have_text("For the inputs before: points = 3")
    check(page)
    page.get_by_label("points").fill("3")
    expect(page.locator("#asked")).to_have_text("For points = 3")
    page.get_by_label("points").fill("-1")
    page.get_by_role("button", name="Run the model").click()
    expect(page.locator("#status")).to_contain_text("422")
    expect(page.locator("#asked")).to_be_hidden()
    expect(page.locator(".values")).to_have_count(0)


def test_an_answer_is_copied_as_a_citation(visit):  # noqa: F811
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    run(page)
    fingerprint = page.locator("#fingerprint").text_content().split()[1]
    page.get_by_text("Cite this answer").click()
    page.get_by_role("button", name="Copy the citation of this answer").click()
    expect(page.locator("#copied")).to_have_text("Copied")
    line = page.evaluate("navigator.clipboard.readText()")
    assert line.startswith("The Square API authors. Square API (version 0.1.0). https://")
    assert f"for points = 3: {page.ours}api?points=3 (fingerprint {fingerprint})." in line


def test_the_link_of_a_citation_gives_the_answer_of_a_drawn_seed_again(visit):  # noqa: F811
    page = visit("dice")
    answer = run(page)
    page.get_by_text("Cite this answer").click()
    line = page.locator("#quote code").text_content()
    seed = re.search("with seed ([0-9]+)", line)[1]
    (address,) = re.findall(r"http://\S+/api\S*", line)
    assert address.endswith(f"/api?sides=1000000000&seed={seed}")
    assert page.request.get(address).text() == answer


def test_a_prediction_can_be_stopped_and_the_service_stops_it_too(visit, service):  # noqa: F811
    def busy() -> bool:
        return b"model_busy 1" in service.get("/metrics").body

    page = visit()
    page.get_by_label("seconds").fill("50")
    page.get_by_role("button", name="Run the model").click()
    expect(page.locator("#elapsed")).to_have_text(re.compile(r"^[1-9]\.\d s$"))
    wait_until(busy)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Stopped.")
    expect(page.get_by_role("button", name="Run the model")).to_be_focused()
    wait_until(lambda: not busy(), seconds=10)
    page.get_by_label("seconds").fill("0")
    run(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_in_an_answer_of_every_kind(visit, width, scheme):  # noqa: F811
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    run(page)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    check(page)
