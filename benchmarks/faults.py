"""What the service does when things go wrong: each fault is made for real, under load.

`.venv/bin/python benchmarks/faults.py` renders the project, puts a model into it that waits,
computes or allocates as it is told, and writes the table of benchmarks/README.md. A time is the
worst of 30 requests, in the best of 3 rounds, since whatever else the machine does only adds.
"""

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).parents[1]
TABLE = TEMPLATE / "benchmarks/README.md"
# Which Python, and so which Gunicorn, serves
PYTHON = os.environ.get("SERVICE_PYTHON", sys.executable)
MODEL = """
import ctypes
import os
import time

from pydantic import BaseModel, Field


class Input(BaseModel):
    wait: float = Field(0, ge=0, description="Time to sleep, as compiled code does (s)")
    compute: float = Field(0, ge=0, description="Time to compute in pure Python (s)")
    hold: int = Field(0, ge=0, description="Time to hold the interpreter, as some C does (s)")
    allocate: int = Field(0, ge=0, description="Memory to fill (MB)")


class Output(BaseModel):
    worker: int


def predict(inputs: Input) -> Output:
    time.sleep(inputs.wait)
    ctypes.PyDLL(None).sleep(inputs.hold)
    end = time.monotonic() + inputs.compute
    while time.monotonic() < end:
        sum(range(1000))
    bytes(inputs.allocate * 1_000_000)
    return Output(worker=os.getpid())
"""
# The clock of the master and its workers leaps by a day, forth and back, ten times a second.
LEAP = """
def load():
    real = time.time
    time.time = lambda: real() + 86400 * (int(time.monotonic() * 10) % 3 - 1)
"""
ROUNDS = 3
HTTP = "HTTP/1.1\r\nHost: localhost\r\n"


@dataclass
class Service:
    """A started service, and what its callers were told."""

    process: subprocess.Popen
    port: int
    told: Counter = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    def get(self, path: str, timeout: float = 60) -> tuple[int, float]:
        """The status of an answer (0 if the connection broke) and how long it took in seconds."""
        start = time.monotonic()
        try:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            connection.request("GET", path)
            status = connection.getresponse().status
            connection.close()
        except ConnectionRefusedError:
            status = -1
        except (OSError, HTTPException):
            status = 0
        self.told[status] += 1
        return status, time.monotonic() - start

    def worst(self, path: str = "/healthz") -> float:
        """The longest that an answer takes (s)."""
        rounds = []
        for _ in range(ROUNDS):
            answers = [self.get(path) for _ in range(30)]
            assert {status for status, _ in answers} == {200}, answers
            rounds.append(max(seconds for _, seconds in answers))
        return min(rounds)

    def open(self, text: str = "") -> socket.socket:
        """A connection on which the text was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(text.encode())
        return connection

    def workers(self) -> set[int]:
        """The process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return set(map(int, children.read_text().split()))

    def memory(self) -> float:
        """What the largest worker holds (MB)."""
        found = [Path(f"/proc/{pid}/status").read_text() for pid in self.workers()]
        return max(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1000 for text in found)

    @contextlib.contextmanager
    def load(self, path: str, clients: int) -> Iterator[None]:
        """Clients that call again and again."""
        done = threading.Event()

        def call() -> None:
            while not done.is_set():
                self.get(path)

        with ThreadPoolExecutor(clients) as pool:
            for _ in range(clients):
                pool.submit(call)
            time.sleep(0.5)
            try:
                yield
            finally:
                done.set()


