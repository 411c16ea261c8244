"""Many inputs at once on the page: a CSV file, in a real browser, through a real Gunicorn."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote

import pytest
import test_page
from conftest import swapped
from playwright.sync_api import Page, expect
from test_models import DICE

pytestmark = pytest.mark.browser

browser, visit = test_page.browser, test_page.visit

# A model whose answer has a name that an input has too; a row may take its time.
LENS = """
import time

from pydantic import BaseModel, Field


class Input(BaseModel):
    focus: float = Field(gt=0, examples=[50], json_schema_extra={"unit": "mm"})
    label: str = Field("it's, \\"new\\"", description="A remark, given back")
    wait: float = Field(0, ge=0, le=10)


class Output(BaseModel):
    power: float
    label: str


def predict(inputs: Input) -> Output:
    time.sleep(inputs.wait)
    return Output(power=1000 / inputs.focus, label=inputs.label)
"""


@pytest.fixture(scope="module")
def ports(bake, serve) -> Iterator[dict[str, int]]:
    """The ports of the square, of a model whose names are awkward, and of one that draws."""
    with ExitStack() as stack:
        found = {"square": stack.enter_context(serve(bake())).port}
        for name, model in {"lens": LENS, "dice": DICE}.items():
            project = swapped(bake(project_slug=f"batch-{name}"), model)
            found[name] = stack.enter_context(serve(project)).port
        yield found


def table(rows: list[list]) -> str:
    """Rows as CSV."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue()


def give(page: Page, text: str, name: str = "inputs.csv", coding: str = "utf-8") -> None:
    """Choose a CSV file."""
    file = {"name": name, "mimeType": "text/csv", "buffer": text.encode(coding)}
    page.get_by_label("Choose a CSV file").set_input_files(file)


