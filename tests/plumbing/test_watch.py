"""Every request has an id and a line in the log, and counts under no name that a caller chose."""

import json
import logging
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from service import logs

REFUSED = ["", "a b", 'a"b', "a\\b", "a,b", "é", "a\tb", "x" * 129, "<script>", "$(id)", "%0a"]


@pytest.fixture
def added(client):
    """How much a call adds to a metric."""

    def counts() -> dict[tuple, float]:
        found = families(client.get("/metrics").text)
        samples = [sample for family in found for sample in family.samples]
        return {(s.name, *sorted(s.labels.items())): s.value for s in samples}

    def difference(name: str, call, **labels: str) -> float:
        key = (name, *sorted(labels.items()))
        before = counts().get(key, 0)
        call()
        return counts().get(key, 0) - before

    return difference


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
def test_a_request_counts_under_its_route_method_and_status(
    client, sample, added, method, path, labels
):
    named = dict(zip(("method", "route", "status"), labels, strict=True))
    name = "http_requests_total"
    assert added(name, lambda: client.open(path, method=method, json=sample), **named) == 1
    del named["method"]
    name = "http_request_duration_seconds_count"
    assert added(name, lambda: client.open(path, method=method, json=sample), **named) == 1


def test_a_failure_counts_too(client, sample, added, failing):
    labels = {"method": "POST", "route": "/api", "status": "500"}
    name = "http_requests_total"
    assert added(name, lambda: client.post("/api", json=sample), **labels) == 1
    name = "model_predictions_total"
    assert added(name, lambda: client.post("/api", json=sample), route="/api") == 0


def test_predictions_and_rows_are_counted(client, sample, added):
    def batch(*rows: dict):
        return lambda: client.post("/api/batch", json=rows)

    name, bad = "model_predictions_total", {"no-such-field": 1}
    assert added(name, lambda: client.post("/api", json=sample), route="/api") == 1
    assert added(name, lambda: client.post("/api", json=bad), route="/api") == 0
    assert added(name, batch(sample, sample, sample), route="/api/batch") == 3
    assert added(name, batch(sample, bad, sample), route="/api/batch") == 2


@pytest.fixture
def line(client, capfd):
    """The line of the log for a request, where the log is set up."""
    logger, handler = logging.getLogger("service"), logs.LineHandler()
    handler.setFormatter(logs.JSONFormatter())
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)

    def of(*call: object, **options: object) -> dict:
        capfd.readouterr()
        client.open(*call, **options)
        (found,) = capfd.readouterr().out.splitlines()
        return json.loads(found)

    yield of
    logger.setLevel(level)
    logger.removeHandler(handler)


@pytest.mark.parametrize("supplied", ["x", "x" * 128, "6f3a-Z_9.:/+=@"], ids=len)
@pytest.mark.parametrize("path", ["/", "/healthz", "/nowhere", "/metrics", "/static/style.css"])
def test_a_plain_id_comes_back_with_every_answer(client, path, supplied):
    response = client.get(path, headers={"X-Request-ID": supplied}, buffered=True)
    assert response.headers["X-Request-ID"] == supplied


@pytest.mark.parametrize("supplied", REFUSED, ids=ascii)
def test_another_id_is_replaced(client, supplied):
    found = client.get("/healthz", headers={"X-Request-ID": supplied}).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{16}", found)


def test_the_log_says_what_came_of_a_request(line, sample):
    found = line("/api", method="POST", json=sample, headers={"X-Request-ID": "mine"})
    assert (found["method"], found["route"], found["status"]) == ("POST", "/api", 200)
    assert 0 < found["duration"] < 60
    assert found["message"] == f"POST /api 200 in {found['duration']} s [mine]"
    assert (found["level"], found["request_id"]) == ("INFO", "mine")


def test_the_log_holds_nothing_that_a_caller_wrote(line):
    said = line("/secret\nb?secret=1", method="SECRET", data="secret", headers={"A": "secret"})
    assert "secret" not in str(said).lower()
    assert (said["method"], said["route"], said["status"]) == ("other", "other", 404)


def test_the_log_names_the_fingerprint_of_an_answer(client, line):
    assert line("/healthz")["fingerprint"] == client.get("/healthz").headers["Model-Fingerprint"]


DATES = [
    "Thu, 01 Jan 99999999999999999999 00:00:00 GMT",
    f"Thu, 01 Jan {'9' * 4000} 00:00:00 GMT",
    f"Thu, 01 Jan 2020 00:00:00 +{'9' * 30}",
    "Thu, 01 Jan 0000 00:00:00 GMT",
    "Thu, 99 Xyz 2020 99:99:99 GMT",
    '"Thu, 01 Jan 99999999999999999999 00:00:00 GMT"',
    "yesterday",
    "",
]


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("path", ["/static/page.js", "/"])
def test_a_condition_that_is_no_date_is_ignored(client, path, date):
    for name in ("If-Modified-Since", "If-Unmodified-Since", "If-Range"):
        headers = {name: date, "If-None-Match": '"x"', "Range": "bytes=0-1"}
        for given in (headers, {name: date}, {name: date, "Range": "bytes=0-1"}):
            assert client.get(path, headers=given, buffered=True).status_code == 200


def test_a_condition_that_is_ignored_costs_no_answer_of_the_model(client, query):
    for date in DATES:
        headers = {"If-None-Match": '"x"', "If-Modified-Since": date}
        assert client.get("/api", query_string=query, headers=headers).status_code == 200


def test_a_file_that_has_not_changed_is_not_sent_again(client):
    first = client.get("/static/page.js", buffered=True)
    date, tag = first.headers["Last-Modified"], first.headers["ETag"]
    for headers, status in (
        ({"If-None-Match": tag}, 304),
        ({"If-None-Match": tag, "If-Modified-Since": date}, 304),
        ({"If-None-Match": '"x"', "If-Modified-Since": date}, 200),
        ({"Range": "bytes=0-1", "If-Range": tag}, 200),
    ):
        found = client.get("/static/page.js", headers=headers, buffered=True)
        assert found.status_code == status, headers


@pytest.mark.parametrize("path", ["/api", "/healthz", "/static/page.js"])
def test_no_other_protocol_is_upgraded_to(client, path):
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    found = client.get(path, headers=headers, buffered=True).status_code
    assert found == client.get(path, buffered=True).status_code


@pytest.mark.parametrize("path", ["/static//page.js", "/static//x", "/examples//"])
def test_no_path_is_answered_by_a_redirect(client, path):
    response = client.get(path, headers={"Host": "evil.example"})
    assert response.status_code == 404 and "Location" not in response.headers


def test_a_request_that_the_web_server_cannot_read_is_answered_counted_and_logged(client, line):
    environ = {"service.refused": (431, "Request Header Fields Too Large. " * 10)}
    said = line("/", environ_overrides=environ)
    assert (said["route"], said["status"]) == ("/", 431)
    response = client.get("/", environ_overrides=environ)
    assert response.status_code == response.json["status"] == 431
    assert response.mimetype == "application/problem+json"
    assert response.json["detail"].endswith("… (330 characters)")
    assert "X-Request-ID" in response.headers and "Link" not in response.headers
