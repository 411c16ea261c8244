"""GET and POST /api answer with what the model says, and refuse what `Input` refuses."""

import json

import pytest
from pydantic import ValidationError

from model import Input


@pytest.fixture
def missing() -> set[str]:
    """What `Input` itself misses where nothing is given: fields by name, or `body` as a whole."""
    try:
        Input.model_validate_json("{}")
    except ValidationError as refused:
        return {".".join(map(str, fault["loc"])) or "body" for fault in refused.errors()}
    return set()


def test_a_link_is_answered_as_a_body_is(client, sample, query):
    response = client.get("/api", query_string=query)
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/json"
    assert response.data == client.post("/api", json=sample).data


def test_an_answer_that_is_still_so_is_not_sent_again(client, served, query):
    first = client.get("/api", query_string=query)
    if served.draws:
        assert first.headers["Cache-Control"] == "no-store" and "ETag" not in first.headers
        return
    known = {"If-None-Match": first.headers["ETag"]}
    again = client.get("/api", query_string=query, headers=known)
    other = client.get("/api", query_string=query, headers={"If-None-Match": '"another"'})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert (other.status_code, other.data) == (200, first.data)
    assert first.headers["Cache-Control"] == "no-cache"


def test_an_unknown_field_is_refused_by_name(client, sample):
    response = client.post("/api", json=sample | {"no-such-field": 1})
    assert response.status_code == 422, response.text
    assert list(response.json["errors"]) == ["no-such-field"]
    assert response.json["supplied"]["no-such-field"] == "1"


def test_an_unknown_field_of_a_link_is_refused_by_name(client, query):
    response = client.get("/api", query_string=query | {"no-such-field": "1"})
    assert response.status_code == 422, response.text
    assert list(response.json["errors"]) == ["no-such-field"]
    assert response.json["supplied"]["no-such-field"] == "1"


def test_a_missing_field_is_refused_by_name(client, served, missing):
    response = client.post("/api", json={})
    assert response.status_code == (422 if missing else 200), response.text
    if missing:
        assert set(response.json["errors"]) == missing
        assert set(response.json["required"]) == set(served.fields)


@pytest.mark.parametrize("body", ["", "{", "nonsense", "[1, 2]", '"text"', "null"])
def test_what_is_no_object_is_refused(client, body):
    response = client.post("/api", data=body, content_type="application/json")
    assert response.status_code in (400, 422), response.text
    assert response.mimetype == "application/problem+json"


def test_another_media_type_is_refused_with_the_right_one(client, sample):
    response = client.post("/api", data=json.dumps(sample), content_type="text/plain")
    assert response.status_code == 415, response.text
    assert "application/json" in response.json["detail"]


@pytest.mark.parametrize("types", ["image/png", "application/json; a=b; Q=0, image/png"])
def test_a_caller_who_takes_no_json_is_told(client, sample, types):
    response = client.post("/api", json=sample, headers={"Accept": types})
    assert response.status_code == 406, response.text


@pytest.mark.parametrize("types", ["application/json; charset=utf-8", "text/html, */*;q=0.1"])
def test_a_caller_who_takes_json_among_others_is_answered(client, sample, types):
    response = client.post("/api", json=sample, headers={"Accept": types})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("path", ["/api", "/api/batch"])
def test_a_body_over_the_limit_is_refused(app, client, monkeypatch, path):
    monkeypatch.setitem(app.config, "MAX_CONTENT_LENGTH", 1)
    assert client.post(path, json={}).status_code == 413


@pytest.mark.parametrize("path", ["/api", "/api/batch"])
def test_a_compressed_body_is_refused_as_such(client, sample, path):
    for coding, status in (("gzip", 415), ("br", 415), ("identity", 200)):
        body = sample if path == "/api" else [sample]
        response = client.post(path, json=body, headers={"Content-Encoding": coding})
        assert response.status_code == status, response.text
        assert status == 200 or f"not with Content-Encoding {coding}" in response.json["detail"]
