"""Every request has an id, which its answer and its line in the log bear."""

import re

import pytest

from service.pages import sample

REFUSED = ["", "a b", 'a"b', "a\\b", "a,b", "é", "a\tb", "x" * 129, "<script>", "$(id)", "%0a"]


@pytest.fixture
def line(client, caplog):
    """What the log says of a request."""

    def of(*call: object, **options: object) -> dict:
        with caplog.at_level("INFO"):
            client.open(*call, **options)
        (found,) = [one for one in caplog.records if one.name == "service.watch"]
        return found.members | {"message": found.getMessage()}

    return of


@pytest.mark.parametrize("supplied", ["x", "x" * 128, "6f3a-Z_9.:/+=@"], ids=len)
@pytest.mark.parametrize("path", ["/", "/healthz", "/nowhere", "/metrics", "/static/style.css"])
def test_a_plain_id_comes_back_with_every_answer(client, path, supplied):
    response = client.get(path, headers={"X-Request-ID": supplied}, buffered=True)
    assert response.headers["X-Request-ID"] == supplied


@pytest.mark.parametrize("supplied", REFUSED, ids=ascii)
def test_another_id_is_replaced(client, supplied):
    found = client.get("/healthz", headers={"X-Request-ID": supplied}).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{16}", found)


def test_the_log_says_what_came_of_a_request(line):
    found = line("/api", method="POST", json=sample(), headers={"X-Request-ID": "mine"})
    assert (found["method"], found["route"], found["status"]) == ("POST", "/api", 200)
    assert 0 < found["duration"] < 60
    assert found["message"] == f"POST /api 200 in {found['duration']} s [mine]"


def test_the_log_holds_nothing_that_a_caller_wrote(line):
    said = line("/secret\nb?secret=1", method="SECRET", data="secret", headers={"A": "secret"})
    assert "secret" not in str(said).lower()
    assert (said["method"], said["route"], said["status"]) == ("other", "other", 404)


def test_the_log_names_the_fingerprint_of_an_answer(client, line):
    @client.application.after_request
    def mark(response):
        response.headers["Model-Fingerprint"] = "abc"
        return response

    assert line("/healthz")["fingerprint"] == "abc"


def test_a_failure_tells_the_caller_where_the_log_says_why(client, monkeypatch, caplog):
    monkeypatch.setattr("service.predictions.predict", lambda inputs: 1 / 0)
    response = client.post("/api", json=sample(), headers={"X-Request-ID": "mine"})
    assert response.status_code == 500
    assert response.json["request_id"] == response.headers["X-Request-ID"] == "mine"
    assert "ZeroDivisionError" in caplog.text and "ZeroDivisionError" not in response.text
