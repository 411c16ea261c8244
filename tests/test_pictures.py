"""The pictures of the page in the README; `make pictures` lets this draw them anew."""

import base64
import os
import re
from pathlib import Path

import pytest
from conftest import TEMPLATE
from playwright.sync_api import Page
from samples import need, put_in
from test_page import browser  # noqa: F401 (a fixture)

FOLDER = TEMPLATE / ".github/pictures"
ANSWERS = {
    "project_name": "Hares and lynxes",
    "project_slug": "hares-and-lynxes",
    "description": "How many hares and lynxes there are over the years.",
    "author_given_names": "Vito",
    "author_family_names": "Volterra",
}
YEARS = "\n".join(str(number / 2) for number in range(41))
LARGEST = 100_000  # bytes


def draw(page: Page, address: str) -> bytes:
    """Run the model on the page, and give a picture of it (WebP)."""
    page.goto(address)
    page.get_by_label("times").fill(YEARS)
    page.get_by_role("button", name="Run the model").click()
    page.get_by_role("img").first.wait_for()
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.wait_for_timeout(500)  # until the plot is drawn
    options = {"format": "webp", "quality": 80}
    drawn = page.context.new_cdp_session(page).send("Page.captureScreenshot", options)
    return base64.b64decode(drawn["data"])


@pytest.mark.browser
def test_the_page_of_a_sample_is_drawn_in_light_and_dark(browser, bake, serve, tmp_path):  # noqa: F811
    need("predators")
    folder = Path(os.environ.get("PICTURES", tmp_path))
    folder.mkdir(exist_ok=True)
    with serve(put_in(bake(**ANSWERS), "predators")) as server:
        for scheme in ("light", "dark"):
            size = {"width": 1180, "height": 960}
            with browser.new_page(viewport=size, color_scheme=scheme) as page:
                drawn = draw(page, f"http://127.0.0.1:{server.port}/?example=decades")
            (folder / f"{scheme}.webp").write_bytes(drawn)
            assert drawn[8:12] == b"WEBP" and len(drawn) < LARGEST


def test_the_readme_shows_the_pictures_and_they_are_small():
    shown = re.findall(r'"(\.github/pictures/[^"]+)"', (TEMPLATE / "README.md").read_text("utf-8"))
    assert {TEMPLATE / name for name in shown} == set(FOLDER.iterdir())
    assert all(path.stat().st_size < LARGEST for path in FOLDER.iterdir())
