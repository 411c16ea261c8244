"""What the tests share: a client of the service, and what the model says to the sample."""

import pytest
from flask.testing import FlaskClient

from model import Input, predict
from service import create_app
from service.pages import sample


@pytest.fixture
def client() -> FlaskClient:
    """A client that calls the service without a server."""
    return create_app().test_client()


@pytest.fixture
def expected(client) -> dict:
    """The model's own answer to the sample request, once the service has loaded it."""
    return predict(Input(**sample())).model_dump(mode="json", by_alias=True)
