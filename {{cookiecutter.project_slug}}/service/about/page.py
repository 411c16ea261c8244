"""GET /, /service-info and /examples: the pages that a person sees, and what they show."""

import json
import shlex
import time
from functools import cached_property
from urllib.parse import urlencode, urljoin

from flask import Flask, Response, render_template, request
from pydantic_core import to_json

from service.about.citation import cited
from service.about.provenance import identity
from service.bodies import JSON, query
from service.proof.examples import examples
from service.served import ServedModel
from service.words import Texts, shorten, whole

# The browser loads nothing for the page but the files of this service.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

LONGEST = 8000  # bytes of a link; Gunicorn takes 8190
LONG = 20_000  # characters of a request that neither the form nor a call on the page has


def register(app: Flask, model: ServedModel) -> None:
    """Add the routes to a service."""
    page = app.extensions["page"] = Page(model)
    app.add_url_rule("/", "page", page.index, methods=["GET"])
    app.add_url_rule("/service-info", "service_info", page.service_info, methods=["GET"])
    known = {name: one.model_dump(exclude_unset=True) for name, one in page.examples.items()}
    text = json.dumps(known, ensure_ascii=False)
    app.add_url_rule("/examples", "examples", lambda: Response(text, mimetype=JSON))
    app.add_template_filter(pretty)


def show(template: str, **values: object) -> Response:
    """Answer with a page that takes nothing but the files of this service."""
    page = render_template(template, cited=cited(), identity=identity(), **values)
    return Response(page, headers={"Content-Security-Policy": POLICY})


class Page:
    """The page of a model, and the calls that it shows."""

    def __init__(self, model: ServedModel) -> None:
        self.model, self.examples = model, examples()
        known = self.examples.items()
        self.short = {name: one for name, one in known if len(json.dumps(one.request)) < LONG}
        self.started = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime())
        # The shapes of a request. What is long or nested is sent as a body, not as a link.
        self.shapes = ["form"] if model.takes_files else ["link", "body"]
        self.asks = "example"  # in a link to the page, for a recorded one
        while self.asks in model.named:  # it is the name of a field
            self.asks += "_"

    def index(self) -> Response:
        """Show the form and the calls, filled as the link says, for the host of this request."""
        return show("index.html", page=self, given=self.given(query()))

    def service_info(self) -> tuple:
        """Say what is really there: to programs as JSON, to browsers as a page."""
        told = identity() | {"check": self.model.settings["CHECK"]}
        kinds = request.accept_mimetypes
        is_page = kinds["text/html"] > kinds["application/json"]
        return show("facts.html", facts=told) if is_page else told, {"Vary": "Accept"}

    def sample(self, name: str = "") -> dict:
        """The request of the example of this name, or of the first one; of those that are short."""
        first = next(iter(self.short.values()), None)
        example = self.short.get(name, first)
        given, others = example.request if example else {}, self.model.others
        return {others.get(key, key): given[key] for key in given}

    @cached_property
    def start(self) -> dict:
        """Give the values of the fields themselves, and an example's for what is required."""
        fields, sample, found = self.model.fields, self.sample(), {}
        for name, field in fields.items():
            is_asked = field.is_required and not field.is_file and name in sample
            found |= field.start or ({name: sample[name]} if is_asked else {})
        return found or sample

    def given(self, texts: Texts) -> dict:
        """Give the values that a link to the page asks for: an example by its name, or fields."""
        (example, *_), named = texts.get(self.asks, [""]), self.model.named
        found = self.sample(example) if example in self.short else dict(self.start)
        for name, typed in texts.items():
            said, fault = named[name].read(typed) if name in named else ("", "No such field")
            if not fault:
                found[named[name].name] = json.loads(said, parse_int=whole)
        return found

    def call(self, base: str, given: dict | None = None) -> str:
        """A command for a terminal that sends inputs to the service at the address `base`."""
        given, fields = self.start if given is None else given, self.model.fields
        is_nested = any(fields[name].is_nested for name in given if name in fields)
        link, api = self.link(given), urljoin(base, "api")
        if self.shapes[0] == "link" and link and not is_nested:
            return shlex.join(["curl", urljoin(base, link)])
        texts = self.query(given)
        # A form leaves out what is empty.
        if self.shapes == ["form"] and texts is not None and all(map(all, texts.values())):
            return shlex.join(["curl", api, *self.parts(texts)])
        body = json.dumps(given, ensure_ascii=False)
        return shlex.join(["curl", api, "-H", "Content-Type: application/json", "-d", body])

    def parts(self, texts: dict[str, list[str]]) -> list[str]:
        """The options of curl that send texts, and a file for each field that needs one."""
        found = []
        for name, field in self.model.fields.items():
            said = [("--form-string", f"{name}={text}") for text in texts.get(name, [])]
            files = [("-F", f'{name}=@"{name}"')] * field.is_required
            found += files if field.is_file else said
        return [word for option in found for word in option]

    def link(self, given: dict) -> str:
        """The address that answers a request; empty if a link cannot say it."""
        texts = self.query(given) if self.model.is_linkable else None
        link = "" if texts is None else f"api?{urlencode(texts, doseq=True)}"
        return link if len(link) <= LONGEST else ""

    def query(self, given: dict) -> dict[str, list[str]] | None:
        """A request as the query of a link; None if texts cannot say it."""
        fields = self.model.named
        found = {name: fields[name].texts(given[name]) for name in given if name in fields}
        return None if None in found.values() or len(found) < len(given) else found


def pretty(value: object) -> str:
    """Write a request or an answer as JSON for people."""
    return shorten(to_json(value, indent=2).decode(), limit=4000)
