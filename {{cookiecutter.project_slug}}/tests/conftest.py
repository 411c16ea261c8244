"""What the tests share: a client of the service."""

import pytest
from flask.testing import FlaskClient

from service import create_app


@pytest.fixture
def client() -> FlaskClient:
    """A client that calls the service without a server."""
    return create_app().test_client()
