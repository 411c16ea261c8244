"""Every error is a problem document (RFC 9457)."""

import pytest

from service import create_app
from service.pages import sample


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


def test_a_fault_of_the_model_blames_nobody_and_hides_its_reason(monkeypatch):
    def fail(inputs):
        raise ValueError("a secret of the model")

    monkeypatch.setattr("service.predictions.predict", fail)
    response = create_app().test_client().post("/api", json=sample())
    assert response.status_code == response.json["status"] == 500
    assert "secret" not in response.text
