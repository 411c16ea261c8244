"""How the service is served: `gunicorn` alone, started in this folder, reads it.

What GUNICORN_CMD_ARGS says, such as "--graceful-timeout 60", overrules what stands here.
"""

import atexit
import contextlib
import itertools
import logging
import math
import os
import resource
import runpy
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

wsgi_app = "app:app"

# Loading a model may take minutes, and until then process 1 of a container would not hear a stop.
if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())

# LISTEN=0.0.0.0 opens the service to other machines, as the image does; without it only
# this machine may call.
port = os.environ.get("PORT", "{{ cookiecutter.port }}")
if not (port.isdecimal() and 0 < int(port) < 65536):
    sys.exit(f"PORT={port!r} is no port: write a number such as {{ cookiecutter.port }}.")
listen = os.environ.get("LISTEN", "127.0.0.1")
try:
    socket.getaddrinfo(listen, port)
except OSError:
    sys.exit(f"LISTEN={listen!r} is no address: write 127.0.0.1, or 0.0.0.0 to let others call.")
bind = f"[{listen}]:{port}"

# The model is loaded once, before the port opens and the workers fork, so that they share its
# memory. PRELOAD=false loads it in each worker, for libraries that do not survive a fork.
preload = os.environ.get("PRELOAD", "true")
if preload not in ("true", "false"):
    sys.exit(f"PRELOAD={preload!r} is neither true nor false.")
preload_app = preload == "true"


