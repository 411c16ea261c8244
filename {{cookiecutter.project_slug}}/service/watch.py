"""Every request watched: its id, its line in the log, its place in the metrics."""

import logging
import re
import secrets
import time

from flask import Blueprint, Response, current_app, g, request

from service.metrics import DURATION, RUNNING

bp = Blueprint("watch", __name__)
logger = logging.getLogger(__name__)

METHODS = {"GET", "HEAD", "OPTIONS", "POST"}
OTHER = "other"  # stands for what a caller made up, which could be anything and be endless


@bp.before_app_request
def begin() -> None:
    """Start the clock, and keep the caller's id of the request if it is plain, or make one."""
    supplied = request.headers.get("X-Request-ID", "")
    plain = re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", supplied)
    g.request_id = supplied if plain else secrets.token_hex(8)
    g.started = time.perf_counter()
    RUNNING.inc()


@bp.after_app_request
def answer(response: Response) -> Response:
    """Give the id back, and write down what came of the request and how long it took."""
    duration = time.perf_counter() - g.started
    method = request.method if request.method in METHODS else OTHER
    members = {"method": method, "route": route(), "status": response.status_code}
    DURATION.labels(*members.values()).observe(duration)
    members["duration"] = round(duration, 6)  # seconds
    if fingerprint := response.headers.get("Model-Fingerprint"):
        members["fingerprint"] = fingerprint
    logger.info(
        "%s %s %s in %s s [%s]",
        *list(members.values())[:4],
        g.request_id,
        extra={"members": members},
    )
    response.headers["X-Request-ID"] = g.request_id
    return response


@bp.teardown_app_request
def end(error: BaseException | None) -> None:
    """Count the request as no longer running, whatever became of it."""
    if "started" in g:
        RUNNING.dec()


def route() -> str:
    """The rule that fits the request, even if its method does not."""
    if request.url_rule:
        return request.url_rule.rule
    rules = {rule.rule for rule in current_app.url_map.iter_rules()}
    return request.path if request.path in rules else OTHER
