"""GET /: the page that a person sees."""

import json
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


def register(app: Flask, model: ServedModel) -> None:
    """Add the route to a service."""
    page = app.extensions["page"] = Page(model)
    app.add_url_rule("/", "page", page.index, methods=["GET"])
    app.add_template_filter(pretty)


class Page:
    """The page of a model, and the calls that it shows."""

    def __init__(self, model: ServedModel) -> None:
        self.model, self.examples = model, examples()
        # The shapes of a request. A request that is too long for a link is sent as a body.
        by_link = ["link", "body"] if model.is_linkable else ["body"]
        self.shapes = ["form"] if model.takes_files else by_link

    def index(self) -> Response:
        """Show the form and the calls, filled with an example, for the host of this request."""
        given = self.sample(request.args.get("example", ""))
        page = render_template("index.html", page=self, cited=cited(), given=given)
        return Response(page, headers={"Content-Security-Policy": POLICY})

    def sample(self, name: str = "") -> dict:
        """The request of the example of this name, or of the first one."""
        first = next(iter(self.examples.values()), None)
        example = self.examples.get(name, first)
        return example.request if example else {}

    def call(self, base: str, example: str = "") -> str:
        """A command for a terminal that sends an example to the service at the address `base`."""
        given, api = self.sample(example), urljoin(base, "api")
        if self.model.is_linkable:
            return shlex.join(["curl", urljoin(base, self.link(given))])
        if not self.model.takes_files:
            body = json.dumps(given, ensure_ascii=False)
            return shlex.join(["curl", api, "-H", "Content-Type: application/json", "-d", body])
        parts = []
        for name, field in self.model.fields.items():
            if field.is_file and field.is_required:
                parts += ["-F", f'{name}=@"{name}"']
            for text in field.texts(given.get(name)):
                parts += ["--form-string", f"{name}={text}"]
        return shlex.join(["curl", api, *parts])

    def link(self, given: dict) -> str:
        """The address that answers a request."""
        return f"api?{urlencode(self.query(given), doseq=True)}"

    def query(self, given: dict) -> dict[str, list[str]]:
        """A request as the query of a link; an unknown field is left out."""
        fields = self.model.fields
        return {name: fields[name].texts(given[name]) for name in given if name in fields}


def pretty(value: object) -> str:
    """Write a request or an answer as JSON for people."""
    return shorten(json.dumps(value, ensure_ascii=False, indent=2), limit=4000)
