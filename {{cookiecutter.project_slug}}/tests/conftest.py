"""What the tests share: a client of the service, and what the model says to the sample."""

import json

import pytest
from flask.testing import FlaskClient

from model import Input, predict
from service import create_app
from service.pages import sample
from service.predictions import as_json


@pytest.fixture
def client() -> FlaskClient:
    """A client that calls the service without a server."""
    return create_app({"CHECK": False}).test_client()  # tests/test_examples.py checks them


@pytest.fixture
def expected(client) -> dict:
    """The model's own answer to the first example, once the service has loaded it."""
    inputs = Input.model_validate_json(json.dumps(sample()))
    return json.loads(as_json(predict(inputs)))
