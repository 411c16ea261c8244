"""GET /: the page that a person sees."""

import json
import shlex

from flask import Blueprint, render_template, url_for

from service.citation import CITATION, authors
from service.inputs import FIELDS, is_linkable, requirement, to_query

bp = Blueprint("pages", __name__)


@bp.get("/")
def index() -> str:
    """Say what this is, and show a request to try on the host that the page was opened at."""
    return render_template(
        "index.html",
        citation=CITATION,
        authors=authors(),
        fields={name: requirement(name) for name in FIELDS},
        link=url_for("predictions.answer_link", **to_query(sample())) if is_linkable() else None,
        call=call(),
    )


def call() -> str:
    """The sample request as a command for a terminal."""
    if is_linkable():
        url = url_for("predictions.answer_link", _external=True, **to_query(sample()))
        return f"curl {shlex.quote(url)}"
    url = url_for("predictions.answer_body", _external=True)
    body = shlex.quote(json.dumps(sample(), ensure_ascii=False))
    return f"curl {shlex.quote(url)} -H 'Content-Type: application/json' -d {body}"


def sample() -> dict:
    """A request made of the first example of each field of `Input`."""
    return {name: field["examples"][0] for name, field in FIELDS.items() if field.get("examples")}
