"""More predictions than the service takes are asked to come back, and hold up nothing else."""

from contextlib import ExitStack

import pytest

from service import SETTINGS, create_app
from service.capacity import QUEUE, hold, slot
from service.pages import sample


@pytest.fixture
def app():
    """A service that runs one prediction at a time and lets the next wait a second."""
    return create_app({"CONCURRENCY": 1, "WAIT": 1})


@pytest.mark.parametrize(("path", "body"), [("/api", sample()), ("/api/batch", [sample()])])
def test_a_prediction_that_waits_too_long_is_asked_to_come_back(app, path, body):
    with app.app_context(), slot():
        response = app.test_client().post(path, json=body)
    assert response.status_code == response.json["status"] == 503
    assert response.mimetype == "application/problem+json"
    assert response.headers["Retry-After"] == "1"
    assert "ask again in 1 seconds" in response.json["detail"]


def test_the_description_says_so_of_every_route_that_predicts(app):
    described = app.test_client().get("/openapi.json").json
    assert "Retry-After" in described["components"]["responses"]["503"]["headers"]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            predicts = path in ("/api", "/api/batch", "/readyz")
            assert ("503" in operation["responses"]) == predicts, (path, method)


def test_a_prediction_leaves_its_slot_to_the_next(app, monkeypatch):
    def fail(inputs):
        raise ValueError("the model's fault")

    monkeypatch.setattr("service.predictions.predict", fail)
    statuses = [app.test_client().post("/api", json=sample()).status_code for _ in range(3)]
    assert statuses == [500] * 3


def test_it_is_not_ready_while_no_more_predictions_may_wait(app):
    client = app.test_client()
    with app.app_context(), ExitStack() as others:
        for _ in range(1 + QUEUE):
            assert client.get("/readyz").json == {"status": "ready"}
            others.enter_context(hold("places"))
        assert client.get("/readyz").status_code == 503
        assert client.post("/api", json=sample()).status_code == 503
        assert client.get("/healthz").status_code == client.get("/").status_code == 200
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("name", ["MAX_CONTENT_LENGTH", "BATCH_ROWS", "CONCURRENCY", "WAIT"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "many", True, None])
def test_a_limit_that_is_no_positive_integer_stops_the_start(name, value):
    with pytest.raises(SystemExit, match=f"MODEL_{name}={value!r} .* {SETTINGS[name]}"):
        create_app({name: value})


def test_predictions_cannot_be_given_every_thread():
    with pytest.raises(SystemExit, match="at most 300"):
        create_app({"CONCURRENCY": 301})


def test_fewer_may_wait_where_there_are_few_threads(monkeypatch):
    monkeypatch.setattr("service.capacity.MOST", 5)
    app = create_app({"CHECK": False})
    with app.app_context(), ExitStack() as others:
        for _ in range(5):
            others.enter_context(hold("places"))
        assert app.test_client().get("/readyz").status_code == 503


def test_a_wait_of_more_than_an_hour_stops_the_start():
    with pytest.raises(SystemExit, match="MODEL_WAIT=3601 is more than an hour"):
        create_app({"WAIT": 3601})
