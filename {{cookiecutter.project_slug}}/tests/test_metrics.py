"""GET /metrics counts what was asked, whatever came of it, under no name that a caller chose."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from service.pages import sample


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
        ("DELETE", "/api", ("other", "/api", "405")),
        ("BREW", "/api", ("other", "/api", "405")),
        ("POST", "/healthz", ("POST", "/healthz", "405")),
        ("GET", "/nowhere", ("GET", "other", "404")),
        ("GET", '/a"b\n', ("GET", "other", "404")),
        ("GET", "/static/nothing", ("GET", "/static/<path:filename>", "404")),
    ],
)
def test_a_request_counts_under_its_route_method_and_status(client, added, method, path, labels):
    named = dict(zip(("method", "route", "status"), labels, strict=True))
    name = "http_request_duration_seconds_count"
    assert added(name, lambda: client.open(path, method=method, json=sample()), **named) == 1


def test_a_failure_counts_too(client, added, monkeypatch):
    monkeypatch.setattr("service.predictions.predict", lambda inputs: 1 / 0)
    labels = {"method": "POST", "route": "/api", "status": "500"}
    name = "http_request_duration_seconds_count"
    assert added(name, lambda: client.post("/api", json=sample()), **labels) == 1
    assert added("model_predictions_total", lambda: client.post("/api", json=sample())) == 0


def test_predictions_and_rows_are_counted(client, added):
    def batch():
        client.post("/api/batch", json=[sample(), {"no-such-field": 1}])

    assert added("model_predictions_total", lambda: client.post("/api", json=sample())) == 1
    assert added("model_predictions_total", batch) == 1
    assert added("model_batch_rows_total", batch, outcome="answered") == 1
    assert added("model_batch_rows_total", batch, outcome="refused") == 1


def test_only_the_request_that_asks_is_running(client, counts):
    client.get("/nowhere")
    assert counts()[("http_requests_running",)] == 1
