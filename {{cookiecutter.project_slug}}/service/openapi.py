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
from service.schemas import FIELDS, REQUIRED, Schemas, alternatives, is_linkable, is_nested
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
HEADERS = {
    "Model-Fingerprint": ("string", "Of code, weights and environment: /service-info names them"),
    "Cache-Control": ("string", "Whether the answer may be kept"),
    "ETag": ("string", "Names the answer: If-None-Match asks whether it is still so"),
    "Retry-After": ("integer", "When to send the request again (s)"),
    "Link": ("string", "Where the description, the licence and the like are (RFC 8288)"),
    "Model-Seed": ("integer", "The seed of the answer: given as input, it brings the answer back"),
}
# A form has the bytes as they are; tools of OpenAPI 3.0 know them by their format.
FILE = {"type": "string", "format": "binary", "minLength": 1}
FILE["contentMediaType"] = "application/octet-stream"


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
    page = content({"type": "string"}, "text/html")
    this = content({"type": "object", "required": ["openapi"]})
    examples = content({"type": "object", "additionalProperties": {"required": ["request"]}})
    info = content({"type": "object", "required": ["id", "fingerprint", "parts"]})
    cited = content({"type": "string"}, TEXT) | content({"type": "string"}, BIBTEX)
    cited |= content({"type": "array", "items": {"required": ["title"]}}, CSL)
    alive = content({"type": "object", "required": ["status"]})
    counts = content({"type": "string"}, "text/plain")
    paths = {
        "/api": {"get": by_link(), "post": by_body()} if is_linkable() else {"post": by_body()},
        "/api/batch": {"post": by_row()},
        "/": {"get": operation("page", "Show a page for people", page)},
        "/examples": {"get": operation("examples", "Give the recorded examples", examples)},
        "/service-info": {"get": operation("service_info", "Say what this service is", info)},
        "/openapi.json": {"get": operation("describe", "Describe the service", this)},
        "/citation": {"get": operation("citation", "Say how to cite the software", cited, [406])},
        "/healthz": {"get": operation("healthz", "Say that the service is alive", alive)},
        "/readyz": {"get": operation("readyz", "Say that it takes predictions", alive, [503])},
        "/metrics": {"get": operation("metrics", "Count what was done, for Prometheus", counts)},
    }
    components = {"schemas": DEFINITIONS["$defs"]}
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
    found = prediction("predict_by_link", [406, 414, 422, 500, 503])
    if not STOCHASTIC:
        tags = {"headers": headers("Model-Fingerprint", "Link", "Cache-Control", "ETag")}
        found["responses"]["200"] |= tags
        found["responses"]["304"] = {"description": "It is still what If-None-Match names."} | tags
    return found | {"parameters": [parameter(name) for name in FIELDS]}


def by_body() -> dict:
    """POST /api: the fields are the members of a JSON object."""
    body = content(INPUT)
    body[JSON]["examples"] = recorded("request")
    if TAKES_FILES:
        form = {"type": "object", "properties": {name: part(name) for name in FIELDS}}
        body |= content(form | {"required": REQUIRED, "additionalProperties": False}, FORM)
    found = prediction("predict", list(REFUSALS))
    return found | {"requestBody": {"required": True, "content": body}}


def by_row() -> dict:
    """POST /api/batch: each input is an item of a JSON array, or a line of a table."""
    answers = content({"type": "array", "items": {"anyOf": [OUTPUT, PROBLEM]}})
    body = content({"type": "array", "items": INPUT})
    for kind in KINDS[1:]:
        table = {"type": "string", "description": "A header line of names, then a line per row"}
        body |= content(table, kind)
        answers |= content(table, kind)
    found = operation("predict_batch", "Run the model on every row", answers, list(REFUSALS))
    return found | {"requestBody": {"required": True, "content": body}}


def recorded(part: str) -> dict:
    """The requests or the answers of the recorded examples."""
    kept = {name: example for name, example in EXAMPLES.items() if example.response is not None}
    return {
        name: {"summary": example.note or name, "value": getattr(example, part)}
        for name, example in kept.items()
    }


def prediction(name: str, refusals: list[int]) -> dict:
    """A route that runs the model once."""
    answer = content(OUTPUT)
    answer[JSON]["examples"] = recorded("response")
    found = operation(name, "Run the model", answer, refusals)
    if STOCHASTIC:
        found["responses"]["200"]["headers"] |= headers("Cache-Control", "Model-Seed")
    return found | {"description": inspect.getdoc(predict) or ""}


def operation(name: str, summary: str, answer: dict, refusals: list[int] = ()) -> dict:
    """A route: its names for programs and for people, and what it may answer."""
    responses = {"200": {"description": "The answer", "content": answer}}
    problem = content(PROBLEM, "application/problem+json")
    for status in refusals:
        responses[str(status)] = {"description": REFUSALS[status], "content": problem}
    for response in responses.values():
        response["headers"] = headers("Model-Fingerprint")
    responses["200"]["headers"] |= headers("Link")
    if 503 in refusals:
        responses["503"]["headers"] = headers("Model-Fingerprint", "Retry-After")
    return {"operationId": name, "summary": summary, "responses": responses}


def content(schema: dict, kind: str = JSON) -> dict:
    """What a body holds, under its media type."""
    return {kind: {"schema": schema}}


def headers(*names: str) -> dict:
    """The headers that every such answer has."""
    chosen = ((name, *HEADERS[name]) for name in names)
    return {n: {"description": d, "required": True, "schema": {"type": k}} for n, k, d in chosen}


def parameter(name: str) -> dict:
    """A field of `Input` as a parameter of the query."""
    field = FIELDS[name]
    found = {"name": name, "in": "query", "required": name in REQUIRED}
    if "description" in field:
        found["description"] = field["description"]
    if field.get("examples"):
        found["example"] = field["examples"][0]
    return found | {"schema": written(field)}


def part(name: str) -> dict:
    """A field of `Input` as a part of a form."""
    if is_nested(name):
        return {"type": "string", "contentMediaType": JSON}
    return written(FIELDS[name], least=int(name in REQUIRED))


def written(schema: dict, least: int = 1) -> dict:
    """The schema of what a query can write: no null, and of a list at least so many items."""
    options = [option for option in alternatives(schema) if option.get("type") != "null"]
    for number, option in enumerate(options):
        if "contentEncoding" in option:
            options[number] = FILE
        if "items" in option:
            number_of = {"minItems": max(least, option.get("minItems", 0))}
            options[number] = option | {"items": written(option["items"])} | number_of
    return options[0] if len(options) == 1 else {"anyOf": options}


DOCUMENT = json.dumps(document(), ensure_ascii=False)
