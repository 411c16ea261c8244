"""The headers of every answer: what browsers may do with it, who may read it, where more is."""

import re
import sys

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState

from service.citation import CITATION, doi, found_at, licences

bp = Blueprint("headers", __name__)

# Where an answer leads (RFC 8631), and under which licence it comes; / is the page at the root.
LINKS = [
    '</openapi.json>; rel="service-desc"',
    '</>; rel="service-doc"',
    '</service-info>; rel="service-meta"',
    '</healthz>; rel="status"',
]
LINKS += [f'<https://spdx.org/licenses/{name}>; rel="license"' for name in licences(CITATION)[:2]]
# A name that lasts (RFC 8574), or none.
LINKS += [f'<{found_at(CITATION)}>; rel="cite-as"'] if doi(CITATION) else []

# What the page adds, in the words of FAIR Signposting. Not every author of hundreds, because
# web servers refuse long headers.
PAGE_LINKS = [*LINKS, '</citation>; rel="describedby"; type="application/x-bibtex"']
PAGE_LINKS += [f'<https://schema.org/{name}>; rel="type"' for name in ("AboutPage", "WebAPI")]
PAGE_LINKS += [f'<{a["orcid"]}>; rel="author"' for a in CITATION["authors"] if "orcid" in a][:8]


@bp.record_once
def check(state: BlueprintSetupState) -> None:
    """Stop the start at a setting that would let nobody in by mistake."""
    for origin in state.app.config["CORS_ORIGINS"].split():
        if not re.fullmatch(r"\*|https?://[^\s/?#]+", origin):
            sys.exit(f"MODEL_CORS_ORIGINS: {origin!r} is neither * nor like https://example.org.")


@bp.after_app_request
def protect(response: Response) -> Response:
    """Keep browsers from guessing a type, and from telling other sites what was asked here."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@bp.after_app_request
def link(response: Response) -> Response:
    """Say where the rest is, relative to what was asked for.

    Only so is it right behind a web server that gives the service another host or a prefix.
    """
    if request.blueprint and response.status_code < 400:  # neither a file nor an error
        root = "/".join([".."] * (request.path.count("/") - 1)) or "."
        links = ", ".join(PAGE_LINKS if request.path == "/" else LINKS)
        response.headers["Link"] = links.replace("</", f"<{root}/")
    return response


@bp.after_app_request
def share(response: Response) -> Response:
    """Let the pages of the origins in CORS_ORIGINS read the answer, and send JSON (CORS)."""
    origins = current_app.config["CORS_ORIGINS"].split()
    everyone, origin = "*" in origins, request.headers.get("Origin")
    if origins and not everyone:
        response.vary.add("Origin")  # or a cache would give one origin's answer to another
    if everyone or origin in origins:
        response.headers["Access-Control-Allow-Origin"] = "*" if everyone else origin
        response.headers["Access-Control-Expose-Headers"] = "*"
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
            response.headers["Access-Control-Allow-Headers"] = "*"
            response.headers["Access-Control-Max-Age"] = "86400"  # seconds
    return response
