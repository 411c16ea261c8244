"""How the service is served: `gunicorn` alone, started in this folder, reads it."""

import atexit
import itertools
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

wsgi_app = "app:app"

# LISTEN=0.0.0.0 opens the service to other machines, as the image does; without it only
# this machine may call.
port = os.environ.get("PORT", "{{ cookiecutter.port }}")
if not (port.isdecimal() and int(port) < 65536):
    sys.exit(f"PORT={port!r} is no port: write a number such as {{ cookiecutter.port }}.")
bind = f"{os.environ.get('LISTEN', '127.0.0.1')}:{port}"

# The model is loaded once, before the workers fork, so that they share its memory and a
# model that does not load stops the start.
preload_app = True

# Threads let a health check or a short request pass while a long one runs.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = 4

# The longest request line that Gunicorn can take, so that what is too long for the model is
# refused with a reason; beyond it Gunicorn itself answers 414.
limit_request_line = 8190

# Longer than most predictions, shorter than the 10 seconds after which Docker kills.
graceful_timeout = 9

# The workers' heartbeat must not wait for a disk; macOS has no /dev/shm.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None

# Newer Gunicorns open a control socket in the home folder, which an image may not have.
control_socket_disable = True

# Nothing of its own: service/logs.py writes what Gunicorn says, in the shape of all the rest.
errorlog = None


def on_starting(server) -> None:
    """Say in a sentence that the port is taken, which Gunicorn would retry in six lines."""
    try:
        socket.create_connection(("localhost", int(port)), timeout=1).close()
    except OSError:
        return  # nothing answers there: the port is free
    culprit = "the AirPlay Receiver or another program" if sys.platform == "darwin" else "a program"
    sys.exit(f"Port {port} is in use by {culprit}: stop it, or choose PORT={int(port) + 1}.")


def when_ready(server) -> None:
    """Say where the service answers, and a request to try."""
    from service.pages import call

    with server.app.wsgi().test_request_context(base_url=f"http://localhost:{port}"):
        server.log.info("Open http://localhost:%s or type: %s", port, call())


# Each worker counts in files of its own, and GET /metrics adds them up. A new worker carries on
# the files of a dead one: no count falls, and no files pile up. Their folder belongs to this
# start alone, though a reload reads these lines again, and goes with the process that made it.
master, folder = os.getpid(), os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if not folder.endswith(f"-{master}"):
    folder = tempfile.mkdtemp(prefix="metrics-", suffix=f"-{master}")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    atexit.register(lambda: os.getpid() == master and shutil.rmtree(folder, ignore_errors=True))


def pre_fork(server, worker) -> None:
    """Give the worker the first slot that no other has; with no room for it, the master's."""
    from service import metrics

    taken = {other.slot for other in server.WORKERS.values()}
    worker.slot = next(slot for slot in map(str, itertools.count()) if slot not in taken)
    try:
        metrics.reserve(worker.slot)
    except OSError as error:
        server.log.warning("The metrics of a worker may be wrong: %s.", error)
        worker.slot = metrics.slot


def post_fork(server, worker) -> None:
    """Let the worker count in the files of its slot."""
    from service import metrics

    metrics.enter(worker.slot)


def child_exit(server, worker) -> None:
    """Forget the requests that the worker was at."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.slot)
