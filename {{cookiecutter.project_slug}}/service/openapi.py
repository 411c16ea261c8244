"""GET /openapi.json: what the service takes and gives, for programs (OpenAPI 3.1)."""

import inspect
import json

from flask import Blueprint, Response
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from service.batch import KINDS
from service.citation import BIBTEX, CITATION, CSL, LICENCES, TEXT
from service.contract import Input, Output, predict
from service.examples import EXAMPLES
from service.predictions import JSON, STOCHASTIC
from service.schemas import FIELDS, REQUIRED, Schemas, alternatives, is_linkable, is_nested, said
from service.uploads import FORM, TAKES_FILES

bp = Blueprint("openapi", __name__)

REFUSALS = {
    400: "The body is not of its media type.",
    406: "The Accept header rules out the media type of the answer.",
    413: "The body is longer, or has more rows, than the service takes.",
    414: "The link is longer than the web server takes.",
    415: "The Content-Type header names a media type that the route does not take.",
    422: "A field is missing, unknown, repeated, or not valid.",
    500: "The model or the service failed; its log says why.",
    503: "Too many predictions run. Retry-After says when to send it again, in seconds.",
}
STRING = {"schema": {"type": "string"}}
INTEGER = {"schema": {"type": "integer"}}
OBJECT = {"schema": {"type": "object"}}
FINGERPRINT = STRING | {"required": True, "description": "Of code, weights and environment"}
TAG = STRING | {"required": True, "description": "Names the answer, for If-None-Match"}
RETRY_AFTER = INTEGER | {"required": True, "description": "When to send it again (s)"}
SEED = INTEGER | {"required": True, "description": "As input, it brings the answer back"}
CITATIONS = {TEXT: STRING, BIBTEX: STRING, CSL: {"schema": {"type": "array"}}}
# The bytes as they are, which tools of OpenAPI 3.0 know by their format.
FILE = {"type": "string", "format": "binary", "minLength": 1}
FILE["contentMediaType"] = "application/octet-stream"

# The routes that take nothing: how programs and people call them, what they give, and refusals.
PLAIN = {
    "/": ("page", "Show a page for people", {"text/html": STRING}),
    "/examples": ("examples", "Give the recorded examples", {JSON: OBJECT}),
    "/service-info": ("service_info", "Say what this service is", {JSON: OBJECT}),
    "/openapi.json": ("describe", "Describe the service", {JSON: OBJECT}),
    "/citation": ("citation", "Say how to cite the software", CITATIONS, 406),
    "/healthz": ("healthz", "Say that the service is alive", {JSON: OBJECT}),
    "/readyz": ("readyz", "Say that it takes predictions", {JSON: OBJECT}, 503),
    "/metrics": ("metrics", "Count what was done, for Prometheus", {"text/plain": STRING}),
}


