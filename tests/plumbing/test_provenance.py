"""What is not known of the service is said to be unknown, and every answer has its fingerprint."""

import pytest

from service.about import provenance


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api", {}), ("/api", {"no-such-field": 1}), ("/api/batch", [{}]), ("/nowhere", {})],
)
def test_every_answer_has_the_fingerprint(client, path, body):
    expected = client.get("/service-info").json["fingerprint"]
    assert client.post(path, json=body).headers["Model-Fingerprint"] == expected


def test_what_is_not_known_is_said_to_be_unknown(monkeypatch):
    for name in ("IMAGE_BASE", "IMAGE_REVISION", "IMAGE_DIRTY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(provenance, "git", lambda *words: None)
    found = provenance.identity.__wrapped__()
    assert found["base"] == {"name": "unknown", "digest": "unknown"}
    assert found["revision"] == found["dirty"] == "unknown"


@pytest.mark.parametrize("check", [True, False])
def test_whether_the_start_has_checked_the_examples_is_said(app, client, check):
    app.extensions["model"].settings["CHECK"] = check
    assert client.get("/service-info").json["check"] is check


def test_a_browser_gets_the_facts_as_a_page_and_a_program_as_json(client):
    browser = "text/html,application/xml;q=0.9,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
    page = client.get("/service-info", headers={"Accept": browser})
    assert page.mimetype == "text/html" and "<script" not in page.text
    facts = client.get("/service-info", headers={"Accept": "application/json"}).json
    assert client.get("/service-info").json == facts
    assert client.get("/service-info", headers={"Accept": "*/*"}).json == facts
    for fact in (facts["fingerprint"], *facts["parts"].values(), *facts["packages"]):
        assert fact in page.text
    for name, file in facts["files"].items():
        assert name in page.text and file["sha256"] in page.text
    assert page.vary.as_set() == {"accept"}
    assert (
        page.headers["Content-Security-Policy"]
        == client.get("/").headers["Content-Security-Policy"]
    )
