"""Starts a project as it is served, with faults and callers of all kinds around it."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).parents[1]
# Which Python, and so which Gunicorn, serves
PYTHON = os.environ.get("SERVICE_PYTHON", sys.executable)
MODEL = """
import contextlib
import ctypes
import os
import time

from pydantic import BaseModel, Field


class Input(BaseModel):
    wait: float = Field(0, ge=0, description="Time to sleep, as compiled code does (s)")
    compute: float = Field(0, ge=0, description="Time to compute in pure Python (s)")
    hold: int = Field(0, ge=0, description="Time to hold the interpreter, as some C does (s)")
    deaf: float = Field(0, ge=0, description="Time for which nothing interrupts it (s)")
    allocate: int = Field(0, ge=0, description="Memory to fill (MB)")
    answer: int = Field(0, ge=0, description="Length of the answer (MB)")


class Output(BaseModel):
    process: int
    text: str


def predict(inputs: Input) -> Output:
    time.sleep(inputs.wait)
    ctypes.PyDLL(None).sleep(inputs.hold)
    end = time.monotonic() + inputs.compute
    while time.monotonic() < end:
        sum(range(1000))
    end = time.monotonic() + inputs.deaf
    while time.monotonic() < end:
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(1)
    bytes(inputs.allocate * 1_000_000)
    return Output(process=os.getpid(), text="x" * (inputs.answer * 1_000_000))
"""
# Somebody else: opens a connection for each of two requests every 50 ms, until its input ends.
OTHERS = """
import http.client
import select
import sys
import time

waits = {path: [] for path in ("/healthz", sys.argv[2])}
while not select.select([sys.stdin], [], [], 0.05)[0]:
    for path in waits:
        start = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
        connection.request("GET", path)
        assert connection.getresponse().status == 200, path
        connection.close()
        waits[path].append(time.monotonic() - start)
print(*map(max, waits.values()))
"""
ROUNDS = 3
BUSY = float(os.environ.get("BUSY", 1))  # how much more time all may take on a machine at work
PATIENCE = 0.2 * BUSY  # seconds for which others may wait, in the best of the rounds
BRIEF = 0.1 * BUSY  # seconds within which one answer comes


@dataclass
class Service:
    """A started service, and what its callers were told."""

    process: subprocess.Popen
    port: int
    told: Counter = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    is_heard: threading.Event = field(default_factory=threading.Event)  # whether the log is read

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

    def post(self, path: str, body: bytes, kind: str) -> tuple[int, int, float]:
        """The status of an answer to a body, its length in bytes and how long it took (s)."""
        start = time.monotonic()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        length = len(answer.read())
        connection.close()
        return answer.status, length, time.monotonic() - start

    def worst(self, path: str = "/healthz") -> float:
        """The longest that an answer takes (s)."""
        rounds = []
        for _ in range(ROUNDS):
            answers = [self.get(path) for _ in range(30)]
            assert {status for status, _ in answers} == {200}, answers
            rounds.append(max(seconds for _, seconds in answers))
        return min(rounds)

    def answering(self) -> set[int]:
        """The model processes that answer, of two."""
        with ThreadPoolExecutor(2) as pool:
            return set(pool.map(self.process_of, ["/api?wait=0.05"] * 2))

    def process_of(self, path: str) -> int:
        """The process that answers a prediction."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        found = json.loads(connection.getresponse().read())["process"]
        connection.close()
        return found

    def open(self, text: str = "") -> socket.socket:
        """A connection on which the text was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(text.encode())
        return connection

    def listen(self) -> None:
        """Read the log."""
        self.is_heard.wait()
        self.said.extend(self.process.stdout)

    @contextlib.contextmanager
    def others(self, path: str = "/api") -> Iterator[list[float]]:
        """Somebody else who calls meanwhile; then the list has the longest waits (s)."""
        command = [sys.executable, "-c", OTHERS, str(self.port), path]
        process, waits = subprocess.Popen(command, stdin=-1, stdout=-1, text=True), []
        yield waits
        waits += map(float, process.communicate()[0].split())
        assert waits, "others got no answer"

    def services(self) -> set[int]:
        """The process ids of the service processes."""
        return set(below(self.process.pid, "gunicorn"))

    def keeper(self) -> int:
        """The process id of the keeper."""
        (keeper,) = below(self.process.pid, "service.keeper")
        return keeper

    def models(self) -> set[int]:
        """The process ids of the model processes."""
        return set(below(self.process.pid, "service.runner"))

    def memory(self) -> float:
        """The memory of the largest service process (MB)."""
        return max(memory(pid, "VmRSS") for pid in self.services())

    def peaks(self) -> dict[int, float]:
        """The most memory that each process has taken so far (MB)."""
        return {pid: memory(pid, "VmHWM") for pid in self.services() | self.models()}

    def computed(self) -> float:
        """The CPU time that all processes have taken so far (s)."""
        texts = [Path(f"/proc/{pid}/stat").read_text() for pid in self.services() | self.models()]
        ticks = [int(time) for text in texts for time in text.rpartition(")")[2].split()[11:13]]
        return sum(ticks) / os.sysconf("SC_CLK_TCK")

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


def memory(process: int, kind: str) -> float:
    """The memory of a process (MB): VmRSS is what it has, VmHWM the most that it has had."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.search(rf"{kind}:\s+(\d+)", text)[1]) * 1024 / 1_000_000