def downloaded(page: Page) -> list[list[str]]:
    """The file of answers, row by row."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the answers").click()
    return list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))


def finish(page: Page) -> list[list[str]]:
    """Run the file, and return its answers."""
    page.get_by_role("button", name=re.compile("^Run [0-9,]+ rows?$")).click()
    expect(page.get_by_role("link", name="Download the answers")).to_be_visible(timeout=60_000)
    return downloaded(page)


def test_answers_stand_beside_their_inputs_in_order(visit):
    page = visit()
    rows = [[f"s{n}", n if n % 1000 else "x", "a, b"] for n in range(1, 3001)]
    give(page, table([["id", "value", "remark"], *rows]))
    head, *found = finish(page)
    assert head == ["id", "value", "remark", "Value Squared", "error"]
    assert [line[:3] for line in found] == [list(map(str, row)) for row in rows]
    assert [line[3] for line in found] == [str(n**2) if n % 1000 else "" for n in range(1, 3001)]
    bad = [line[4] for line in found if line[4]]
    assert [text.partition(":")[0] for text in bad] == ["row 1000", "row 2000", "row 3000"]
    expect(page.get_by_text("3,000 of 3,000 rows sent: 2,997 answered, 3 refused.")).to_be_visible()


@pytest.mark.parametrize("width", [375, 1280])
def test_the_first_reasons_of_refusals_stand_below_the_status(visit, width):
    page = visit("lens", viewport={"width": width, "height": 800})
    give(page, "focus\n50\n-1\n50\nx\n0\n-2\n-3\n")
    finish(page)
    reasons = page.locator("[data-part=reasons]")
    lines = reasons.inner_text().splitlines()
    assert [line.partition(": focus: Input should be ")[0] for line in lines[:-1]] == [
        "row 2",
        "row 4",
        "row 5",
    ]
    assert lines[-1] == "and 2 more, in the last column of the answers"
    box = reasons.bounding_box()
    assert box["x"] + box["width"] <= width
    give(page, "focus\n50\n")
    finish(page)
    expect(reasons).to_be_empty()


def test_an_uneven_row_and_an_empty_one_are_refused_in_their_place(visit):
    page = visit()
    give(page, 'value\n\n3\n""\n\n')
    assert [line[1] for line in finish(page)[1:]] == ["", "9", "", ""]
    give(page, "constructor,value\na,3\n4\nb,5\n")  # whose second row has a cell too few
    page.get_by_label("keep constructor").uncheck()
    found = finish(page)
    assert [line[1] for line in found] == ["Value Squared", "9", "", "25"]
    assert "under 1 names" in found[2][-1]


def test_a_column_that_is_no_input_is_kept_or_left_out(visit):
    page = visit()
    give(page, "id,value\na,3\n")
    expect(page.get_by_label("keep id")).to_be_checked()
    assert finish(page) == [["id", "value", "Value Squared", "error"], ["a", "3", "9", ""]]
    page.get_by_label("keep id").uncheck()
    assert downloaded(page) == [["value", "Value Squared", "error"], ["3", "9", ""]]


def test_an_answer_with_the_name_of_an_input_gets_another(visit):
    page = visit("lens")
    give(page, table([["label", "focus"], ["a\n\"b\", 'c'", "50"]]))
    assert finish(page) == [
        ["label", "focus", "power", "label_answer", "error"],
        ["a\n\"b\", 'c'", "50", "20.0", "a\n\"b\", 'c'", ""],
    ]


def test_the_comments_above_a_table_are_no_rows(visit):
    page = visit()
    give(page, "# of the lab, 2024; daily\n# more\nid,value\n#1,3\n")
    assert finish(page) == [["id", "value", "Value Squared", "error"], ["#1", "3", "9", ""]]


@pytest.mark.parametrize("sign", [";", "\t"])
def test_the_separators_of_spreadsheets_are_read(visit, sign):
    page = visit("lens")
    give(page, f"focus{sign}label\r\n50{sign}a,b\r\n")
    assert finish(page)[1] == ["50", "a,b", "20.0", "a,b", ""]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("number\n3\n", "value: Field required in the header"),
        ("sep=;\nvalue;note\n3;a\n", "inputs.csv: header: The first line names no field."),
        ("value,value\n3,4\n", "value: Name it once"),
        ("value\n", "The file has no row below its header."),
        ('value\n"3\n', "Line 2 is no CSV"),
    ],
)
def test_a_file_that_does_not_fit_says_why(visit, text, reason):
    page = visit()
    give(page, text)
    expect(page.locator("[data-part=fault]")).to_contain_text(reason)
    expect(page.locator("[data-part=run]")).to_be_hidden()


@pytest.mark.parametrize("coding", ["cp1252", "utf-16"])
def test_a_file_that_is_not_utf_8_is_refused_in_the_words_of_the_service(visit, coding):
    page = visit()
    give(page, "id,value\nM\xfcller,3\n", coding=coding)
    said = "inputs.csv: The file is not CSV in UTF-8."
    expect(page.locator("[data-part=fault]")).to_have_text(said)
    expect(page.locator("[data-part=run]")).to_be_hidden()
    give(page, "id,value\nM\xfcller \ufffd,3\n", coding="utf-8-sig")
    assert finish(page)[1] == ["M\xfcller \ufffd", "3", "9", ""]


def test_the_first_rows_are_shown_and_then_their_answers(visit):
    page = visit()
    give(page, "value\n1\n2\n3\n4\n5\n6\n")
    preview = page.locator("[data-part=preview]")
    expect(preview.locator("th, td")).to_have_text(["value", "1", "2", "3", "4", "5"])
    finish(page)
    expect(preview.locator("tr").nth(3)).to_have_text("39")


def test_a_run_that_is_stopped_offers_what_has_come(visit):
    page = visit("lens")
    give(page, "focus,wait\n" + "50,0.2\n" * 200)
    page.get_by_role("button", name="Run 200 rows").click()
    status = page.locator("[data-part=status]")
    expect(status).to_contain_text("of 200 rows answered, about", timeout=20_000)
    page.get_by_role("button", name="Stop").click()
    expect(status).to_contain_text("Stopped.")
    answered = int(re.match(r"\d+", status.text_content())[0])
    assert len(downloaded(page)) == answered + 1 < 201
    assert page.locator("[data-part=progress]").get_attribute("value") == str(answered)


def test_a_service_that_is_gone_says_so_and_offers_what_has_come(visit):
    page = visit("lens")
    give(page, "focus,wait\n" + "50,0.1\n" * 100)
    page.get_by_role("button", name="Run 100 rows").click()
    status = page.locator("[data-part=status]")
    expect(status).to_contain_text("of 100 rows answered", timeout=20_000)
    page.route("**/api/batch", lambda route: route.abort())
    page.expected.append("Failed to load resource: net::ERR_FAILED")
    expect(status).to_contain_text("Failed to fetch", timeout=20_000)
    assert len(downloaded(page)) > 1


def test_a_busy_service_is_asked_again(visit):
    page = visit()
    calls = []

    def busy(route: object) -> None:
        calls.append(route)
        retry = {"status": 503, "headers": {"Retry-After": "0"}, "body": "{}"}
        route.fulfill(**retry) if len(calls) < 3 else route.continue_()

    page.route("**/api/batch", busy)
    give(page, "value\n3\n")
    assert finish(page)[1] == ["3", "9", ""]


def test_a_file_is_dropped(visit):
    page = visit()
    page.locator(".batch").evaluate(
        """panel => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["value\\n7\\n"], "dropped.csv"));
            panel.dispatchEvent(new DragEvent("drop", {dataTransfer, cancelable: true}));
        }"""
    )
    assert finish(page)[1] == ["7", "49", ""]


@pytest.mark.parametrize("model", ["square", "lens", "dice"])
def test_the_template_is_answered_as_it_is(visit, model):
    page = visit(model)
    link = page.get_by_role("link", name="Download a template").get_attribute("href")
    give(page, unquote(link.partition(",")[2]))
    head, first = finish(page)
    assert head[-1] == "error" and not first[-1]
    due = {"square": "4", "lens": 'it\'s, "new"', "dice": "[1-6]"}
    assert re.fullmatch(due[model], first[-2])


@pytest.mark.parametrize("language", ["curl", "Python", "R"])
def test_a_copied_call_of_a_batch_writes_the_answers(visit, tmp_path, language):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    (tmp_path / "inputs.csv").write_text("sample id,value\na&b,3\n")
    give(page, "sample id,value\na&b,3\n")
    expect(page.locator("[data-part=run]")).to_be_visible()
    page.get_by_text("From a program").click()
    page.get_by_role("button", name=f"Copy the {language} call of a batch").click()
    call = page.evaluate("navigator.clipboard.readText()")
    test_page.execute(language, call, tmp_path)
    answers = (tmp_path / "answers.csv").read_text().splitlines()
    assert answers == ["sample id,Value Squared,error", "a&b,9,"]


@pytest.mark.parametrize("language", ["Python", "R"])
def test_a_call_of_a_batch_that_is_refused_says_why(visit, tmp_path, language):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    (tmp_path / "inputs.csv").write_text("number\n3\n")
    page.get_by_text("From a program").click()
    page.get_by_role("button", name=f"Copy the {language} call of a batch").click()
    call = page.evaluate("navigator.clipboard.readText()")
    if language == "R":
        call = f"tryCatch({{{call}}}, error = function(e) cat(rlang::cnd_message(e)))"
    assert "No such field" in test_page.execute(language, call, tmp_path)


def test_the_template_is_there_without_the_script(visit):
    page = visit(java_script_enabled=False)
    expect(page.get_by_role("link", name="Download a template")).to_be_visible()
    expect(page.locator("[data-part=chooser]")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_in_a_batch(visit, width, scheme):
    page = visit("lens", viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.get_by_text("From a program").click()
    give(page, "focus,note\n")
    test_page.check(page)
    give(page, "focus,note\n50,x\n-1,y\n")
    finish(page)
    test_page.check(page)


def test_models_that_take_no_table_have_no_batch(visit, bake, serve, ports):
    with serve(swapped(bake(project_slug="of-files"), test_page.FILES)) as server:
        ports["of-files"] = server.port
        assert not visit("of-files").locator(".batch").count()
