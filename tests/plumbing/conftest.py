"""What the tests of the plumbing share: the service with the model in this very process."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.application import create_app
from service.served import ServedModel


@pytest.fixture(scope="module")
def app() -> Flask:
    """The service as `flask run` has it for a debugger."""
    return create_app({"PROCESSES": 0, "CHECK": False})


@pytest.fixture
def client(app) -> FlaskClient:
    """A client that calls the service without a server."""
    return app.test_client()


@pytest.fixture
def served(app) -> ServedModel:
    """The model as the service knows it."""
    return app.extensions["model"]


@pytest.fixture
def sample(app) -> dict:
    """The request of the first recorded example."""
    return app.extensions["page"].sample()


@pytest.fixture
def query(app, sample) -> dict[str, list[str]]:
    """The same as a link has it; there is nothing to test where a link cannot say it."""
    page = app.extensions["page"]
    if not page.link(sample):
        pytest.skip("A link cannot say this.")
    return page.query(sample)


@pytest.fixture
def answer(served, monkeypatch) -> Callable[[bytes, bytes], None]:
    """Let the keeper, or a model process, answer with a frame from now on."""

    def answer(kind: bytes, body: bytes = b"") -> None:
        monkeypatch.setattr(served.pool, "ask", lambda *request: (kind, b"", body))

    return answer


@pytest.fixture
def failing(served, monkeypatch) -> None:
    """A model that raises an exception at every prediction."""

    def predict(inputs: object) -> object:
        raise ZeroDivisionError("a secret of the model")

    contract = served.pool.model.contract._replace(predict=predict, predict_batch=None)
    monkeypatch.setattr(served.pool.model, "contract", contract)
