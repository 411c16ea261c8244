"""GET /openapi.json: what the service takes and gives, for programs (OpenAPI 3.1)."""

import json

from flask import Flask, Response

from service.about.citation import BIBTEX, CSL, TEXT, cited
from service.bodies import JSON
from service.fields import Field
from service.forms import FORM
from service.proof.examples import recorded
from service.served import ServedModel
from service.tables import CSV

REFUSALS = {
    400: "The body is not of its media type.",
    406: "The Accept header rules out the media type of the answer.",
    413: "The body is longer, or has more rows, than the service takes.",
    414: "The link is longer than the web server takes.",
    415: "The Content-Type header names a media type that the route does not take.",
    422: "A field is missing, unknown, repeated, or not valid.",
    500: "The model or the service failed; its log says why.",
    503: "No model process is free. Retry-After says when to send it again, in seconds.",
    504: "The prediction took longer than the service lets it take.",
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


TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
# Why a request, or a row of a batch, was not answered (RFC 9457).
PROBLEM = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {
            "type": "string",
            "description": "What went wrong, and what would have worked",
        },
        "errors": TEXTS | {"description": "What is wrong, by field"},
        "required": TEXTS | {"description": "What each field takes"},
        "supplied": TEXTS | {"description": "What the request said"},
        "request_id": {"type": "string", "description": "Names a failure in the log"},
        "row": {"type": "integer", "description": "The row of the batch, from 1"},
    },
}


def register(app: Flask, model: ServedModel) -> None:
    """Add the route to a service; the description is made now."""
    text = json.dumps(Description(model).document(), ensure_ascii=False)

    def describe() -> Response:
        """Give the description."""
        return Response(text, mimetype=JSON)

    app.add_url_rule("/openapi.json", "describe", describe, methods=["GET"])


class Description:
    """The OpenAPI document of a model."""

    def __init__(self, model: ServedModel) -> None:
        self.model, self.examples = model, recorded()
        self.input, self.output = model.facts["input"], model.facts["output"]
        named = model.facts["named"]
        name = next(name for name in ("Problem", "ServiceProblem") if name not in named)
        self.problem = {"$ref": f"#/components/schemas/{name}"}
        self.named = named | {name: PROBLEM}

    def document(self) -> dict:
        """Describe the service: every route of every module has its entry in `paths`."""
        paths = {"/api": {"post": self.by_body()}, "/api/batch": {"post": self.by_row()}}
        if self.model.is_linkable:
            paths["/api"]["get"] = self.by_link()
        paths |= {path: {"get": operation(*told)} for path, told in PLAIN.items()}
        problem = {"application/problem+json": {"schema": self.problem}}
        refusals = {str(status): answer(meaning, problem) for status, meaning in REFUSALS.items()}
        refusals["503"]["headers"]["Retry-After"] = RETRY_AFTER
        components = {"schemas": self.named, "responses": refusals}
        return {"openapi": "3.1.0", "info": about(), "paths": paths, "components": components}

    def by_link(self) -> dict:
        """GET /api: the fields are the parameters of the query."""
        found = self.prediction("predict_by_link", 406, 414, 422, 500, 503, 504)
        if not self.model.draws:
            found["responses"]["304"] = answer("It is still what If-None-Match names.", {})
            for status in ("200", "304"):
                found["responses"][status]["headers"]["ETag"] = TAG
        return found | {"parameters": list(map(self.parameter, self.model.fields.values()))}

    def parameter(self, field: Field) -> dict:
        """A field of `Input` as a parameter of the query."""
        samples = field.schema.get("examples", [])
        return {
            "name": field.name,
            "in": "query",
            "required": field.is_required,
            "description": field.description,
            "examples": {str(value): {"value": value} for value in samples},
            "schema": self.written(field.schema),
        }

    def by_body(self) -> dict:
        """POST /api: the fields are the members of a JSON object, or the parts of a form."""
        content = {JSON: {"schema": self.input, "examples": self.recorded("request")}}
        if self.model.takes_files:
            parts = {name: self.part(field) for name, field in self.model.fields.items()}
            form = {"type": "object", "properties": parts, "required": self.model.required}
            content[FORM] = {"schema": form | {"additionalProperties": False}}
        body = {"required": True, "content": content}
        return self.prediction("predict", *REFUSALS) | {"requestBody": body}

    def by_row(self) -> dict:
        """POST /api/batch: each input is an item of a JSON array, or a line below one of names."""
        tables = {CSV: STRING} if self.model.takes_tables else {}
        inputs = {JSON: {"schema": {"type": "array", "items": self.input}}} | tables
        rows = {"anyOf": [self.output, self.problem]}
        content = {JSON: {"schema": {"type": "array", "items": rows}}} | tables
        found = operation("predict_batch", "Run the model on every row", content, *REFUSALS)
        return found | {"requestBody": {"required": True, "content": inputs}}

    def prediction(self, name: str, *refusals: int) -> dict:
        """A route that runs the model once."""
        content = {JSON: {"schema": self.output, "examples": self.recorded("response")}}
        found = operation(name, "Run the model", content, *refusals)
        if self.model.draws:
            found["responses"]["200"]["headers"]["Model-Seed"] = SEED
        return found | {"description": self.model.facts["about"]}

    def recorded(self, part: str) -> dict:
        """The requests or the answers of the recorded examples."""
        return {
            name: {"summary": example.note or name, "value": getattr(example, part)}
            for name, example in self.examples.items()
        }

    def part(self, field: Field) -> dict:
        """A field as a part of a form, which says a list without items by leaving it out."""
        if field.is_nested:
            return {"type": "string", "contentMediaType": JSON}
        return self.written(field.schema, least=int(field.is_required))

    def written(self, schema: dict, least: int = 1) -> dict:
        """The schema of what texts can say: no null, a file as it is, at least so many items."""
        options = []
        for option in self.model.schemas.alternatives(schema):
            if "contentEncoding" in option:
                options.append(FILE)
            elif "items" in option:
                number = {"minItems": max(least, option.get("minItems", 0))}
                options.append(option | {"items": self.written(option["items"])} | number)
            elif option.get("type") != "null":
                options.append(option)
        return options[0] if len(options) == 1 else {"anyOf": options}


def about() -> dict:
    """What CITATION.cff says of the project."""
    project = cited()
    found = {"title": project.title, "version": project.version}
    if project.abstract:
        found["description"] = project.abstract
    if expression := " OR ".join(project.licences):
        found["license"] = {"name": expression, "identifier": expression}
    return found


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