def workers_that_fit(root: Path, usable: int, existing: int) -> int:
    """One worker per core and 256 MiB that are ours; two where nothing limits us.

    Never one per core of the host, of which a container has a share. A worker of the square
    takes 40 MiB, the rest is for what predictions allocate; the model is in memory once.
    """
    shares = limits(root, "cpu.max") + limits(root, "cpu.cfs_quota_us", "cpu.cfs_period_us")
    cores = [share[0] / share[1] for share in shares if len(share) == 2 and min(share) > 0]
    cores += [usable] if usable < existing else []
    memory = limits(root, "memory.max") + limits(root, "memory.limit_in_bytes")
    return max(1, min([math.ceil(min(cores, default=2)), *(size // 2**28 for [size] in memory)]))


def threads_that_fit(root: Path, workers: int) -> int:
    """600 in each worker, or half of what the container may have: the model may want some too."""
    return max(8, min([600, *(most // workers // 2 for [most] in limits(root, "pids.max"))]))


def limits(root: Path, *names: str) -> list[list[int]]:
    """What each control group says in files of these names, where it says anything."""
    found = (numbers(*map(folder.joinpath, names)) for folder in control_groups(root))
    return list(filter(None, found))


def control_groups(root: Path) -> Iterator[Path]:
    """The folders that may limit this process: its control groups (v1 or v2) and those above."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return  # macOS has none
    for _, controllers, path in (line.split(":", 2) for line in lines):
        for tree in ("", *controllers.split(","), controllers):
            folder = root / "sys/fs/cgroup" / tree / path.lstrip("/")
            yield from (folder, *folder.parents)


def numbers(*paths: Path) -> list[int]:
    """The numbers in files; none if one is missing or says max."""
    try:
        return [int(word) for path in paths for word in path.read_text().split()]
    except (OSError, ValueError):
        return []


existing = os.cpu_count() or 1
usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else existing
workers = os.environ.get("WEB_CONCURRENCY") or workers_that_fit(Path("/"), usable, existing)
if not str(workers).isdecimal() or int(workers) < 1:
    sys.exit(f"WEB_CONCURRENCY={workers!r} is no number of workers: write one such as 2.")

# What a request that cannot be read is answered with; anything else in it, with 400.
REFUSED = {
    errors.ForbiddenProxyRequest: 403,
    errors.LimitRequestLine: 414,
    errors.ExpectationFailed: 417,
    errors.LimitRequestHeaders: 431,
    errors.UnsupportedTransferCoding: 501,
}


class Worker(ThreadWorker):
    """gthread, where the service itself refuses what is too long or no HTTP.

    So that such an answer is a problem document too, counted, and logged without its caller.
    """

    def handle_error(self, req, client, addr, exc) -> None:
        """Let the service answer in the words of Gunicorn, which then closes the connection."""
        if not isinstance(exc, errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        refused = {"service.refused": (REFUSED.get(type(exc), 400), f"{exc}.")}
        answer = self.wsgi.test_client().open("/unread", environ_overrides=refused, method="UNREAD")
        headers = [f"{name}: {value}\r\n" for name, value in answer.headers]
        head = "".join([f"HTTP/1.1 {answer.status}\r\n", *headers, "Connection: close\r\n\r\n"])
        with contextlib.suppress(OSError):  # who has gone away gets no answer
            client.sendall(head.encode("latin-1") + answer.data)


# A client that connects and says nothing, or says it slowly, holds a thread (50 KiB) and delays
# nobody: there are far more threads than predictions that may run (MODEL_CONCURRENCY). The asgi
# worker holds no thread for it, but as conda-forge ships it (25.1) it answers neither a long link
# nor Expect: 100-continue, breaks the connection after a 304, and takes 9 seconds for every stop.
worker_class = Worker
threads = threads_that_fit(Path("/"), int(workers))
os.environ["WORKER_THREADS"] = str(threads)

# An open connection is an open file, and a worker that has none left ends: it stops to accept
# before. The 1,024 that most systems begin with are too few for 1,000 clients.
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
files = min(max(soft, 4096), hard)
resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
worker_connections = min(files, 4096) * 3 // 4

# A kept connection costs no thread. Longer than proxies keep one (nginx and AWS 60 seconds,
# Traefik 90, Caddy 120), so that none sends a request into a connection that closes. Where one
# is open, Gunicorn before 27 takes the whole graceful_timeout to stop.
keepalive = 125

# Seconds. Only the model knows how long a prediction or a load may take, and code in C may hold
# the interpreter for all of it. A worker that has not moved for an hour hangs, and is replaced.
timeout = 3600

# Longer than most predictions, shorter than the 10 seconds after which Docker kills.
graceful_timeout = 9

# The longest that Gunicorn can take. A longer request line is answered with 414, headers with 431.
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# Gunicorn itself reads FORWARDED_ALLOW_IPS: the addresses or networks, with commas between, of
# the proxies that are believed when they say in X-Forwarded-Proto that they were asked by https.

# The workers' heartbeat must not wait for a disk; macOS has no /dev/shm.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None

# Newer Gunicorns open a control socket in the home folder, which an image may not have.
control_socket_disable = True

# What Gunicorn says has the shape of all the rest. The file is read by itself: PRELOAD=false
# keeps the model, and with it the service, out of this process.
errorlog = None
logconfig_dict = runpy.run_path(str(Path(__file__).parent / "service/logs.py"))["CONFIG"]
logging.captureWarnings(True)

# Each worker counts in files of its own, and GET /metrics adds them up. Their folder belongs to
# this start alone, though a reload reads these lines again, and goes with this process.
master, folder = os.getpid(), os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if not folder.endswith(f"-{master}"):
    # Each by its name, or Python would write into it first to try it, which a full disk refuses.
    for parent in (os.environ.get("TMPDIR"), worker_tmp_dir):
        with contextlib.suppress(OSError):
            folder = tempfile.mkdtemp(prefix="metrics-", suffix=f"-{master}", dir=parent or "/tmp")
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            break
    atexit.register(lambda: os.getpid() == master and shutil.rmtree(folder, ignore_errors=True))


STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def hold_back_stops(how: int) -> None:
    """Hold back the signals that stop (SIG_BLOCK) or let them through (SIG_UNBLOCK).

    A worker just born would take one for the master's and forget it: the master of a stop in the
    first moments would wait in vain, all of graceful_timeout, and kill.
    """
    signal.pthread_sigmask(how, STOPS)


def on_starting(server) -> None:
    """Say in a sentence that the port is taken, which Gunicorn would retry in six lines."""
    os.register_at_fork(after_in_parent=lambda: hold_back_stops(signal.SIG_UNBLOCK))
    try:
        socket.create_connection(("localhost", int(port)), timeout=1).close()
    except OSError:
        return  # nothing answers there: the port is free
    culprit = "the AirPlay Receiver or another program" if sys.platform == "darwin" else "a program"
    sys.exit(f"Port {port} is in use by {culprit}: stop it, or choose PORT={int(port) + 1}.")


def pre_fork(server, worker) -> None:
    """Give a worker the lowest number that no other has, and with it the files to count in.

    Whoever follows a worker that has ended counts on in its files: no count falls, none pile up.
    """
    hold_back_stops(signal.SIG_BLOCK)
    taken = {other.number for other in server.WORKERS.values()}
    worker.number = next(number for number in itertools.count() if number not in taken)


def post_fork(server, worker) -> None:
    """With PRELOAD=false, load now: what stops the start stops it, instead of being retried."""
    for stop in STOPS:
        signal.signal(stop, lambda *_: os._exit(0))  # it has accepted nothing yet
    hold_back_stops(signal.SIG_UNBLOCK)
    os.environ["WORKER_NUMBER"] = str(worker.number)
    if preload_app:
        return
    try:
        server.app.wsgi()
    except SystemExit as refusal:
        server.log.error(refusal)
        sys.exit(server.WORKER_BOOT_ERROR)


def child_exit(server, worker) -> None:
    """Forget the requests that were in flight in a worker, which nothing answers any more."""
    for path in Path(folder).glob(f"gauge_*_{worker.number}.db"):
        path.unlink()


def when_ready(server) -> None:
    """Say where the service answers, and a request to try."""
    if not preload_app:
        server.log.info("Open http://localhost:%s once the workers have loaded the model", port)
        return
    from service.pages import call

    with server.app.wsgi().test_request_context(base_url=f"http://localhost:{port}"):
        server.log.info("Open http://localhost:%s or type: %s", port, call())
