"""GET and POST /api answer with what the model says, and refuse what `Input` refuses."""

import json

import pytest

from service.pages import query, sample
from service.predictions import STOCHASTIC
from service.schemas import is_linkable

linkable = pytest.mark.skipif(not is_linkable(), reason="This model takes POST alone.")
repeatable = pytest.mark.skipif(STOCHASTIC, reason="This model draws its answers.")


def test_a_body_is_answered_as_the_model_does(client, expected):
    response = client.post("/api", json=sample())
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/json"
    assert response.json == expected


@linkable
def test_a_link_is_answered_as_the_model_does(client, expected):
    response = client.get("/api", query_string=query(sample()))
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/json"
    assert response.json == expected


@linkable
@repeatable
def test_an_answer_that_is_still_so_is_not_sent_again(client):
    first = client.get("/api", query_string=query(sample()))
    known = {"If-None-Match": first.headers["ETag"]}
    again = client.get("/api", query_string=query(sample()), headers=known)
    assert (again.status_code, again.data) == (304, b"")
    assert first.headers["Cache-Control"] == "no-cache"


def test_an_unknown_field_is_refused_by_name(client):
    response = client.post("/api", json=sample() | {"no-such-field": 1})
    assert response.status_code == 422, response.text
    assert list(response.json["errors"]) == ["no-such-field"]
    assert response.json["supplied"]["no-such-field"] == "1"


@linkable
def test_an_unknown_field_of_a_link_is_refused_by_name(client):
    response = client.get("/api", query_string=query(sample()) | {"no-such-field": "1"})
    assert response.status_code == 422, response.text
    assert list(response.json["errors"]) == ["no-such-field"]
    assert response.json["supplied"]["no-such-field"] == "1"


def test_a_missing_field_is_refused_by_name(client, missing):
    response = client.post("/api", json={})
    assert response.status_code == (422 if missing else 200), response.text
    assert not missing or set(response.json["errors"]) == missing


@pytest.mark.parametrize("body", ["", "{", "nonsense", "[1, 2]", '"text"', "null"])
def test_what_is_no_object_is_refused(client, body):
    response = client.post("/api", data=body, content_type="application/json")
    assert response.status_code in (400, 422), response.text
    assert response.mimetype == "application/problem+json"


def test_another_media_type_is_refused_with_the_right_one(client):
    response = client.post("/api", data=json.dumps(sample()), content_type="text/plain")
    assert response.status_code == 415, response.text
    assert "application/json" in response.json["detail"]


@pytest.mark.parametrize("types", ["image/png", "application/json; a=b; Q=0, image/png"])
def test_a_caller_who_takes_no_json_is_told(client, types):
    response = client.post("/api", json=sample(), headers={"Accept": types})
    assert response.status_code == 406, response.text


@pytest.mark.parametrize("types", ["application/json; charset=utf-8", "text/html, */*;q=0.1"])
def test_a_caller_who_takes_json_among_others_is_answered(client, types):
    response = client.post("/api", json=sample(), headers={"Accept": types})
    assert response.status_code == 200, response.text


def test_a_body_over_the_limit_is_refused(client):
    client.application.config["MAX_CONTENT_LENGTH"] = 1
    assert client.post("/api", json=sample()).status_code == 413
