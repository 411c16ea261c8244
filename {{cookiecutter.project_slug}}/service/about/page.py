"""GET /: the page that a person sees."""

import json
import re
import shlex
from urllib.parse import urlencode, urljoin

from flask import Flask, Response, render_template, request

from service.about.citation import cited
from service.about.control import control
from service.proof.examples import Example, examples, recorded
from service.served import ServedModel
from service.words import shorten

# The page needs nothing but what this service sends; whatever else slips in is not loaded.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# How curl takes the parts of a request, each by its kind.
CURL = {
    "link": {"url": " {value}"},
    "body": {
        "api": " {value} \\\n  -H 'Content-Type: application/json'",
        "body": " \\\n  -d {value}",
    },
    "form": {
        "api": " {value}",
        "text": " \\\n  --form-string {name}={value}",
        "file": " \\\n  -F {name}={at}",
        "files": " \\\n  -F {name}={at}",
    },
}


def register(app: Flask, model: ServedModel) -> None:
    """Add the route to a service."""
    page = Page(model)
    app.add_url_rule("/", "page", page.index, methods=["GET"])
    app.extensions["page"] = page


class Page:
    """The page of a model, and the calls that it shows."""

    def __init__(self, model: ServedModel) -> None:
        self.model, self.examples = model, examples()
        # How the calls send an input; one that is too long for a link is a body.
        by_link = ["link", "body"] if model.is_linkable else ["body"]
        self.shapes = ["form"] if model.takes_files else by_link

    def index(self) -> Response:
        """Say what this is, with a form to try it and calls for the host that it was opened at."""
        example: Example | None = self.examples.get(request.args.get("example", ""))
        given, base = example.request if example else self.sample(), request.host_url
        page = render_template(
            "index.html",
            cited=cited(),
            controls=[control(field, given.get(name)) for name, field in self.model.fields.items()],
            shapes=self.shapes,
            link=self.link(given) if self.model.is_linkable else None,
            parts=self.parts(given, base),
            fill=fill,
            curl=CURL,
            examples=recorded(),
            pretty=pretty,
        )
        return Response(page, headers={"Content-Security-Policy": POLICY})

    def sample(self) -> dict:
        """The request of the first example."""
        return next((example.request for example in self.examples.values()), {})

    def call(self, base: str) -> str:
        """The sample request as a command of one line for a terminal."""
        lines = CURL[self.shapes[0]]
        parts = self.parts(self.sample(), base)
        return "curl" + fill(parts, "shell", lines).replace(" \\\n ", "")

    def parts(self, given: dict, base: str) -> list[dict]:
        """What the calls of a request are made of; a missing file is called as its field."""
        api, fields = urljoin(base, "/api"), self.model.fields
        body = {name: value for name, value in given.items() if not is_file(fields.get(name))}
        text = json.dumps(body, ensure_ascii=False)
        whole = {"api": api, "url": urljoin(base, self.link(given)), "body": text}
        found = [{"kind": kind, "value": value} for kind, value in whole.items()]
        for name, field in fields.items():
            if field.is_file and field.is_required:
                at = f"@{json.dumps(name, ensure_ascii=False)}"
                kind = "files" if field.repeats else "file"
                found.append({"kind": kind, "name": name, "value": name, "at": at})
            for text in field.texts(given.get(name)):
                found.append({"kind": "text", "name": name, "value": text})
        return found

    def link(self, given: dict) -> str:
        """The address that answers a request."""
        return f"/api?{urlencode(self.query(given), doseq=True)}"

    def query(self, given: dict) -> dict[str, list[str]]:
        """A request as a query has it."""
        known = {name: value for name, value in given.items() if name in self.model.fields}
        return {name: self.model.fields[name].texts(value) for name, value in known.items()}


def is_file(field: object) -> bool:
    """Whether a member of a request is a file."""
    return bool(field and field.is_file)


def fill(parts: list[dict], quote: str, lines: dict[str, str]) -> str:
    """Write each part of a request in the line of a call for its kind, quoted, as page.js does."""
    return "".join(
        lines.get(part["kind"], "").format(**{key: QUOTES[quote](part[key]) for key in part})
        for part in parts
    )


def literal(text: str) -> str:
    """Quote a text so that Python, R and JavaScript all read it."""
    quoted = re.sub(r"[\\']", r"\\\g<0>", text)
    return "'" + quoted.replace("\n", "\\n").replace("\r", "\\r") + "'"


QUOTES = {"shell": shlex.quote, "literal": literal}


def pretty(value: object) -> str:
    """A request or an answer as JSON to be read."""
    return shorten(json.dumps(value, ensure_ascii=False, indent=2), limit=4000)
