"""Every request watched: its id, its line in the log, and its place in GET /metrics."""

import functools
import itertools
import logging
import os
import re
import secrets
import time
from pathlib import Path

import prometheus_client as prometheus
from flask import Blueprint, Response, g, request
from prometheus_client import multiprocess, values

bp = Blueprint("metrics", __name__)
logger = logging.getLogger(__name__)

# Where gunicorn.conf.py has each process count, in files of its own; elsewhere there is one.
FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
# Bytes, enough for every label that there is: 5 methods, some 13 routes and 16 statuses.
SIZES = {"counter": 2**18, "histogram": 2**15}

METHODS = {"GET", "HEAD", "OPTIONS", "POST"}
OTHER = "other"  # stands for what a caller made up, which could be anything and be endless


@functools.cache
def slot(process: int) -> str:
    """The first set of files that no other process holds.

    The kernel frees those of a process that ends, and the next one counts on in them: no count
    falls, and no files pile up.

    :raise OSError: if the disk has no room for another set
    """
    import fcntl  # Windows has none, and no Gunicorn

    for name in map(str, itertools.count()):
        held = os.open(Path(FOLDER, name), os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            reserve(name)
            return name
        except OSError as error:
            os.close(held)
            if not isinstance(error, BlockingIOError):
                raise


def reserve(name: str) -> None:
    """Make the files in full: who maps a hole of a file dies when the disk is full."""
    for kind, size in SIZES.items():
        path = Path(FOLDER, f"{kind}_{name}.db")
        part = path.with_suffix(".part")  # a part of one would stop GET /metrics
        try:
            if not path.exists():
                part.write_bytes(bytes(size))
                part.rename(path)
        finally:
            part.unlink(missing_ok=True)


ready = False  # at first the library asks for a name that it never uses, whatever the disk holds
if FOLDER:
    values.ValueClass = values.MultiProcessValue(lambda: ready and slot(os.getpid()))
    ready = True
# Without labels they would make their files now, and each in a process that serves nobody.
REQUESTS = prometheus.Counter("http_requests", "Requests", ["method", "route", "status"])
PREDICTIONS = prometheus.Counter("model_predictions", "Inputs that the model answered", ["route"])
SECONDS, BUCKETS = "http_request_duration_seconds", [0.01, 0.1, 1, 10, 60]
DURATION = prometheus.Histogram(SECONDS, "Time to the answer (s)", ["route"], buckets=BUCKETS)


@bp.before_app_request
def begin() -> None:
    """Start the clock, and keep the caller's id of the request if it is plain, or make one."""
    supplied = request.headers.get("X-Request-ID", "")
    plain = re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", supplied)
    g.request_id = supplied if plain else secrets.token_hex(8)
    g.started = time.perf_counter()


@bp.after_app_request
def end(response: Response) -> Response:
    """Give the id back, and write down what came of the request and how long it took."""
    duration = round(time.perf_counter() - g.started, 6)  # seconds
    method = request.method if request.method in METHODS else OTHER
    route = request.url_rule.rule if request.url_rule else OTHER
    labels = {"method": method, "route": route, "status": response.status_code}
    try:
        REQUESTS.labels(*labels.values()).inc()
        PREDICTIONS.labels(route).inc(g.get("predictions", 0))
        DURATION.labels(route).observe(duration)
    except OSError as error:
        logger.warning("The next request is not counted: %s.", error)
    fingerprint = response.headers.get("Model-Fingerprint")
    members = labels | {"duration": duration, "fingerprint": fingerprint}
    words = (*labels.values(), duration, g.request_id)
    logger.info("%s %s %s in %s s [%s]", *words, extra={"members": members})
    response.headers["X-Request-ID"] = g.request_id
    return response


@bp.get("/metrics")
def show() -> Response:
    """Give the sums over all workers, those that have ended too."""
    registry = prometheus.REGISTRY
    if FOLDER:
        registry = prometheus.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, FOLDER)
    text = prometheus.generate_latest(registry)
    return Response(text, content_type=prometheus.CONTENT_TYPE_LATEST)
