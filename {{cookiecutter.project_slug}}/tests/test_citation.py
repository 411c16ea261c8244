"""GET /citation says how to cite the software, in the form that the caller takes."""

from pathlib import Path

import pytest
import yaml

from service.citation import ANSWERS, AUTHORS, CITATION, FOUND_AT


@pytest.mark.parametrize("kind", ANSWERS)
def test_each_form_is_given_to_who_asks_for_it(client, kind):
    response = client.get("/citation", headers={"Accept": kind})
    assert response.mimetype == kind and response.text == ANSWERS[kind]
    assert "Accept" in response.vary


def test_the_text_is_for_all_who_do_not_choose(client):
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "text/html, */*;q=0.8"}):
        response = client.get("/citation", headers=accept)
        assert response.mimetype == "text/plain"
        assert AUTHORS[0] in response.text and FOUND_AT in response.text
        assert f"(version {CITATION['version']})" in response.text


def test_a_caller_who_takes_no_form_hears_which_there_are(client):
    response = client.get("/citation", headers={"Accept": "image/png"})
    assert response.status_code == 406
    assert all(kind in response.json["detail"] for kind in ANSWERS)


def test_zenodo_and_github_find_what_they_need():
    """What the service does not use; where it is missing or wrong, they do nothing, unsaid."""
    said = yaml.safe_load((Path(__file__).parents[1] / "CITATION.cff").read_text("utf-8"))
    assert said["cff-version"] == "1.2.0" and said["message"]
