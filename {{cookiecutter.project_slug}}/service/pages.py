"""GET /: the page that a person sees."""

import json
import re
import shlex
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, url_for

from service.citation import CITATION, authors
from service.form import controls, texts
from service.inputs import FIELDS, is_linkable

bp = Blueprint("pages", __name__)

# The page needs nothing but what this service sends; whatever else slips in is not loaded.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@bp.get("/")
def index() -> Response:
    """Say what this is, with a form to try it and calls for the host that it was opened at."""
    page = render_template(
        "index.html",
        citation=CITATION,
        authors=authors(),
        controls=controls(sample()),
        link=link(sample_texts()) if is_linkable() else None,
        absolute=link(sample_texts(), external=True) if is_linkable() else None,
        url=address(),
        body=body(),
        quoted={"shell": shlex.quote, "literal": literal},
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def call() -> str:
    """The sample request as a command for a terminal."""
    if is_linkable():
        return shlex.join(["curl", link(sample_texts(), external=True)])
    return shlex.join(["curl", address(), "-H", "Content-Type: application/json", "-d", body()])


def sample() -> dict:
    """A request made of the first example of each field of `Input`, or else its default."""
    values = {
        name: field.get("examples", [field.get("default")])[0] for name, field in FIELDS.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def sample_texts() -> dict[str, list[str]]:
    """The sample request as a query has it."""
    return {name: texts(name, value) for name, value in sample().items()}


def body() -> str:
    """The sample request as a JSON object."""
    return json.dumps(sample(), ensure_ascii=False)


def link(query: dict[str, list[str]], external: bool = False) -> str:
    """The address that answers a query."""
    path = url_for("predictions.answer_link", _external=external)
    return f"{path}?{urlencode(query, doseq=True)}" if query else path


def address() -> str:
    """The address that takes a JSON object."""
    return url_for("predictions.answer_body", _external=True)


def literal(text: str) -> str:
    """Quote a text without line ends so that Python, R and JavaScript all read it."""
    return "'" + re.sub(r"[\\']", r"\\\g<0>", text) + "'"
