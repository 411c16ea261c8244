"""Every request has an id and a line in the log, and counts under no name that a caller chose."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from service.pages import sample

REFUSED = ["", "a b", 'a"b', "a\\b", "a,b", "é", "a\tb", "x" * 129, "<script>", "$(id)", "%0a"]


@pytest.fixture
def counts(client):
    """What the service has counted so far, by name and labels."""

    def read() -> dict[tuple, float]:
        samples = [
            sample for found in families(client.get("/metrics").text) for sample in found.samples
        ]
        return {(s.name, *sorted(s.labels.items())): s.value for s in samples}

    return read


@pytest.fixture
def added(counts):
    """How much a call adds to a metric."""

    def difference(name: str, call, **labels: str) -> float:
        key = (name, *sorted(labels.items()))
        before = counts().get(key, 0)
        call()
        return counts().get(key, 0) - before

    return difference


def test_it_is_text_for_prometheus(client):
    response = client.get("/metrics")
    assert response.status_code == 200
    assert re.match(r"text/plain; version=\d", response.content_type)


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("POST", "/api", ("POST", "/api", "200")),
        ("POST", "/api?no-such-field=1", ("POST", "/api", "200")),
        ("DELETE", "/api", ("other", "other", "405")),
        ("BREW", "/api", ("other", "other", "405")),
        ("POST", "/healthz", ("POST", "other", "405")),
        ("GET", "/nowhere", ("GET", "other", "404")),
        ("GET", '/a"b\n', ("GET", "other", "404")),
        ("GET", "/static/nothing", ("GET", "/static/<path:filename>", "404")),
    ],
)
def test_a_request_counts_under_its_route_method_and_status(client, added, method, path, labels):
    named = dict(zip(("method", "route", "status"), labels, strict=True))
    name = "http_requests_total"
    assert added(name, lambda: client.open(path, method=method, json=sample()), **named) == 1


def test_a_failure_counts_too(client, added, monkeypatch):
    monkeypatch.setattr("service.predictions.predict", lambda inputs: 1 / 0)
    labels = {"method": "POST", "route": "/api", "status": "500"}
    name = "http_requests_total"
    assert added(name, lambda: client.post("/api", json=sample()), **labels) == 1
    name = "model_predictions_total"
    assert added(name, lambda: client.post("/api", json=sample()), route="/api") == 0


def test_predictions_and_rows_are_counted(client, added):
    def batch():
        client.post("/api/batch", json=[sample(), {"no-such-field": 1}])

    name = "model_predictions_total"
    assert added(name, lambda: client.post("/api", json=sample()), route="/api") == 1
    assert added("model_predictions_total", batch, route="/api/batch") == 1


@pytest.fixture
def line(client, caplog):
    """What the log says of a request."""

    def of(*call: object, **options: object) -> dict:
        with caplog.at_level("INFO"):
            client.open(*call, **options)
        (found,) = [one for one in caplog.records if one.name == "service.metrics"]
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
    assert line("/healthz")["fingerprint"] == client.get("/healthz").headers["Model-Fingerprint"]


def test_a_failure_tells_the_caller_where_the_log_says_why(client, monkeypatch, caplog):
    monkeypatch.setattr("service.predictions.predict", lambda inputs: 1 / 0)
    response = client.post("/api", json=sample(), headers={"X-Request-ID": "mine"})
    assert response.status_code == 500
    assert response.json["request_id"] == response.headers["X-Request-ID"] == "mine"
    assert "ZeroDivisionError" in caplog.text and "ZeroDivisionError" not in response.text
