"""The headers of every answer: what browsers may do with it, and whose pages may read it."""

import re
import sys

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState

bp = Blueprint("headers", __name__)


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
