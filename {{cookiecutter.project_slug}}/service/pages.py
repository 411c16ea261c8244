"""GET /: the page that a person sees."""

import shlex

from flask import Blueprint, render_template, url_for

from service.citation import CITATION, authors
from service.predictions import FIELDS, requirement

bp = Blueprint("pages", __name__)


@bp.get("/")
def index() -> str:
    """Say what this is, and show a request to try on the host that the page was opened at."""
    return render_template(
        "index.html",
        citation=CITATION,
        authors=authors(),
        fields={name: requirement(field) for name, field in FIELDS.items()},
        link=url_for("predictions.answer", **sample()),
        call=call(),
    )


def call() -> str:
    """The sample request as a command for a terminal."""
    return f"curl {shlex.quote(url_for('predictions.answer', _external=True, **sample()))}"


def sample() -> dict:
    """A request made of the first example of each field of `Input`."""
    return {name: field["examples"][0] for name, field in FIELDS.items() if field.get("examples")}
