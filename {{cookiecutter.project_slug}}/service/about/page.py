"""GET /: the page that a person sees."""

import json
import re
import shlex
from urllib.parse import urlencode, urljoin

from flask import Flask, Response, render_template, request

from service.about.citation import cited
from service.proof.examples import examples
from service.served import ServedModel
from service.words import shorten

# The browser loads nothing for the page but the files of this service.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# The line of a call to curl for each part of a request, by the kind of the part.
FILE = " \\\n  -F {name}={at}"
CURL = {
    "link": {"url": " {value}"},
    "body": {
        "api": " {value} \\\n  -H 'Content-Type: application/json'",
        "body": " \\\n  -d {value}",
    },
    "form": {
        "api": " {value}",
        "text": " \\\n  --form-string {name}={value}",
        "file": FILE,
        "files": FILE,
    },
}


def register(app: Flask, model: ServedModel) -> None:
    """Add the route to a service."""
    page = app.extensions["page"] = Page(model)
    app.add_url_rule("/", "page", page.index, methods=["GET"])
    app.add_template_filter(pretty)
    app.add_template_global(fill)
    app.add_template_global(CURL, "curl")


class Page:
    """The page of a model, and the calls that it shows."""

    def __init__(self, model: ServedModel) -> None:
        self.model, self.examples = model, examples()
        # The shapes of a request. A request that is too long for a link is sent as a body.
        by_link = ["link", "body"] if model.is_linkable else ["body"]
        self.shapes = ["form"] if model.takes_files else by_link

    def index(self) -> Response:
        """Show the form and the calls, filled with an example, for the host of this request."""
        example = self.examples.get(request.args.get("example", ""))
        given = example.request if example else self.sample()
        parts = self.parts(given, request.host_url)
        page = render_template("index.html", page=self, cited=cited(), given=given, parts=parts)
        return Response(page, headers={"Content-Security-Policy": POLICY})

    def sample(self) -> dict:
        """The request of the first example."""
        return next((example.request for example in self.examples.values()), {})

    def call(self, base: str) -> str:
        """The sample request as a command of one line for a terminal."""
        parts = self.parts(self.sample(), base)
        return "curl" + fill(parts, "shell", CURL[self.shapes[0]]).replace(" \\\n ", "")

    def parts(self, given: dict, base: str) -> list[dict]:
        """The parts of a request to fill into calls; a missing file has the name of its field."""
        fields = self.model.fields.values()
        files = {field.name for field in fields if field.is_file}
        body = {name: value for name, value in given.items() if name not in files}
        found = [
            {"kind": "api", "value": urljoin(base, "/api")},
            {"kind": "url", "value": urljoin(base, self.link(given))},
            {"kind": "body", "value": json.dumps(body, ensure_ascii=False)},
        ]
        for name, field in self.model.fields.items():
            if field.is_file and field.is_required:
                kind, at = "files" if field.repeats else "file", f'@"{name}"'
                found.append({"kind": kind, "name": name, "value": name, "at": at})
            texts = field.texts(given.get(name))
            found += [{"kind": "text", "name": name, "value": text} for text in texts]
        return found

    def link(self, given: dict) -> str:
        """The address that answers a request."""
        return f"/api?{urlencode(self.query(given), doseq=True)}"

    def query(self, given: dict) -> dict[str, list[str]]:
        """A request as the query of a link; an unknown field is left out."""
        fields = self.model.fields
        return {name: fields[name].texts(given[name]) for name in given if name in fields}


def fill(parts: list[dict], quote: str, lines: dict[str, str]) -> str:
    """Write each part of a request into the line for its kind, quoted, as page.js does."""
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
    """Write a request or an answer as JSON for people."""
    return shorten(json.dumps(value, ensure_ascii=False, indent=2), limit=4000)
