"""GET /metrics: how much the service and its model have done, in the format of Prometheus."""

import os
import platform
from pathlib import Path

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from service.citation import CITATION

bp = Blueprint("metrics", __name__)

# Where gunicorn.conf.py has its workers count, each in files of its own; else this is None.
FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
# All that the routes, methods and statuses can ever fill.
SIZES = {"counter": 2**14, "gauge_livesum": 2**14, "gauge_max": 2**14, "histogram": 2**19}  # bytes

slot = "start"  # names the files of this process; each worker enters a slot of its own


def reserve(slot: str) -> None:
    """Make the files of a slot, in full: who maps a hole of a file dies when the disk is full.

    :raise OSError: if it is full already
    """
    for kind, size in SIZES.items():
        path = Path(FOLDER, f"{kind}_{slot}.db")
        try:
            with path.open("ab") as file:
                file.write(bytes(max(0, size - file.tell())))
        except OSError:
            path.unlink(missing_ok=True)  # a part of one would stop GET /metrics
            raise


def enter(free: str) -> None:
    """Let this process, a new worker, carry on the counts of the slot."""
    global slot
    slot = free
    RUNNING.set(0)  # those of the last worker ended with it


if FOLDER:
    reserve(slot)
    values.ValueClass = values.MultiProcessValue(lambda: slot)

DURATION = Histogram(
    "http_request_duration_seconds",
    "Time from a request to its answer (s)",
    ["method", "route", "status"],
    buckets=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
)
RUNNING = Gauge("http_requests_running", "Requests not yet answered", multiprocess_mode="livesum")
PREDICTIONS = Counter("model_predictions", "Inputs that the model has answered, batches' too")
ROWS = Counter("model_batch_rows", "Rows of batches: answered, refused or failed", ["outcome"])
LOADING = Gauge("model_load_seconds", "Time that load() took (s)", multiprocess_mode="max")
ABOUT = {"version": str(CITATION["version"]), "python": platform.python_version()}
Gauge("service_info", "What runs", list(ABOUT), multiprocess_mode="max").labels(**ABOUT).set(1)


@bp.get("/metrics")
def show() -> Response:
    """Give the sums over all workers, those that have ended too."""
    registry = REGISTRY
    if FOLDER:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, FOLDER)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
