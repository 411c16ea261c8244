"""Every request watched: its id, its line in the log, and its place in GET /metrics."""

import contextlib
import functools
import logging
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import prometheus_client as prometheus
from flask import Blueprint, Response, g, request
from prometheus_client import metrics_core, multiprocess, values

from service import contract, provenance

bp = Blueprint("metrics", __name__)
logger = logging.getLogger(__name__)

# Where gunicorn.conf.py has each worker count, in files of its own; elsewhere there is one process.
FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
# Bytes, enough for every label that there is: 5 methods, some 13 routes and 19 statuses.
SIZES = {"counter": 2**18, "gauge_livesum": 2**12, "histogram": 2**19}

METHODS = {"GET", "HEAD", "OPTIONS", "POST"}
BUILD = ("version", "revision", "fingerprint")
OTHER = "other"  # stands for what a caller made up, which could be anything and be endless


@functools.cache
def files_of(process: int) -> str:
    """The name of the files that a process counts in, which it makes in full first.

    Who maps a hole of a file dies when the disk is full.

    :raise OSError: if the disk has no room for them
    """
    name = os.environ.get("WORKER_NUMBER", "0")
    for kind, size in SIZES.items():
        path = Path(FOLDER, f"{kind}_{name}.db")
        part = path.with_suffix(".part")  # a part of one would stop GET /metrics
        try:
            if not path.exists() or kind.startswith("gauge"):  # nothing is in flight yet
                part.write_bytes(bytes(size))
                part.rename(path)
        finally:
            part.unlink(missing_ok=True)
    return name


ready = False  # at first the library asks for a name that it never uses, whatever the disk holds
if FOLDER:
    values.ValueClass = values.MultiProcessValue(lambda: ready and files_of(os.getpid()))
    ready = True
# Without labels they would make their files now, and each in a process that serves nobody.
REQUESTS = prometheus.Counter("http_requests", "Requests", ["method", "route", "status"])
PREDICTIONS = prometheus.Counter("model_predictions", "Inputs that the model answered", ["route"])
DURATION = prometheus.Histogram(
    "http_request_duration_seconds",
    "Time to the answer (s)",
    ["route", "status"],
    buckets=[0.01, 0.1, 1, 10, 60],
)
IN_FLIGHT = prometheus.Gauge(
    "http_requests_in_flight", "Requests not answered yet", ["route"], multiprocess_mode="livesum"
)


class Facts:
    """What stays as it is while a process lives, and so stands in no file."""

    def collect(self) -> Iterator[metrics_core.Metric]:
        """Say which build of the model answers, and how long it took to load."""
        known = {name: provenance.identity()[name] for name in BUILD}
        yield metrics_core.InfoMetricFamily("model_build", "The build that answers", known)
        told = "Time that the model took to load (s)"
        yield metrics_core.GaugeMetricFamily("model_load_seconds", told, contract.loaded())


@bp.before_app_request
def begin() -> None:
    """Start the clock, and keep the caller's id of the request if it is plain, or make one."""
    supplied = request.headers.get("X-Request-ID", "")
    plain = re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", supplied)
    g.request_id = supplied if plain else secrets.token_hex(8)
    g.started = time.perf_counter()
    with counting():
        IN_FLIGHT.labels(route()).inc()


@bp.teardown_app_request
def leave(error: BaseException | None) -> None:
    """Count the request as answered, whatever became of it."""
    if "started" in g:  # no request came, where gunicorn.conf.py asks for the sample call
        with counting():
            IN_FLIGHT.labels(route()).dec()


@bp.after_app_request
def end(response: Response) -> Response:
    """Give the id back, and write down what came of the request and how long it took."""
    duration = round(time.perf_counter() - g.started, 6)  # seconds
    method = request.method if request.method in METHODS else OTHER
    labels = {"method": method, "route": route(), "status": response.status_code}
    with counting():
        REQUESTS.labels(*labels.values()).inc()
        PREDICTIONS.labels(route()).inc(g.get("predictions", 0))
        DURATION.labels(route(), response.status_code).observe(duration)
    fingerprint = response.headers.get("Model-Fingerprint")
    members = labels | {"duration": duration, "fingerprint": fingerprint}
    words = (*labels.values(), duration, g.request_id)
    logger.info("%s %s %s in %s s [%s]", *words, extra={"members": members})
    response.headers["X-Request-ID"] = g.request_id
    return response


def route() -> str:
    """The route that a request takes, if it takes one that there is."""
    return request.url_rule.rule if request.url_rule else OTHER


@contextlib.contextmanager
def counting() -> Iterator[None]:
    """Let a full disk cost a count, and no answer."""
    try:
        yield
    except OSError as error:
        logger.warning("The next request is not counted: %s.", error)


@bp.get("/metrics")
def show() -> Response:
    """Give the sums over all workers, those that have ended too."""
    counts, facts = prometheus.REGISTRY, prometheus.CollectorRegistry()
    if FOLDER:
        counts = prometheus.CollectorRegistry()
        multiprocess.MultiProcessCollector(counts, FOLDER)
    facts.register(Facts())
    text = prometheus.generate_latest(counts) + prometheus.generate_latest(facts)
    return Response(text, content_type=prometheus.CONTENT_TYPE_LATEST)
