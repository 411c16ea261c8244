"""Once around every request: its id, its line in the log, its place in /metrics, its headers.

On plain tuples, since this is done for each request; Flask is for what differs by route.
"""

import logging
import random
import re
import time
from collections.abc import Callable, Iterable

import prometheus_client as prometheus
from flask import Flask

from service import logs
from service.errors import PROBLEM, unread

logger = logging.getLogger("service")

METHODS = {"GET", "HEAD", "OPTIONS", "POST"}
OTHER = "other"  # stands for what a caller made up, which could be anything and be endless
STATIC = "/static/<path:filename>"
# Headers that are for changes or for another protocol, at which Werkzeug would refuse a request,
# and for dates, some of which it fails on: the tag of an answer says whether it has changed.
IGNORED = "HTTP_IF_MATCH", "HTTP_UPGRADE", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_RANGE", "HTTP_RANGE"
ACCEPT = 1000  # characters; Werkzeug takes seconds for some longer ones
HOST = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[A-Fa-f0-9.:]{2,45}\])(:[0-9]{0,5})?")
BAD_HOST = "The header Host names no host: send one such as example.org."
# The headers that let pages of another origin read the answer, and send JSON
SHARED = ("Access-Control-Allow-Headers", "*"), ("Access-Control-Expose-Headers", "*")
ALLOWED = "Access-Control-Allow-Origin"
PLAIN = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")  # an id that a line of the log can hold

REQUESTS = prometheus.Counter("http_requests", "Requests", ["method", "route", "status"])
PREDICTIONS = prometheus.Counter("model_predictions", "Inputs that the model answered", ["route"])
DURATION = prometheus.Histogram(
    "http_request_duration_seconds",
    "Time to the answer (s)",
    ["route", "status"],
    buckets=[0.01, 0.1, 1, 10, 60],
)


class Watch:
    """The WSGI application around that of Flask."""

    def __init__(self, app: Flask, fingerprint: str, links: str, origins: str) -> None:
        self.wsgi, self.fingerprint, self.links = app.wsgi_app, fingerprint, links
        self.routes = {rule.rule for rule in app.url_map.iter_rules()} - {STATIC}
        self.origins = origins.lower().split()  # as browsers write them
        # Browsers guess no media type, and send no referrer.
        self.headers = [
            ("Model-Fingerprint", fingerprint),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ]
        if "*" in self.origins:
            self.headers += [(ALLOWED, "*"), *SHARED]
            self.origins = []
        self.counts: dict[tuple, tuple] = {}

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        """Answer a request, and note what came of it."""
        started, path = time.perf_counter(), environ["PATH_INFO"]
        route = path if path in self.routes else OTHER
        if path.startswith("/static/"):
            route = STATIC
        check_headers(environ)
        known = environ.get("HTTP_X_REQUEST_ID", "")
        request = known if PLAIN.fullmatch(known) else f"{random.getrandbits(64):016x}"
        logs.request.set(request)

        def respond(status: str, headers: list, error: object = None) -> Callable:
            code = int(status[:3])
            self.note(environ, route, code, time.perf_counter() - started, request)
            headers += self.headers
            headers.append(("X-Request-ID", request))
            if code < 400 and route not in (OTHER, STATIC):
                headers.append(("Link", self.links if path.count("/") < 2 else self.up(path)))
            if self.origins:
                headers.append(("Vary", "Origin"))  # or a cache would give one's answer to another
            if (origin := environ.get("HTTP_ORIGIN")) in self.origins:
                headers += [(ALLOWED, origin), *SHARED]
            return start_response(status, headers, error)

        if refused := environ.get("service.refused"):
            status, body = unread(*refused)
            respond(status, [("Content-Type", PROBLEM), ("Content-Length", str(len(body)))])
            return [body] if environ["REQUEST_METHOD"] != "HEAD" else []
        return self.wsgi(environ, respond)

    def up(self, path: str) -> str:
        """The links, relative to what was asked for: a web server may give a host and a prefix."""
        return self.links.replace("<./", "<" + "../" * (path.count("/") - 1))

    def note(self, environ: dict, route: str, status: int, seconds: float, request: str) -> None:
        """Count a request, and write its line into the log."""
        method = environ["REQUEST_METHOD"]
        method = method if method in METHODS else OTHER
        key = method, route, status
        if key not in self.counts:
            children = REQUESTS.labels(*key), DURATION.labels(route, status)
            self.counts[key] = (*children, PREDICTIONS.labels(route))
        requests, duration, predictions = self.counts[key]
        requests.inc()
        duration.observe(seconds)
        if answers := environ.get("service.answers"):
            predictions.inc(answers)
        seconds = round(seconds, 6)
        members = {"request_id": request, "method": method, "route": route, "status": status}
        members |= {"duration": seconds, "fingerprint": self.fingerprint}
        said = f"{method} {route} {status} in {seconds} s [{request}]"
        logger.info("%s", said, extra={"members": members})


def check_headers(environ: dict) -> None:
    """Leave out the headers that Werkzeug would fail on; refuse a host that is none."""
    for name in IGNORED:
        environ.pop(name, None)
    if len(environ.get("HTTP_ACCEPT", "")) > ACCEPT:
        environ.pop("HTTP_ACCEPT")  # anything is taken then
    is_old = environ.get("SERVER_PROTOCOL") == "HTTP/1.0"  # which has no such header
    if not HOST.fullmatch(environ.get("HTTP_HOST", "localhost" if is_old else "")):
        environ.setdefault("service.refused", (400, BAD_HOST))