@contextlib.contextmanager
def serve(model: str = MODEL, limit: tuple | None = None, **variables: str) -> Iterator[Service]:
    """Start the project with a model, with two workers, and perhaps a limit of the system."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        project = Path(
            cookiecutter(str(TEMPLATE), no_input=True, output_dir=folder, accept_hooks=False)
        )
        shutil.rmtree(project / "model/examples")
        (project / "model/__init__.py").write_text(model)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        chosen = {"PORT": str(port), "WEB_CONCURRENCY": "2", "MODEL_CHECK": "false"} | variables
        process = subprocess.Popen(
            [PYTHON, "-m", "gunicorn"],
            cwd=project,
            env=os.environ | chosen,
            stdout=subprocess.PIPE,  # a file would be under the limit too
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=(lambda: resource.setrlimit(*limit)) if limit else None,
        )
        service = Service(process, port)
        reader = threading.Thread(target=lambda: service.said.extend(process.stdout))
        reader.start()
        try:
            wait_until(lambda: service.get("/healthz")[0] == 200)
            wait_until(lambda: len(service.workers()) == int(chosen["WEB_CONCURRENCY"]))
            service.told.clear()
            yield service
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()
            reader.join()


def wait_until(happened: Callable[[], bool], seconds: float = 30) -> float:
    """Poll, and say how long it took (s)."""
    start = time.monotonic()
    while not happened():
        assert time.monotonic() < start + seconds, "it never happened"
        time.sleep(0.02)
    return time.monotonic() - start


def together(service: Service, path: str, clients: int) -> Counter:
    """Call at once, and count the statuses."""
    with ThreadPoolExecutor(clients) as pool:
        return Counter(status for status, _ in pool.map(service.get, [path] * clients))


def slow_clients(arguments: str = "") -> tuple[bool, str]:
    """200 connections that say nothing, and 200 that stop within their headers, on one worker"""
    with serve(GUNICORN_CMD_ARGS=arguments, WEB_CONCURRENCY="1") as service:
        before, memory = service.worst("/api"), service.memory()
        silent = [service.open() for _ in range(200)]
        stuck = [service.open(f"GET /api {HTTP}Accept: ") for _ in range(200)]
        time.sleep(1)
        status, first = service.get("/api", timeout=10)
        if status != 200:
            return False, "another client waits for more than 10 s"
        after, more = max(first, service.worst("/api")), service.memory() - memory
        del silent, stuck
    figures = f"{milliseconds(before)} before, {milliseconds(after)} with them"
    return after - before < 0.1, f"another client's answer takes {figures}; {more:.0f} MB a worker"


def few_threads() -> tuple[bool, str]:
    """The same with `threads = 4`, for comparison"""
    served, told = slow_clients("--threads 4")
    return not served, told


def waiting_predictions() -> tuple[bool, str]:
    """Every slot runs code that releases the interpreter, and others wait"""
    with serve() as service, service.load("/api?wait=1", 40):
        worst = service.worst()
    return worst < 0.1, f"`/healthz` within {milliseconds(worst)}"


def computing_predictions() -> tuple[bool, str]:
    """Every slot computes in pure Python, and others wait"""
    with serve() as service, service.load("/api?compute=1", 40):
        worst = service.worst()
    return worst < 0.5, f"`/healthz` within {milliseconds(worst)}"


def held_interpreter() -> tuple[bool, str]:
    """A prediction holds the interpreter of its worker for 40 s"""
    with serve() as service:
        before = service.workers()
        status, seconds = service.get("/api?hold=40")
        kept = status == 200 and service.workers() == before
    return kept, f"it is answered after {seconds:.0f} s, the worker goes on"


def too_many_predictions() -> tuple[bool, str]:
    """300 predictions of 2 s at once"""
    with serve() as service:
        told = together(service, "/api?wait=2", 300)
        ready = service.get("/readyz")[0]
    answered = told[200] >= 16 and told[200] + told[503] == 300
    return answered and ready == 200, f"{told[200]} answered, {told[503]} asked to come back (503)"


def killed_worker() -> tuple[bool, str]:
    """A worker is killed (SIGKILL), as the system does when memory runs out"""
    with serve() as service:
        before = service.workers()
        with service.load("/api?wait=0.2", 8):
            os.kill(min(before), signal.SIGKILL)
            replaced = wait_until(lambda: len(service.workers() - before) == 1)
            time.sleep(1)
        told = service.told
        healthy = together(service, "/api", 20) == {200: 20}
    kept = healthy and 0 <= told[0] <= 8 and not told[-1] and not told[500]
    figures = f"{told[200]} answered, {told[0]} lost with the worker"
    return kept, f"{figures}, replaced after {milliseconds(replaced)}"


def out_of_memory() -> tuple[bool, str]:
    """Predictions ask for more memory than the process may have (`ulimit -v`)"""
    with serve(limit=(resource.RLIMIT_AS, (2**33, 2**33))) as service:
        before = service.workers()
        with service.load("/api?wait=0.05", 8):
            greedy = together(service, "/api?allocate=100000", 8)
        told = service.told
        same = service.workers() == before
    kept = greedy == {500: 8} and told[500] == 8 and not told[0] and same
    return kept, f"these are answered with 500, {told[200]} others with 200, no worker ends"


def stopped() -> tuple[bool, str]:
    """SIGTERM while 16 predictions of 1 s run or wait"""
    # As many as one worker alone would end within MODEL_WAIT, if the kernel gave it all of them.
    with serve() as service, ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(service.get, "/api?wait=1") for _ in range(16)]
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        told = Counter(call.result()[0] for call in calls)
        code = service.process.wait(timeout=20)
    return told == {200: 16} and code == 0, f"{told[200]} answered, then exit code {code}"


def reloaded() -> tuple[bool, str]:
    """SIGHUP (a reload) twice, under load"""
    with serve() as service:
        with service.load("/api?wait=0.1", 8):
            for _ in range(2):
                before = service.workers()
                service.process.send_signal(signal.SIGHUP)
                wait_until(lambda seen=before: not service.workers() & seen)
            time.sleep(0.5)
        told = service.told
    return set(told) == {200}, f"{told[200]} answered, {told.total() - told[200]} lost"


def vanishing_clients() -> tuple[bool, str]:
    """400 clients go away: in the headers, in the body, during the prediction"""
    body = f"POST /api {HTTP}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    with serve() as service:
        with service.load("/api", 4):
            for text in (f"GET /api {HTTP}", body, f"GET /api?wait=0.1 {HTTP}\r\n", body) * 100:
                service.open(text).close()
        told = service.told
        wait_until(lambda: service.get("/api")[0] == 200)
    kept = set(told) == {200} and not re.search(r"ERROR|Traceback", "".join(service.said))
    return kept, f"{told[200]} others answered, none lost; no error in the log"


def kept_connections() -> tuple[bool, str]:
    """1,000 connections kept alive, on one worker"""
    with serve(WEB_CONCURRENCY="1") as service:
        before = service.worst("/api")
        kept = [HTTPConnection("127.0.0.1", service.port, timeout=30) for _ in range(1000)]
        answered = sum(map(asked, kept))
        after = service.worst("/api")
        again = sum(map(asked, kept))
    figures = f"{answered} and again {again} answered; another client's answer takes"
    kept_well = answered == again == 1000 and after - before < 0.1
    return kept_well, f"{figures} {milliseconds(before)} before, {milliseconds(after)} with them"


def asked(connection: HTTPConnection) -> bool:
    """Whether a connection, opened only the first time, brings an answer."""
    connection.request("GET", "/api")
    response = connection.getresponse()
    response.read()
    connection.auto_open = False
    return response.status == 200


def full_disk() -> tuple[bool, str]:
    """No file can be written (`ulimit -f 0`)"""
    with serve(limit=(resource.RLIMIT_FSIZE, (0, 0))) as service:
        headers = f"{HTTP}Content-Type: application/json\r\nContent-Length: 5000000\r\n"
        connection = service.open(f"POST /api {headers}Connection: close\r\n\r\n")
        connection.sendall(b'{"wait": 0}'.ljust(5_000_000))
        status = int(connection.recv(12)[9:])
        answered = together(service, "/api", 50)
    return status == 200 and answered == {200: 50}, "a body of 5 MB and 50 links are answered"


def leaping_clock() -> tuple[bool, str]:
    """The clock leaps by a day, forth and back, for 5 s (`time.time` is replaced)"""
    with serve(MODEL + LEAP) as service:
        before = service.workers()
        with service.load("/api?wait=0.05", 8):
            time.sleep(5)
        told = service.told
        same = service.workers() == before
    return set(told) == {200} and same, f"{told[200]} answered, none lost; no worker ends"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


FAULTS = [
    slow_clients,
    few_threads,
    waiting_predictions,
    computing_predictions,
    held_interpreter,
    too_many_predictions,
    kept_connections,
    vanishing_clients,
    killed_worker,
    out_of_memory,
    full_disk,
    leaping_clock,
    reloaded,
    stopped,
]


def main() -> None:
    """Make every fault, and write the table unless the service failed one."""
    lines = ["| fault | what happens |", "| --- | --- |"]
    failed = []
    for fault in FAULTS:
        held, told = fault()
        lines.append(f"| {fault.__doc__} | {told} |")
        print(lines[-1], "" if held else "  <-- FAILED", flush=True)
        failed += [] if held else [fault.__name__]
    if failed:
        sys.exit(f"The service did not stand {', '.join(failed)}.")
    start, end = "<!-- faults: written by faults.py -->\n", "<!-- end of faults -->"
    before, _, rest = TABLE.read_text("utf-8").partition(start)
    after = rest.partition(end)[2]
    TABLE.write_text(before + start + "\n" + "\n".join(lines) + "\n\n" + end + after, "utf-8")


if __name__ == "__main__":
    main()
