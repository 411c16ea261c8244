"""GET /: the page that a person sees."""

import json
import re
import shlex
from urllib.parse import urlencode, urljoin

from flask import Blueprint, Response, render_template, request, url_for

from service import citation
from service.errors import shorten
from service.examples import EXAMPLES
from service.form import control, texts
from service.schemas import FIELDS, REQUIRED, is_file, is_linkable, repeats
from service.uploads import TAKES_FILES

bp = Blueprint("pages", __name__)

# How the calls of the page send an input; one that is too long for a link is a body.
SHAPES = ["form"] if TAKES_FILES else ["link", "body"] if is_linkable() else ["body"]

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


@bp.get("/")
def index() -> Response:
    """Say what this is, with a form to try it and calls for the host that it was opened at."""
    example = EXAMPLES.get(request.args.get("example", ""))
    given = example.request if example else sample()
    people = zip(citation.AUTHORS, citation.ORCIDS, strict=True)
    page = render_template(
        "index.html",
        citation=citation.CITATION,
        sentence=citation.SENTENCE,
        found_at=citation.FOUND_AT,
        bibtex=citation.ANSWERS[citation.BIBTEX],
        orcids={orcid: name for name, orcid in people if orcid},
        licences=citation.LICENCES,
        controls=[control(name, given.get(name)) for name in FIELDS],
        shapes=SHAPES,
        link=link(given) if is_linkable() else None,
        parts=parts(given),
        fill=fill,
        curl=CURL,
        examples=EXAMPLES,
        pretty=pretty,
    )
    return Response(page, headers={"Content-Security-Policy": POLICY})


def sample() -> dict:
    """The request of the first example."""
    return next((example.request for example in EXAMPLES.values()), {})


def call() -> str:
    """The sample request as a command of one line for a terminal."""
    return "curl" + fill(parts(sample()), "shell", CURL[SHAPES[0]]).replace(" \\\n ", "")


def parts(given: dict) -> list[dict]:
    """What the calls of a request are made of; a file that is missing is called as its field."""
    api = url_for("predictions.answer_body", _external=True)
    whole = {"api": api, "url": urljoin(api, link(given)), "body": body(given)}
    found = [{"kind": kind, "value": value} for kind, value in whole.items()]
    for name in FIELDS:
        if is_file(name) and name in REQUIRED:
            at = f"@{json.dumps(name, ensure_ascii=False)}"
            kind = "files" if repeats(name) else "file"
            found.append({"kind": kind, "name": name, "value": name, "at": at})
        for text in texts(name, given.get(name)):
            found.append({"kind": "text", "name": name, "value": text})
    return found


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


def link(given: dict) -> str:
    """The address that answers a request."""
    return f"{url_for('predictions.answer_body')}?{urlencode(query(given), doseq=True)}"


def query(given: dict) -> dict[str, list[str]]:
    """A request as a query has it."""
    return {name: texts(name, value) for name, value in given.items()}


def body(given: dict) -> str:
    """A request as a JSON object in one line, but for its files."""
    values = {name: value for name, value in given.items() if not is_file(name)}
    return json.dumps(values, ensure_ascii=False)


def pretty(value: object) -> str:
    """A request or an answer as JSON to be read."""
    return shorten(json.dumps(value, ensure_ascii=False, indent=2), limit=4000)
