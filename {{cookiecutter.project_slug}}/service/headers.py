"""The headers of every answer: what browsers may do with it, who may read it, where more is."""

import re
import sys

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState

from service.citation import DOI, FOUND_AT, LICENCES
from service.provenance import identity

bp = Blueprint("headers", __name__)

# Where an answer leads (RFC 8631), and under which licence it comes; / is the page at the root.
LINKS = [
    '</openapi.json>; rel="service-desc"',
    '</>; rel="service-doc"',
    '</service-info>; rel="service-meta"',
    '</healthz>; rel="status"',
    *[f'<https://spdx.org/licenses/{name}>; rel="license"' for name in LICENCES],
]
LINKS += [f'<{FOUND_AT}>; rel="cite-as"'] if DOI else []  # a name that lasts (RFC 8574), or none


@bp.record_once
def check(state: BlueprintSetupState) -> None:
    """Stop the start at a setting that would let nobody in by mistake."""
    for origin in state.app.config["CORS_ORIGINS"].split():
        if not re.fullmatch(r"\*|https?://[^\s/?#]+", origin):
            sys.exit(f"MODEL_CORS_ORIGINS: {origin!r} is neither * nor like https://example.org.")


@bp.after_app_request
def describe(response: Response) -> Response:
    """Say which service answers, where the rest is, and that browsers neither guess nor tell."""
    response.headers["Model-Fingerprint"] = identity()["fingerprint"]
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.blueprint and response.status_code < 400:  # neither a file nor an error
        # Relative to what was asked for: a web server may give the service a host and a prefix.
        root = "../" * (request.path.count("/") - 1) or "./"
        response.headers["Link"] = ", ".join(LINKS).replace("</", f"<{root}")
    return response


@bp.after_app_request
def share(response: Response) -> Response:
    """Let the pages of the origins in CORS_ORIGINS read the answer, and send JSON (CORS)."""
    allowed, origin = current_app.config["CORS_ORIGINS"].split(), request.headers.get("Origin")
    if allowed and "*" not in allowed:
        response.vary.add("Origin")  # or a cache would give one origin's answer to another
    if "*" in allowed or origin in allowed:
        response.headers["Access-Control-Allow-Origin"] = "*" if "*" in allowed else origin
        response.headers["Access-Control-Allow-Headers"] = "*"  # so it may send JSON
        response.headers["Access-Control-Expose-Headers"] = "*"
    return response