class Problem(BaseModel):
    """Why a request, or a row of a batch, was not answered (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What went wrong, and what would have worked")
    errors: dict[str, str] = Field(default_factory=dict, description="What is wrong, by field")
    required: dict[str, str] = Field(default_factory=dict, description="What each field takes")
    supplied: dict[str, str] = Field(default_factory=dict, description="What the request said")
    request_id: str = Field(default_factory=str, description="Names a failure in the log")
    row: int = Field(default_factory=int, description="The row of the batch, from 1")


REFERENCES, DEFINITIONS = models_json_schema(
    [(Input, "validation"), (Output, "serialization"), (Problem, "serialization")],
    ref_template="#/components/schemas/{model}",
    schema_generator=Schemas,
)
INPUT, OUTPUT, PROBLEM = REFERENCES.values()


@bp.get("/openapi.json")
def describe() -> Response:
    """Give the description that was made when the service started."""
    return Response(DOCUMENT, mimetype=JSON)


def document() -> dict:
    """Describe the service: every route of every module has its entry in `paths`."""
    paths = {"/api": {"post": by_body()}, "/api/batch": {"post": by_row()}}
    if is_linkable():
        paths["/api"]["get"] = by_link()
    paths |= {path: {"get": operation(*told)} for path, told in PLAIN.items()}
    problem = {"application/problem+json": {"schema": PROBLEM}}
    refusals = {str(status): answer(meaning, problem) for status, meaning in REFUSALS.items()}
    refusals["503"]["headers"]["Retry-After"] = RETRY_AFTER
    components = {"schemas": DEFINITIONS["$defs"], "responses": refusals}
    return {"openapi": "3.1.0", "info": about(), "paths": paths, "components": components}


def about() -> dict:
    """What CITATION.cff says of the project."""
    found = {"title": CITATION["title"], "version": CITATION["version"]}
    if "abstract" in CITATION:
        found["description"] = CITATION["abstract"]
    if expression := " OR ".join(LICENCES):
        found["license"] = {"name": expression, "identifier": expression}
    return found


def by_link() -> dict:
    """GET /api: the fields are the parameters of the query."""
    found = prediction("predict_by_link", 406, 414, 422, 500, 503)
    if not STOCHASTIC:
        found["responses"]["304"] = answer("It is still what If-None-Match names.", {})
        for status in ("200", "304"):
            found["responses"][status]["headers"]["ETag"] = TAG
    return found | {"parameters": [parameter(name) for name in FIELDS]}


def parameter(name: str) -> dict:
    """A field of `Input` as a parameter of the query."""
    return {
        "name": name,
        "in": "query",
        "required": name in REQUIRED,
        "description": said(FIELDS[name], "description"),
        "examples": {str(value): {"value": value} for value in FIELDS[name].get("examples", [])},
        "schema": written(FIELDS[name]),
    }


def by_body() -> dict:
    """POST /api: the fields are the members of a JSON object, or the parts of a form."""
    content = {JSON: {"schema": INPUT, "examples": recorded("request")}}
    if TAKES_FILES:
        form = {"type": "object", "properties": {name: part(name) for name in FIELDS}}
        content[FORM] = {"schema": form | {"required": REQUIRED, "additionalProperties": False}}
    body = {"required": True, "content": content}
    return prediction("predict", *REFUSALS) | {"requestBody": body}


def by_row() -> dict:
    """POST /api/batch: each input is an item of a JSON array, or a line below one of names."""
    tables = dict.fromkeys(KINDS[1:], STRING)
    inputs = {JSON: {"schema": {"type": "array", "items": INPUT}}} | tables
    answers = {"schema": {"type": "array", "items": {"anyOf": [OUTPUT, PROBLEM]}}}
    content = {JSON: answers} | tables
    found = operation("predict_batch", "Run the model on every row", content, *REFUSALS)
    return found | {"requestBody": {"required": True, "content": inputs}}


def prediction(name: str, *refusals: int) -> dict:
    """A route that runs the model once."""
    content = {JSON: {"schema": OUTPUT, "examples": recorded("response")}}
    found = operation(name, "Run the model", content, *refusals)
    if STOCHASTIC:
        found["responses"]["200"]["headers"]["Model-Seed"] = SEED
    return found | {"description": inspect.getdoc(predict) or ""}


def recorded(part: str) -> dict:
    """The requests or the answers of the recorded examples."""
    return {
        name: {"summary": example.note or name, "value": getattr(example, part)}
        for name, example in EXAMPLES.items()
        if example.response is not None
    }


def operation(name: str, summary: str, content: dict, *refusals: int) -> dict:
    """A route: its names for programs and for people, and what it may answer."""
    responses = {"200": answer("The answer", content)}
    for status in refusals:
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return {"operationId": name, "summary": summary, "responses": responses}


def answer(meaning: str, content: dict) -> dict:
    """What may come back, by its media types."""
    headers = {"Model-Fingerprint": FINGERPRINT}
    return {"description": meaning, "headers": headers, "content": content}


def part(name: str) -> dict:
    """A field of `Input` as a part of a form, which says a list without items by leaving it out."""
    if is_nested(name):
        return {"type": "string", "contentMediaType": JSON}
    return written(FIELDS[name], least=int(name in REQUIRED))


def written(schema: dict, least: int = 1) -> dict:
    """The schema of what texts can say: no null, a file as it is, and at least so many items."""
    options = []
    for option in alternatives(schema):
        if "contentEncoding" in option:
            options.append(FILE)
        elif "items" in option:
            number = {"minItems": max(least, option.get("minItems", 0))}
            options.append(option | {"items": written(option["items"])} | number)
        elif option.get("type") != "null":
            options.append(option)
    return options[0] if len(options) == 1 else {"anyOf": options}


DOCUMENT = json.dumps(document(), ensure_ascii=False)
