"""Every error is a problem document (RFC 9457), which says what would have worked."""

import pytest

from service import frames

SENTENCE = "The model's process was ended by the signal SIGSEGV"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/api", 405)]
)
def test_an_error_is_a_problem_document(client, method, path, status):
    response = client.open(path, method=method)
    assert response.status_code == response.json["status"] == status
    assert response.mimetype == "application/problem+json"
    assert path in response.json["detail"]


def test_a_wrong_method_names_the_right_ones(client):
    assert "POST" in client.delete("/api").headers["Allow"]


@pytest.mark.parametrize("path", ["/" + "x" * 8000, "/api/" + "é" * 3000])
def test_an_error_quotes_no_more_than_is_read(client, path):
    assert len(client.get(path).json["detail"]) < 300


@pytest.mark.parametrize(("levels", "status"), [(200, 422), (205, 400)])
def test_lists_may_be_as_deep_as_the_settings_say(client, levels, status):
    body = b'{"value": %b%b}' % ((levels - 1) * b"[", (levels - 1) * b"]")
    response = client.post("/api", data=body, content_type="application/json")
    assert response.status_code == response.json["status"] == status


def test_a_fault_of_the_model_blames_nobody_and_hides_its_reason(client, sample, failing):
    response = client.post("/api", json=sample)
    assert response.status_code == response.json["status"] == 500
    assert "secret" not in response.text and "ZeroDivisionError" not in response.text


def test_a_failure_tells_the_caller_where_the_log_says_why(client, sample, failing, caplog):
    response = client.post("/api", json=sample, headers={"X-Request-ID": "mine"})
    assert response.status_code == 500
    assert response.json["request_id"] == response.headers["X-Request-ID"] == "mine"
    assert response.json["detail"].endswith("The log says why, beside the request id mine.")
    (found,) = [one.members["traceback"] for one in caplog.records if hasattr(one, "members")]
    assert "ZeroDivisionError: a secret of the model" in found and "in predict" in found


def test_a_failure_in_a_row_names_the_request_that_the_log_names(client, sample, failing):
    response = client.post("/api/batch", json=[sample], headers={"X-Request-ID": "mine"})
    assert response.json[0]["detail"].endswith("The log says why, beside the request id mine.")


@pytest.mark.parametrize("path", ["/api", "/api/batch"])
@pytest.mark.parametrize("kind", [frames.BUSY, frames.ABSENT])
def test_where_no_process_is_free_the_caller_is_asked_to_come_back(client, answer, path, kind):
    answer(kind, b"The weights are missing.")
    response = client.post(path, json=[] if path == "/api/batch" else {})
    assert response.status_code == response.json["status"] == 503
    assert response.mimetype == "application/problem+json"
    assert response.headers["Retry-After"] == "5"
    said = "ask again in 5 seconds" if kind == frames.BUSY else "The weights are missing."
    assert said in response.json["detail"]


def test_a_prediction_that_takes_too_long_is_said_to(client, answer):
    answer(frames.TIMEOUT)
    response = client.post("/api", json={})
    assert response.status_code == 504
    assert "longer than 600 seconds" in response.json["detail"]


def test_a_process_that_ends_is_said_to_and_how(client, answer, caplog):
    answer(frames.ENDED, SENTENCE.encode())
    response = client.post("/api", json={})
    assert response.status_code == 500
    assert response.json["detail"].startswith(f"{SENTENCE} while it answered.")
    assert SENTENCE in caplog.text
