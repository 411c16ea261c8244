"""GET /api answers with what the model says, and refuses what `Input` refuses."""

from model import Input, predict
from service.pages import sample


def test_the_answer_is_the_models(client):
    response = client.get("/api", query_string=sample())
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/json"
    assert response.json == predict(Input(**sample())).model_dump(mode="json", by_alias=True)


def test_an_unknown_field_is_refused_by_name(client):
    response = client.get("/api", query_string=sample() | {"no-such-field": "1"})
    assert response.status_code == 422, response.text
    assert list(response.json["errors"]) == ["no-such-field"]
    assert response.json["supplied"]["no-such-field"] == "1"


def test_a_missing_field_is_refused_by_name(client):
    response = client.get("/api")
    required = {name for name, field in Input.model_fields.items() if field.is_required()}
    assert response.status_code == 422, response.text
    assert required == set(response.json["errors"])


def test_a_field_given_twice_is_refused(client):
    name, value = next(iter(sample().items()))
    response = client.get("/api", query_string=[(name, value), (name, value)])
    assert response.status_code == 422, response.text
    assert response.json["errors"] == {name: "Give it once"}
