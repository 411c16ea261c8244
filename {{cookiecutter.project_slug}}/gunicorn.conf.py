"""How the service is served: `gunicorn` alone, started in this folder, reads it."""

import os
import socket
import sys
from pathlib import Path

wsgi_app = "app:app"

# One thread a sum, so that its last digits do not depend on the cores; the image sets the same.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

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
