"""GET /healthz, /readyz and /metrics say how the service is."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from service.about.provenance import identity


def test_a_live_service_says_so(client):
    response = client.get("/healthz")
    assert (response.status_code, response.json) == (200, {"status": "alive"})


def test_it_is_ready_whenever_the_pool_gives_no_reason_against(client):
    response = client.get("/readyz")
    assert (response.status_code, response.json) == (200, {"status": "ready"})


@pytest.fixture
def state(served, monkeypatch) -> dict:
    """What the pool says of its processes; a test may change it."""
    found = {"ready": 2, "requests": ["a", "b", "c"], "reason": ""}
    monkeypatch.setattr(served.pool, "state", lambda: found)
    return found


def test_it_is_not_ready_for_a_reason_and_alive_all_the_same(client, state):
    state["reason"] = "too many predictions wait"
    response = client.get("/readyz")
    assert response.status_code == response.json["status"] == 503
    assert response.mimetype == "application/problem+json"
    assert "too many predictions wait" in response.json["detail"]
    assert response.headers["Retry-After"] == "5"  # which /openapi.json promises of every 503
    assert client.get("/healthz").status_code == client.get("/").status_code == 200
    state["reason"] = ""
    assert client.get("/readyz").status_code == 200


def test_it_is_text_for_prometheus(client):
    response = client.get("/metrics")
    assert response.status_code == 200
    assert re.match(r"text/plain; version=\d", response.content_type)


def test_the_metrics_say_what_is_so_now(client, served, state):
    found = list(families(client.get("/metrics").text))
    values = {one.name: one.value for family in found for one in family.samples}
    assert (values["model_processes"], values["model_busy"]) == (2, 3)
    assert values["model_load_seconds"] == served.facts["load_seconds"]
    (build,) = [one.labels for family in found for one in family.samples if "build" in one.name]
    assert build == {name: identity()[name] for name in ("version", "revision", "fingerprint")}
