"""GET /openapi.json: what the service takes and gives, for programs (OpenAPI 3.1)."""

import json
from pathlib import Path

import yaml
from flask import Flask, Response

from service.about.citation import cited
from service.bodies import JSON
from service.fields import Field
from service.forms import FORM
from service.pictures import Picture
from service.proof.examples import recorded
from service.schema import Schemas
from service.served import ServedModel
from service.tables import CSV

CONSTANT = Path(__file__).with_suffix(".yaml")
NESTED = {"type": "string", "contentMediaType": JSON}  # in a form
# A file in a form. Tools for OpenAPI 3.0 know it by its format, those for 3.1 by its media type.
FILE = {"type": "string", "format": "binary", "minLength": 1}
FILE["contentMediaType"] = "application/octet-stream"


def register(app: Flask, model: ServedModel) -> None:
    """Add the route to a service; the description is written once."""
    text = json.dumps(document(model), ensure_ascii=False)

    @app.get("/openapi.json")
    def describe() -> Response:
        """Give the description."""
        return Response(text, mimetype=JSON)


def document(model: ServedModel) -> dict:
    """Describe the service: the constant file, filled with what the model says of itself."""
    found, facts = yaml.safe_load(CONSTANT.read_text("utf-8")), model.facts
    found["info"] = info()
    # A class is described twice where it is taken and given. Clients are named by the titles.
    for name, schema in facts["named"].items():
        found["components"]["schemas"][name] = schema | ({"title": name} if "-" in name else {})
    paths = found["paths"]
    link, body, batch = paths["/api"]["get"], paths["/api"]["post"], paths["/api/batch"]["post"]
    link["description"] = body["description"] = facts["about"]
    link["parameters"] = [parameter(model, *named) for named in model.named.items()]
    inputs, answers = contents(body)
    inputs[JSON] = {"schema": facts["input"], "examples": examples("request")}
    # The routes of /api share this part of the file.
    answers[JSON] |= {"schema": facts["output"], "examples": examples("response")}
    answers |= {kind: {} for kind in Picture(model).declared}
    inputs_by_row, answers_by_row = contents(batch)
    inputs_by_row[JSON]["schema"]["items"] = facts["input"]
    answers_by_row[JSON]["schema"]["items"]["anyOf"].insert(0, facts["output"])
    if not model.is_linkable:
        del paths["/api"]["get"]
    if model.takes_files:
        inputs[FORM] = {"schema": form(model)}
    if model.takes_tables:
        inputs_by_row[CSV] = answers_by_row[CSV] = {"schema": {"type": "string"}}
    return found


def contents(operation: dict) -> tuple[dict, dict]:
    """What an operation takes and what it gives, each by its media type."""
    return operation["requestBody"]["content"], operation["responses"]["200"]["content"]


def info() -> dict:
    """Say of the project what CITATION.cff says."""
    project = cited()
    licence = " OR ".join(project.licences)
    found = {
        "title": project.title,
        "version": project.version or "unknown",
        "description": project.abstract,
        "license": licence and {"name": licence, "identifier": licence},
    }
    return {name: value for name, value in found.items() if value}


def examples(part: str) -> dict:
    """The requests or the answers of the recorded examples."""
    return {
        name: {"summary": example.note or name, "value": getattr(example, part)}
        for name, example in recorded().items()
    }


def parameter(model: ServedModel, name: str, field: Field) -> dict:
    """Describe a field as a parameter of the query; a nested value is JSON in it."""
    found = {
        "name": name,
        "in": "query",
        "required": name in model.takes.get("required", []),
        "description": field.description,
    }
    if field.is_nested:
        return found | {"content": {JSON: {"schema": field.schema}}}
    samples = [value for value in field.schema.get("examples", []) if field.texts(value)]
    schema = written(model.schemas, field.schema)
    if not field.texts(schema.get("default")):
        schema = {key: schema[key] for key in schema if key != "default"}
    return found | {"examples": {str(one): {"value": one} for one in samples}, "schema": schema}


def form(model: ServedModel) -> dict:
    """The schema of the fields as parts of a form, which may leave out a list or send it empty."""
    parts = {
        name: NESTED
        if field.is_nested
        else written(model.schemas, field.schema, least=int(field.is_required))
        for name, field in model.named.items()
    }
    rules = {key: model.takes[key] for key in ("required", "allOf") if key in model.takes}
    return {"type": "object", "properties": parts, "additionalProperties": False} | rules


def written(schemas: Schemas, schema: dict, least: int = 1) -> dict:
    """The schema of a value as text: without null, a file as bytes, a list of so many items."""
    options = []
    for option in schemas.alternatives(schema):
        if "contentEncoding" in option:
            options.append(FILE)
        elif "items" in option:
            items = written(schemas, option["items"])
            number = max(least, option.get("minItems", 0))
            options.append(option | {"items": items, "minItems": number})
        elif option.get("type") != "null":
            options.append(option)
    options = options or [{"not": {}}]  # no text says null
    return options[0] if len(options) == 1 else {"anyOf": options}
