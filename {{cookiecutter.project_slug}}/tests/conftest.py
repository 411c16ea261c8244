"""What the tests share: a client of the service, and what the model says to the sample."""

import functools
import json
import pickle
import traceback
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError

import model
from model import Input, Output
from service import batch, create_app, predictions
from service.pages import sample
from service.predictions import as_json


def once(predict: Callable[[Input], Output]) -> Callable[[Input], Output]:
    """Let the model answer each input once, so that a slow one can be tested too."""
    answers = {}

    @functools.wraps(predict)
    def remembered(inputs: Input) -> Output:
        key = pickle.dumps(inputs.model_dump())
        if key not in answers:
            answers[key] = predict(inputs)
        return answers[key]

    return remembered


# Here, because the tests take predict from the model as soon as they are collected.
model.predict = batch.predict = predictions.predict = once(model.predict)


def pytest_sessionstart() -> None:
    """Say once, and not in every test, why the service does not start."""
    try:
        create_app()
    except SystemExit as refusal:
        pytest.exit(str(refusal), returncode=1)
    except Exception:
        pytest.exit(traceback.format_exc(), returncode=1)


@pytest.fixture
def client() -> FlaskClient:
    """A client that calls the service without a server."""
    return create_app({"CHECK": False}).test_client()  # tests/test_examples.py checks them


@pytest.fixture
def expected(client) -> dict:
    """The model's own answer to the first example, once the service has loaded it."""
    inputs = Input.model_validate_json(json.dumps(sample()))
    return json.loads(as_json(model.predict(inputs)))


@pytest.fixture
def missing() -> set[str]:
    """What `Input` itself misses where nothing is given: fields by name, or `body` as a whole."""
    try:
        Input.model_validate_json("{}")
    except ValidationError as refused:
        return {".".join(map(str, fault["loc"])) or "body" for fault in refused.errors()}
    return set()
