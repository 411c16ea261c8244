"""How many predictions run at once; what comes on top waits a moment, or is refused."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from flask import Blueprint, current_app
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import ServiceUnavailable

bp = Blueprint("capacity", __name__)

QUEUE = 100  # predictions that may wait
# Each that runs or waits holds one of the threads that gunicorn.conf.py gives a worker, of which
# half stay free for whoever asks for anything else.
MOST = int(os.environ.get("WORKER_THREADS", 600)) // 2
HOUR = 3600  # seconds


@bp.record_once
def prepare(state: BlueprintSetupState) -> None:
    """Count what is free, and stop the start where predictions could take every thread."""
    slots, free = state.app.config["CONCURRENCY"], state.app.extensions
    if state.app.config["WAIT"] > HOUR:
        sys.exit(f"MODEL_WAIT={state.app.config['WAIT']} is more than an hour: write seconds.")
    if slots > MOST:
        sys.exit(f"MODEL_CONCURRENCY={slots} is too many for the threads: at most {MOST}.")
    free["slots"] = BoundedSemaphore(slots)
    free["places"] = BoundedSemaphore(min(slots + QUEUE, MOST))


@contextmanager
def slot() -> Iterator[None]:
    """Let a prediction run in one of the slots, when its turn comes.

    :raise 503: if none gets free within MODEL_WAIT seconds, or too many wait for one
    """
    with hold("places"), hold("slots", current_app.config["WAIT"]):
        yield


@contextmanager
def hold(name: str, seconds: int = 0) -> Iterator[None]:
    """Hold one of the slots, or of the places for predictions that run or wait.

    :raise 503: if none gets free in that time
    """
    free, wait = current_app.extensions[name], current_app.config["WAIT"]
    if not free.acquire(timeout=seconds):
        reason = f"The service is busy with other predictions: ask again in {wait} seconds."
        raise ServiceUnavailable(reason, retry_after=wait)
    try:
        yield
    finally:
        free.release()
