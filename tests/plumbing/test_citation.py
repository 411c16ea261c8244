"""GET /citation says how to cite the software, in the form that the caller takes."""

import pytest

from service.about.citation import BIBTEX, CSL, TEXT, cited

KINDS = {TEXT: cited().authors[0], BIBTEX: "@software{", CSL: "["}


@pytest.mark.parametrize("kind", KINDS)
def test_each_form_is_given_to_a_caller_who_asks_for_it(client, kind):
    response = client.get("/citation", headers={"Accept": kind})
    assert response.mimetype == kind and response.text.startswith(KINDS[kind])
    assert "Accept" in response.vary and cited().title in response.text


def test_the_item_has_what_every_reader_of_csl_asks_for(client):
    (*_, software) = client.get("/citation", headers={"Accept": CSL}).get_json(force=True)
    assert (software["id"], software["type"]) == (cited().key, "software")


def test_the_text_is_for_all_who_do_not_choose(client):
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "text/html, */*;q=0.8"}):
        response = client.get("/citation", headers=accept)
        assert response.mimetype == "text/plain"
        assert cited().authors[0] in response.text and cited().found_at in response.text
        assert f"(version {cited().version})" in response.text


def test_a_caller_who_takes_no_form_hears_which_there_are(client):
    response = client.get("/citation", headers={"Accept": "image/png"})
    assert response.status_code == 406
    assert all(kind in response.json["detail"] for kind in KINDS)
