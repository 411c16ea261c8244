"""GET /openapi.json describes every route, and no other, and the answers are as it says."""

import re

import pytest

from service.citation import CITATION, LICENCES
from service.examples import EXAMPLES
from service.pages import query, sample
from service.schemas import FIELDS, is_linkable

METHODS = {"DELETE", "GET", "PATCH", "POST", "PUT"}
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
        return members and set(schema.get("required", [])) <= set(value) <= set(fields)
    return True


def references(part: object) -> set[str]:
    """The targets of all references in a part of the description."""
    if isinstance(part, dict):
        found = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return found.union(*map(references, part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


def test_every_route_is_described_and_no_other(client, described):
    routes = {
        (rule.rule, method)
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods & METHODS
        if rule.endpoint != "static"
    }
    assert routes == {
        (path, method.upper())
        for path, operations in described["paths"].items()
        for method in operations
    }


def test_every_reference_leads_somewhere(described):
    assert references(described) == {
        f"#/components/{section}/{name}"
        for section, members in described["components"].items()
        for name in members
    }


def test_every_route_has_a_name_of_its_own(described):
    operations = [found for path in described["paths"].values() for found in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) and all(map(str.isidentifier, names))


def test_it_says_whose_service_it_is(described):
    assert re.fullmatch(r"3\.1\.\d", described["openapi"])
    assert described["info"]["title"] == CITATION["title"]
    assert described["info"]["version"] == CITATION["version"]
    assert described["info"]["license"]["identifier"] == " OR ".join(LICENCES)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/api", sample()),
        ("post", "/api", {"no-such-field": 1}),
        ("post", "/api/batch", [sample(), {"no-such-field": 1}]),
        ("get", "/api", None),
        ("get", "/examples", None),
        ("get", "/healthz", None),
        ("get", "/service-info", None),
        ("get", "/readyz", None),
        ("get", "/openapi.json", None),
    ],
)
def test_an_answer_is_as_described(client, described, method, path, body):
    if (method, path) == ("get", "/api") and not is_linkable():
        pytest.skip("This model takes POST alone.")
    asked = query(sample()) if path == "/api" and body is None else {}
    response = client.open(path, method=method, json=body, query_string=asked)
    answer = described["paths"][path][method]["responses"][str(response.status_code)]
    if "$ref" in answer:
        answer = described["components"]["responses"][str(response.status_code)]
    assert set(answer["headers"]) <= set(response.headers.keys())
    schema = answer["content"][response.mimetype]["schema"]
    assert fits(response.json, schema, described["components"]["schemas"]), response.text


def test_every_field_of_the_input_is_described(described):
    if is_linkable():
        parameters = described["paths"]["/api"]["get"]["parameters"]
        assert [parameter["name"] for parameter in parameters] == list(FIELDS)
    body = described["paths"]["/api"]["post"]["requestBody"]["content"]["application/json"]
    schema = described["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
    assert list(schema["properties"]) == list(FIELDS)


def test_the_recorded_examples_are_in_the_description(described):
    route = described["paths"]["/api"]["post"]
    requests = route["requestBody"]["content"]["application/json"]["examples"]
    answers = route["responses"]["200"]["content"]["application/json"]["examples"]
    recorded = {name: found for name, found in EXAMPLES.items() if found.response is not None}
    assert {name: found["value"] for name, found in requests.items()} == {
        name: found.request for name, found in recorded.items()
    }
    assert {name: found["value"] for name, found in answers.items()} == {
        name: found.response for name, found in recorded.items()
    }
