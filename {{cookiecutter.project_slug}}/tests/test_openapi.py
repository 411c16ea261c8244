"""GET /openapi.json describes what this model takes and gives, as its examples show."""

import pytest

from service.about.citation import cited
from service.proof.examples import recorded

RECORDED = recorded()
TYPES = {"array": list, "boolean": bool, "null": type(None), "object": dict, "string": str}


@pytest.fixture
def described(client) -> dict:
    """The description as a client gets it."""
    return client.get("/openapi.json").json


def fits(value: object, schema: dict, schemas: dict) -> bool:
    """Whether a JSON value has the types and the members that a schema asks for."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if options := schema.get("anyOf", schema.get("oneOf")):
        return any(fits(value, option, schemas) for option in options)
    if schema.get("type") in ("integer", "number"):
        kinds = int if schema["type"] == "integer" else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    if not isinstance(value, TYPES.get(schema.get("type"), object)):
        return False
    if isinstance(value, list):
        return all(fits(item, schema.get("items", {}), schemas) for item in value)
    if isinstance(value, dict) and "properties" in schema:
        fields = schema["properties"]
        members = all(fits(value[name], fields.get(name, {}), schemas) for name in value)
        known = schema.get("additionalProperties") or set(value) <= set(fields)
        return members and known and set(schema.get("required", [])) <= set(value)
    return True


def test_it_says_whose_service_it_is(described):
    assert described["info"]["title"] == cited().title
    assert described["info"]["version"] == (cited().version or "unknown")
    licence = described["info"].get("license", {"identifier": ""})
    assert licence["identifier"] == " OR ".join(cited().licences)


def test_every_field_of_the_input_is_described(described, served):
    parameters = described["paths"]["/api"].get("get", {"parameters": []})["parameters"]
    assert [one["name"] for one in parameters] == list(served.named) * served.is_linkable
    body = described["paths"]["/api"]["post"]["requestBody"]["content"]["application/json"]
    schema = described["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
    assert set(schema["properties"]) == set(served.named)


def test_the_recorded_examples_are_in_the_description(described):
    route = described["paths"]["/api"]["post"]
    requests = route["requestBody"]["content"]["application/json"]["examples"]
    answers = route["responses"]["200"]["content"]["application/json"]["examples"]
    assert {name: found["value"] for name, found in requests.items()} == {
        name: found.request for name, found in RECORDED.items()
    }
    assert {name: found["value"] for name, found in answers.items()} == {
        name: found.response for name, found in RECORDED.items()
    }


@pytest.mark.parametrize("path", ["/api", "/api/batch"])
def test_an_answer_is_as_described(client, described, path):
    requests = [example.request for example in RECORDED.values()]
    answer = described["paths"][path]["post"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    for body in [requests] if path == "/api/batch" else requests:
        response = client.post(path, json=body)
        always = {name for name, header in answer["headers"].items() if header.get("required")}
        assert always and always <= set(response.headers.keys())
        assert fits(response.json, schema, described["components"]["schemas"]), response.text