def below(process: int, name: str = "") -> list[int]:
    """The processes that descend from a process, those with this name in their command line."""
    started: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            started.setdefault(int(parent), []).append(int(folder.name))
    found = [process]
    for one in found:
        found += started.get(one, [])
    return [one for one in found[1:] if name in command_line(one)]


def command_line(process: object) -> str:
    """The command line of a process; nothing once it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_text()
    return ""


@contextlib.contextmanager
def serve(
    limit: Callable | None = None,
    model: str = MODEL,
    within: Iterable[str] = (),
    is_heard: bool = True,
    **variables: str,
) -> Iterator[Service]:
    """Start the project with the model, two processes of each kind, and perhaps a limit.

    It starts within another command. It may be that nobody reads its log until is_heard is set.
    """
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        project = Path(
            cookiecutter(str(TEMPLATE), no_input=True, output_dir=folder, accept_hooks=False)
        )
        shutil.rmtree(project / "model/examples")
        (project / "model/__init__.py").write_text(model)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        counts = {"WEB_CONCURRENCY": "2", "MODEL_PROCESSES": "2"}
        chosen = {"PORT": str(port), "MODEL_CHECK": "false"} | counts | variables
        process = subprocess.Popen(
            [*within, PYTHON, "-m", "gunicorn"],
            cwd=project,
            env=os.environ | chosen,
            stdout=subprocess.PIPE,  # a file would be under the limit too
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=limit,
        )
        service = Service(process, port)
        reader = threading.Thread(target=service.listen)
        reader.start()
        if is_heard:
            service.is_heard.set()
        try:
            wait_until(lambda: service.get("/healthz")[0] == 200)
            wait_until(lambda: len(service.services()) == int(chosen["WEB_CONCURRENCY"]))
            wait_until(lambda: len(service.models()) == 2)
            service.told.clear()
            yield service
        finally:
            service.is_heard.set()
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


def best(round_of: Callable[[], tuple[list[float], object]]) -> tuple[list[float], object]:
    """Repeat while others wait for too long, since whatever else the machine does only adds.

    A round gives how long others wait (s) and its other figures.
    """
    rounds = []
    while len(rounds) < ROUNDS and not (rounds and max(rounds[-1][0]) < PATIENCE):
        rounds.append(round_of())
    return min(rounds, key=lambda found: max(found[0]))


def milliseconds(*seconds: float) -> str:
    """Times as people read them."""
    return " and ".join(f"{one * 1000:.0f} ms" for one in seconds)
