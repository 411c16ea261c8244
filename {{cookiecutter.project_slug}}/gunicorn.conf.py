"""How the service is served: `gunicorn` alone, started in this folder, reads it.

What GUNICORN_CMD_ARGS says, such as "--graceful-timeout 60", overrules what stands here.
"""

import atexit
import contextlib
import gc
import itertools
import os
import re
import resource
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

import gevent

sys.path.insert(0, str(Path(__file__).parent))  # Apptainer starts in the folder of its user

from service import logs, settings
from service.worker import Log, Worker, end_early

wsgi_app = "app:app"

# Loading a model may take minutes, and until then process 1 of a container would not hear a stop.
end_early()

# LISTEN=0.0.0.0 opens the service to other machines, as the image does; without it only
# this machine may call.
port = settings.port()
listen = os.environ.get("LISTEN", "127.0.0.1")
try:
    socket.getaddrinfo(listen, port)
except OSError:
    sys.exit(f"LISTEN={listen!r} is no address: write 127.0.0.1, or 0.0.0.0 to let others call.")
bind = f"[{listen}]:{port}"

if os.environ.get("MODEL_PROCESSES") == "0":
    way_out = "make try takes it, for a debugger; here write a number such as 2."
    sys.exit(f"MODEL_PROCESSES=0 is not for Gunicorn: {way_out}")

# The model processes start once, before the port opens and the service processes fork.
preload_app = True

# Service processes, which do no more than HTTP. Two, because one goes on when the other ends, and
# answers more than most models can (benchmarks of the template).
workers = os.environ.get("WEB_CONCURRENCY") or 2
if not re.fullmatch("[1-9][0-9]{0,2}", str(workers)):
    said = f"WEB_CONCURRENCY={workers!r:.100}"
    sys.exit(f"{said} is no number of service processes: write one such as 2.")

worker_class, logger_class = Worker, Log  # of service/worker.py

# An open connection is an open file, and so is one to a model process.
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
files = min(max(soft, 30_000), hard)
resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
worker_connections = min(10_000, files // 3)
backlog = 4096

# An answer is sent at once, also one that is a file of the page.
sendfile = False

# Longer than proxies keep a connection (nginx and AWS 60 seconds, Traefik 90, Caddy 120), so that
# none sends a request into one that closes.
keepalive = 125

# Seconds. A service process that has not moved for so long hangs, and is replaced.
timeout = 60

# Longer than most predictions, shorter than the 10 seconds after which Docker kills.
graceful_timeout = 9

# The longest that Gunicorn can take. A longer request line is answered with 414, headers with 431.
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# Gunicorn itself reads FORWARDED_ALLOW_IPS: the addresses or networks, with commas between, of
# the proxies that are believed when they say in X-Forwarded-Proto that they were asked by https.

secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}

# No client says by a header SCRIPT_NAME or PATH_INFO under which address the service is.
forwarder_headers = ""

# Newer Gunicorns open a control socket in the home folder, which an image may not have.
control_socket_disable = True

# What Gunicorn says has the shape of all the rest.
errorlog = None
logconfig_dict = logs.CONFIG

# It may name a folder of another program, which this one neither writes into nor removes.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


def folder_for_counts() -> str:
    """Make the folder in which each service process counts in files of its own.

    GET /metrics adds them up. The folder goes with this process. Where none can be made, each
    counts for itself.
    """
    # Each by its name, or Python would write into it first to try it, which a full disk refuses.
    for parent in filter(None, (os.environ.get("TMPDIR"), "/dev/shm", "/tmp")):
        with contextlib.suppress(OSError):
            folder = tempfile.mkdtemp(prefix="service-", dir=parent)
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            return folder
    return ""


STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def hold_back_stops(how: int) -> None:
    """Hold back the signals that stop (SIG_BLOCK) or let them through (SIG_UNBLOCK).

    A process just forked has the handlers of the master, which would forget a stop: the master
    would wait for all of graceful_timeout, and kill.
    """
    signal.pthread_sigmask(how, STOPS)


def on_starting(server) -> None:
    """Stop with a sentence if the port is taken, which Gunicorn would retry in six lines.

    So too if service processes would run as another user than the model, who may not ask it.
    """
    if server.cfg.uid != os.geteuid():
        sys.exit("--user is not for this service: start it as that user, as the image does.")
    server.folder = folder_for_counts()
    os.register_at_fork(after_in_parent=lambda: hold_back_stops(signal.SIG_UNBLOCK))
    if server.cfg.bind != [bind] or "GUNICORN_PID" in os.environ:
        return  # another address, or the heir of a server that is there
    settings.stop_if_in_use(port)


def pre_fork(server, worker) -> None:
    """Hold back a stop until the service process listens to it, and give it a number.

    It is the lowest that no other has: whoever follows a process that has ended counts on in the
    files of that number, so that no count falls and no files pile up.
    """
    hold_back_stops(signal.SIG_BLOCK)
    taken = {other.number for other in server.WORKERS.values()}
    worker.number = next(number for number in itertools.count() if number not in taken)


# Bytes, enough for every label that there is: 5 methods, some 14 routes and 20 statuses.
SIZES = {"counter": 2**18, "histogram": 2**19}


def post_fork(server, worker) -> None:
    """Take a stop that comes before the worker listens to it; make its files of counts in full.

    Writing to an unallocated part of a memory-mapped file on a full disk kills a process (SIGBUS).
    """
    for stop in STOPS:
        signal.signal(stop, lambda *_: os._exit(0))  # it has accepted nothing yet
    hold_back_stops(signal.SIG_UNBLOCK)
    if not server.folder:
        return
    from prometheus_client import values

    os.environ["PROMETHEUS_MULTIPROC_DIR"] = server.folder
    paths = {Path(server.folder) / f"{kind}_{worker.number}.db": SIZES[kind] for kind in SIZES}
    values.ValueClass = values.MultiProcessValue(lambda: worker.number)
    try:
        for path, size in paths.items():
            if not path.exists():
                part = path.with_suffix(".part")
                part.write_bytes(bytes(size))
                part.replace(path)  # whole, since GET /metrics may read it at this moment
    except OSError as error:
        server.log.warning("This service process counts for itself alone: %s.", error)
        values.ValueClass = values.MutexValue
        for path in paths:
            for left in (path, path.with_suffix(".part")):
                left.unlink(missing_ok=True)


def post_request(worker, req, environ, resp) -> None:
    """Let other connections have their turn before the next request of this one."""
    gevent.sleep(0)


def when_ready(server) -> None:
    """Say where the service answers, and a request to try."""
    call = server.app.wsgi().extensions["page"].call(f"http://localhost:{port}/")
    gc.freeze()  # so that the service processes share what is in memory by now
    # A call of more characters would bury the other lines in a terminal.
    way = f" or type: {call}" if len(call) <= 1000 else ", which also shows the call"
    server.log.info("Open http://localhost:%s%s", port, way)
    if logs.IS_TERMINAL:  # closing it says SIGHUP, at which Gunicorn would only reload
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def worker_exit(server, worker) -> None:
    """End at once: what Python clears away at the end, it would clear away without gevent."""
    if os.getpid() != worker.pid:
        return  # it has ended already, and this is the master
    reason = sys.exc_info()[1]
    code = reason.code if isinstance(reason, SystemExit) else 1
    os._exit((code or 0) % 256)
