"""GET /openapi.json describes every route, and no other, and the answers are as it says."""

import re

import jsonschema
import pytest

METHODS = {"DELETE", "GET", "PATCH", "POST", "PUT"}
BAD = {"no-such-field": 1}


@pytest.fixture
def described(client) -> dict:
    """The description as a client gets it."""
    return client.get("/openapi.json").json


def references(part: object) -> set[str]:
    """The targets of all references in a part of the description."""
    if isinstance(part, dict):
        found = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return found.union(*map(references, part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


def test_every_route_is_described_and_no_other(app, described):
    routes = {
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
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
    assert re.fullmatch(r"3\.1\.\d", described["openapi"])
    operations = [found for path in described["paths"].values() for found in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) and all(map(str.isidentifier, names))


@pytest.mark.parametrize(
    ("method", "path", "rows"),
    [
        ("post", "/api", 1),
        ("post", "/api", 0),
        ("post", "/api/batch", 2),
        ("get", "/examples", 0),
        ("get", "/healthz", 0),
        ("get", "/service-info", 0),
        ("get", "/readyz", 0),
        ("get", "/openapi.json", 0),
    ],
)
def test_an_answer_is_as_described(client, described, sample, method, path, rows):
    body = [sample, BAD] if rows == 2 else sample if rows else BAD
    response = client.open(path, method=method, json=body if method == "post" else None)
    answer = described["paths"][path][method]["responses"][str(response.status_code)]
    if "$ref" in answer:
        answer = described["components"]["responses"][str(response.status_code)]
    always = {name for name, header in answer["headers"].items() if header.get("required")}
    assert always and always <= set(response.headers.keys())
    schema = answer["content"][response.mimetype]["schema"]
    jsonschema.validate(response.json, schema | {"components": described["components"]})


@pytest.mark.parametrize("path", ["/", "/api"])
def test_a_link_that_is_not_utf_8_is_refused_as_described(client, described, path):
    if "get" not in described["paths"][path]:
        pytest.skip("no link can say this input")
    assert client.get(f"{path}?value=%ff").status_code == 400
    assert "400" in described["paths"][path]["get"]["responses"]


@pytest.mark.parametrize("status", [503, 504])
def test_every_route_that_predicts_may_be_busy_or_too_slow(described, status):
    assert "Retry-After" in described["components"]["responses"]["503"]["headers"]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            may = path in ("/api", "/api/batch") or (path == "/readyz" and status == 503)
            assert (str(status) in operation["responses"]) == may, (path, method)
