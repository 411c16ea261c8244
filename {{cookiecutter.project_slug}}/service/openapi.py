"""GET /openapi.json: what the service takes and gives, for programs (OpenAPI 3.1)."""

import inspect
import json

from flask import Blueprint, Response
from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from service.batch import KINDS
from service.citation import CITATION
from service.contract import Input, Output, predict
from service.examples import EXAMPLES
from service.inputs import FIELDS, SCHEMA, alternatives, is_linkable
from service.predictions import JSON, STOCHASTIC

bp = Blueprint("openapi", __name__)

REFUSALS = {
    400: "The body is not of its media type.",
    406: "The Accept header rules out the media type of the answer.",
    413: "The body is longer, or has more rows, than the service takes.",
    415: "The Content-Type header names a media type that the route does not take.",
    422: "A field is missing, unknown, repeated, or not valid.",
    500: "The model or the service failed; its log says why.",
}
HEADERS = {
    "Cache-Control": ("string", "Whether the answer may be kept"),
    "ETag": ("string", "Names the answer: If-None-Match asks whether it is still so"),
    "Model-Seed": ("integer", "The seed of the answer: given as input, it brings the answer back"),
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


class Schemas(GenerateJsonSchema):
    """pydantic's schemas, with what the service does differently from pydantic."""

    def float_schema(self, schema: dict) -> dict:
        """A number, or the null that stands in an answer for what is not finite."""
        number = super().float_schema(schema)
        return number if self.mode == "validation" else {"anyOf": [number, {"type": "null"}]}

    def model_schema(self, schema: dict) -> dict:
        """An object, which in a request has no unknown members."""
        members = super().model_schema(schema)
        return members | {"additionalProperties": False} if self.mode == "validation" else members


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
    about = content({"type": "object", "required": ["openapi"]})
    examples = content({"type": "object", "additionalProperties": {"required": ["request"]}})
    alive = content({"type": "object", "required": ["status"]})
    counts = content({"type": "string"}, "text/plain")
    paths = {
        "/api": {"get": by_link(), "post": by_body()} if is_linkable() else {"post": by_body()},
        "/api/batch": {"post": by_row()},
        "/": {"get": operation("page", "Show a page for people", page)},
        "/examples": {"get": operation("examples", "Give the recorded examples", examples)},
        "/openapi.json": {"get": operation("describe", "Describe the service", about)},
        "/healthz": {"get": operation("healthz", "Say that the service is alive", alive)},
        "/metrics": {"get": operation("metrics", "Count what was done, for Prometheus", counts)},
    }
    components = {"schemas": DEFINITIONS["$defs"]}
    return {"openapi": "3.1.0", "info": info(), "paths": paths, "components": components}


def info() -> dict:
    """What CITATION.cff says of the project."""
    found = {"title": CITATION["title"], "version": str(CITATION["version"])}
    if "abstract" in CITATION:
        found["description"] = CITATION["abstract"]
    if licence := CITATION.get("license"):
        expression = licence if isinstance(licence, str) else " OR ".join(licence)
        found["license"] = {"name": expression, "identifier": expression}
    return found


def by_link() -> dict:
    """GET /api: the fields are the parameters of the query."""
    found = prediction("predict_by_link", [406, 422, 500])
    if not STOCHASTIC:
        tags = {"headers": headers("Cache-Control", "ETag")}
        found["responses"]["200"] |= tags
        found["responses"]["304"] = {"description": "It is still what If-None-Match names."} | tags
    # The web server itself refuses a long link, in its own words.
    too_long = {"description": "The link is too long.", "content": content({}, "text/html")}
    found["responses"]["414"] = too_long
    return found | {"parameters": [parameter(name) for name in FIELDS]}


def by_body() -> dict:
    """POST /api: the fields are the members of a JSON object."""
    body = content(INPUT)
    body[JSON]["examples"] = recorded("request")
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
        found["responses"]["200"]["headers"] = headers("Cache-Control", "Model-Seed")
    return found | {"description": inspect.getdoc(predict) or ""}


def operation(name: str, summary: str, answer: dict, refusals: list[int] = ()) -> dict:
    """A route: its names for programs and for people, and what it may answer."""
    responses = {"200": {"description": "The answer", "content": answer}}
    problem = content(PROBLEM, "application/problem+json")
    for status in refusals:
        responses[str(status)] = {"description": REFUSALS[status], "content": problem}
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
    found = {"name": name, "in": "query", "required": name in SCHEMA.get("required", [])}
    if "description" in field:
        found["description"] = field["description"]
    if field.get("examples"):
        found["example"] = field["examples"][0]
    return found | {"schema": written(field)}


def written(schema: dict) -> dict:
    """The schema of what a query can write, which is neither null nor an empty list."""
    options = [option for option in alternatives(schema) if option.get("type") != "null"]
    for number, option in enumerate(options):
        if "items" in option:
            least = max(1, option.get("minItems", 1))
            options[number] = option | {"items": written(option["items"]), "minItems": least}
    return options[0] if len(options) == 1 else {"anyOf": options}


DOCUMENT = json.dumps(document(), ensure_ascii=False)
