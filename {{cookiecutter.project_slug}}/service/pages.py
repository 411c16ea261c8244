"""GET /: the page that a person sees."""

import json
import re
import shlex
from itertools import chain
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request, url_for

from service.citation import ANSWERS, BIBTEX, CITATION, FOUND_AT, LICENCES, SENTENCE
from service.errors import shorten
from service.examples import EXAMPLES
from service.form import controls, texts
from service.schemas import FIELDS, REQUIRED, is_file, is_linkable, is_nested, repeats
from service.uploads import TAKES_FILES

bp = Blueprint("pages", __name__)

# How the calls of the page send an input; one that is too long for a link is a body.
SHAPES = ["form"] if TAKES_FILES else ["link", "body"] if is_linkable() else ["body"]

# The page needs nothing but what this service sends; whatever else slips in is not loaded.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@bp.get("/")
def index() -> Response:
    """Say what this is, with a form to try it and calls for the host that it was opened at."""
    example = EXAMPLES.get(request.args.get("example", ""))
    given = example.request if example else sample()
    page = render_template(
        "index.html",
        citation=CITATION,
        sentence=SENTENCE,
        found_at=FOUND_AT,
        bibtex=ANSWERS[BIBTEX],
        licence=" or ".join(LICENCES),
        controls=controls(given),
        shapes=SHAPES,
        parts=parts(given),
        link=link(given) if is_linkable() else None,
        absolute=link(given, external=True) if is_linkable() else None,
        url=address(),
        body=body(given),
        quoted={"shell": shlex.quote, "literal": literal},
        examples=EXAMPLES,
        pretty=pretty,
        option=option,
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def call() -> str:
    """The sample request as a command for a terminal."""
    if is_linkable():
        return shlex.join(["curl", link(sample(), external=True)])
    if TAKES_FILES:
        return shlex.join(["curl", address(), *chain.from_iterable(map(option, parts(sample())))])
    kind = "Content-Type: application/json"
    return shlex.join(["curl", address(), "-H", kind, "-d", body(sample())])


def parts(given: dict) -> list[dict]:
    """A request as the parts of a form, in which a file is called as its field."""
    found = []
    for name in FIELDS:
        if is_file(name):
            one = {"name": name, "file": name, "multiple": repeats(name)}
            found += [one] if name in REQUIRED else []
        elif is_nested(name) and name in given:
            found.append({"name": name, "text": json.dumps(given[name], ensure_ascii=False)})
        else:
            found += [{"name": name, "text": text} for text in texts(name, given.get(name))]
    return found


def option(part: dict) -> list[str]:
    """A part of a form as curl takes it."""
    if "file" in part:
        return ["-F", f'{part["name"]}=@"{part["file"]}"']
    return ["--form-string", f"{part['name']}={part['text']}"]


def sample() -> dict:
    """The request of the first example."""
    return next((example.request for example in EXAMPLES.values()), {})


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


def link(given: dict, external: bool = False) -> str:
    """The address that answers a request."""
    path = url_for("predictions.answer_link", _external=external)
    return f"{path}?{urlencode(query(given), doseq=True)}" if given else path


def address() -> str:
    """The address that takes a JSON object."""
    return url_for("predictions.answer_body", _external=True)


def literal(text: str) -> str:
    """Quote a text so that Python, R and JavaScript all read it."""
    quoted = re.sub(r"[\\']", r"\\\g<0>", text)
    return "'" + quoted.replace("\n", "\\n").replace("\r", "\\r") + "'"
