"""What the service does when things go wrong: each fault is made for real, under load.

`.venv/bin/python benchmarks/faults.py` renders the project, puts a model into it that waits,
computes or allocates as it is told, and writes the table of benchmarks/README.md. A time is the
worst of 30 requests, in the best of 3 rounds, since whatever else the machine does only adds.
`.venv/bin/python benchmarks/faults.py idle_clients` makes that fault alone, and writes nothing.
"""

import contextlib
import json
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
from collections.abc import Callable, Iterable, Iterator
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
# Models for bodies that cost much: lists of numbers and of files, and 300 fields
LISTS = """
from pydantic import BaseModel


class Input(BaseModel):
    numbers: list[float] = []
    files: list[bytes] = []


class Output(BaseModel):
    count: int


def predict(inputs: Input) -> Output:
    return Output(count=len(inputs.numbers))
"""
FIELDS = """
from pydantic import BaseModel, create_model

Input = create_model("Input", **{f"f{number}": (float, ...) for number in range(300)})


class Output(BaseModel):
    count: int


def predict(inputs: Input) -> Output:
    return Output(count=300)
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
# Python itself runs this in each process: its clock leaps by a day, forth and back, ten times a
# second.
LEAP = """
import time

real = time.time
time.time = lambda: real() + 86400 * (int(time.monotonic() * 10) % 3 - 1)
"""
ROUNDS = 3
HTTP = "HTTP/1.1\r\nHost: localhost\r\n"
JSON, CSV, FORM = "application/json", "text/csv", "multipart/form-data; boundary=b"
UPLOAD = f"POST /api {HTTP}Content-Type: application/json\r\nContent-Length: 9900000\r\n\r\n"
# A user of no other process, who may read what root may
SOMEBODY = ["setpriv", f"--reuid={60_000 + os.getpid() % 5_000}", "--clear-groups"]
SOMEBODY += [f"--{which}-caps=-all,+dac_override" for which in ("inh", "ambient")]
# A shell that changes what is mounted for itself alone, and then becomes the command behind it
ALONE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
TINY = 'mount -t tmpfs -o size=4k tmpfs /dev/shm; exec "$@"'
READ_ONLY = """
while read -r _ folder _; do mount -o remount,bind,ro "$folder" || true; done < /proc/self/mounts
mount -t tmpfs tmpfs "$PROMETHEUS_MULTIPROC_DIR"; touch "$PROMETHEUS_MULTIPROC_DIR/mine"
exec "$@"
"""
PART = '--b\r\nContent-Disposition: form-data; name="a"'  # of a form
BUSY = float(os.environ.get("BUSY", 1))  # how much more time all may take on a machine at work
PATIENCE = 0.2 * BUSY  # seconds for which others may wait, in the best of 3 rounds
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
        return children(self.process.pid, "gunicorn")

    def keeper(self) -> int:
        """The process id of the keeper."""
        (keeper,) = children(self.process.pid, "service.keeper")
        return keeper

    def models(self) -> set[int]:
        """The process ids of the model processes."""
        return children(self.keeper(), "service.runner")

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


def children(process: int, name: str) -> set[int]:
    """The processes that a process has started, those with this name in their command line."""
    found: set[int] = set()
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            found.update(map(int, thread.read_text().split()))
    return {child for child in found if name in command_line(child)}


def command_line(process: int) -> str:
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


def slow_clients(arguments: str = "") -> tuple[bool, str]:
    """200 connections that say nothing, and 200 that stop within their headers, on one process"""
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
    return after - before < BRIEF, f"another client's answer takes {figures}; {more:.0f} MB more"


def besieged(
    siege: Callable[[Service, list], None],
    limit: Callable | None = None,
    settles: bool = False,
    within: Iterable[str] = (),
) -> tuple[bool, str]:
    """Let clients besiege the service, and measure what others see meanwhile and for 3 s after."""
    best, told = float("inf"), ""
    for _ in range(ROUNDS):
        with serve(limit, within=within) as service:
            before, clients = service.services(), []
            if settles:
                siege(service, clients)
            with service.others() as waits:
                if not settles:
                    siege(service, clients)
                time.sleep(3)
            kept, memory = service.services() == before, service.memory()
            for client in clients:
                client.close()
        assert kept, "a process ended"
        if max(waits) < best:
            best = max(waits)
            figures = " and ".join(map(milliseconds, waits))
            told = f"others wait {figures} at most; a service process holds {memory:.0f} MB"
        if best < PATIENCE:
            break
    return best < PATIENCE and memory < 450, told


def half_headers() -> tuple[bool, str]:
    """1,300 clients stop within their headers"""
    return besieged(lambda service, clients: opened(service, clients, 1300, f"GET / {HTTP}A"))


def half_bodies() -> tuple[bool, str]:
    """1,300 clients stop at the start of their bodies, 500 a second"""
    return besieged(lambda service, clients: opened(service, clients, 1300, UPLOAD, 0.002))


def near_whole_bodies() -> tuple[bool, str]:
    """150 clients stop shortly before the end of a body of 9.9 MB"""

    def siege(service: Service, clients: list) -> None:
        for _ in range(150):
            clients.append(service.open(UPLOAD))
            with contextlib.suppress(ConnectionError):  # it may have to leave
                clients[-1].sendall(b" " * 9_800_000)

    return besieged(siege, settles=True)


def idle_clients() -> tuple[bool, str]:
    """5,000 clients connect and say nothing"""
    return besieged(lambda service, clients: opened(service, clients, 5000))


def arriving_clients() -> tuple[bool, str]:
    """500 clients a second connect and say nothing, for 20 s"""
    return besieged(lambda service, clients: opened(service, clients, 10_000, pause=0.002))


def few_files() -> tuple[bool, str]:
    """1,500 clients connect and say nothing, where 256 files may be open (`ulimit -n 256`)"""
    few = limited(resource.RLIMIT_NOFILE, 256)
    return besieged(lambda service, clients: opened(service, clients, 1500), few)


def few_processes() -> tuple[bool, str]:
    """20 ask for predictions and 100 for `/readyz`, where 64 threads may run (`ulimit -u 64`)"""
    if os.geteuid() != 0:  # then all else that this user runs would count too
        return True, "not tried, since only root can start it as a user of its own"

    def siege(service: Service, _: list) -> None:
        for path, clients in (("/api?wait=0.005", 20), ("/readyz", 100)) * 5:
            assert set(together(service, path, clients)) <= {200, 503}

    return besieged(siege, limited(resource.RLIMIT_NPROC, 64), within=SOMEBODY)


def limited(what: int, value: int) -> Callable:
    """Give the function that sets a limit in a process about to start."""
    return lambda: resource.setrlimit(what, (value, value))


def deaf_clients() -> tuple[bool, str]:
    """1,250 clients read nothing of an answer of 9 MB"""
    text = f"GET /api?answer=9 {HTTP}\r\n"

    def siege(service: Service, clients: list) -> None:
        opened(service, clients, 1250, text, pause=0.04)
        wait_until(lambda: service.get("/api")[1] < BRIEF, 60)  # by when all are computed

    return besieged(siege, settles=True)


def long_answers() -> tuple[bool, str]:
    """Clients get answers of 50 MB, on one process: JSON, JSON with kept members, CSV"""
    asked = [("/api", b'{"answer": 50}', JSON), ("/api/batch", b"answer\n50\n", CSV)]
    asked += [("/api/batch?keep=a", b'[{"answer": 50, "a": 1}]', JSON)]
    best, told = float("inf"), ""
    for _ in range(ROUNDS):
        with serve(WEB_CONCURRENCY="1") as service:
            with service.others() as waits:
                time.sleep(1)
                answers = [service.post(*one) for one in asked * 2]
            assert all(answer[0] == 200 and answer[1] > 50_000_000 for answer in answers), answers
        if max(waits) < best:
            best = max(waits)
            told = f"others wait {' and '.join(map(milliseconds, waits))} at most"
        if best < PATIENCE:
            break
    return best < PATIENCE, told


def unclosed_connections() -> tuple[bool, str]:
    """60 clients ask for `Connection: close`, and keep theirs open"""
    text = f"GET /api {HTTP}Connection: close\r\n\r\n"
    return besieged(lambda service, clients: opened(service, clients, 60, text))


def opened(service: Service, clients: list, count: int, text: str = "", pause: float = 0) -> None:
    """Open connections with little room for what comes, and send a text on each."""
    start = time.monotonic()
    for number in range(count):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", service.port))
        client.sendall(text.encode())
        clients.append(client)
        time.sleep(max(0, start + number * pause - time.monotonic()))


def broken_bodies() -> tuple[bool, str]:
    """500 requests that need no body have a broken one (`Transfer-Encoding: chunked`, `ZZ`)"""
    with serve() as service:
        answers = Counter()
        for _ in range(500):
            with service.open(
                f"GET /healthz {HTTP}Transfer-Encoding: chunked\r\n\r\nZZ\r\n"
            ) as one:
                one.shutdown(socket.SHUT_WR)
                answers[one.makefile("rb").read().count(b"HTTP/1.1")] += 1
    return answers == {1: 500}, f"{answers[1]} have one answer each"


def costly(title: str, name: str, make: Callable, kind: str, longest: float = 64) -> Callable:
    """Make the fault that four clients at once send a body that costs much, at most of 10 MB.

    Their answers may have so many kilobytes.
    """
    path = "/api" if "array" not in title and kind != CSV else "/api/batch"
    path += "?keep=5" * ("is kept" in title or "keeps" in title)
    model = FIELDS if "300 fields" in title else LISTS
    link = "/api?" + "&".join(f"f{n}=1" for n in range(300)) if model is FIELDS else "/api"

    def fault() -> tuple[bool, str]:
        body, best, told = make().encode(), float("inf"), ""
        for _ in range(ROUNDS):
            with serve(model=model) as service:
                before, used = service.peaks(), service.computed()
                with service.others(link) as waits, ThreadPoolExecutor(4) as pool:
                    time.sleep(1)
                    calls = [pool.submit(service.post, path, body, kind) for _ in range(4)]
                    answers = [call.result() for call in calls]
                after, used = service.peaks(), (service.computed() - used) / 4
            assert after.keys() == before.keys(), "a process ended"
            if max(waits) < best:
                best = max(waits)
                growth = 1 + max(0, *(after[process] - before[process] for process in after))
                statuses, lengths, times = map(set, zip(*answers, strict=True))
                told = f"{' or '.join(map(str, sorted(statuses)))} in {max(lengths) / 1000:.1f} kB"
                told += f" after {max(times):.1f} s, of which {used:.1f} s are computed for each"
                told += f"; others wait {' and '.join(map(milliseconds, waits))} at most"
                told += f"; a process grows by {growth:.0f} MB at most"
            if best < PATIENCE:
                break
        small = max(lengths) <= longest * 1000 and growth < 25 * max(*lengths, len(body)) / 1e6
        is_one = len(statuses - {503}) == 1  # some may be asked to come back
        return best < PATIENCE and small and used < 2 * BUSY and is_one, told

    fault.request = path, make, kind
    fault.__doc__, fault.__name__ = f"Four clients at once send {title}", name
    return fault


def many(text: str, count: int) -> str:
    """A text so many times, with commas between."""
    return ",".join([text] * count)


COSTLY = [
    costly(
        "an object with 870,000 unknown names",
        "unknown_names",
        lambda: "{" + ",".join(f'"{number}":1' for number in range(870_000)) + "}",
        JSON,
    ),
    costly(
        "a list of numbers that has 3,200,000 empty texts",
        "empty_texts",
        lambda: '{"numbers":[' + many('""', 3_200_000) + "]}",
        JSON,
    ),
    costly(
        "a list of files that has 4,900,000 numbers",
        "numbers_for_files",
        lambda: '{"files":[' + many("1", 4_900_000) + "]}",
        JSON,
    ),
    costly(
        "an array of 10,000 empty objects, where 300 fields are required",
        "empty_rows",
        lambda: "[" + many("{}", 10_000) + "]",
        JSON,
        10_000,
    ),
    costly(
        "an array of 3,300,000 empty arrays",
        "empty_arrays",
        lambda: "[" + many("[]", 3_300_000) + "]",
        JSON,
    ),
    costly(
        "an array of four objects with 200,000 names, of which one is kept",
        "kept_members",
        lambda: "[" + many("{" + ",".join(f'"{n}":1' for n in range(200_000)) + "}", 4) + "]",
        JSON,
    ),
    costly(
        "an array of one object that keeps 4,800,000 numbers",
        "kept_numbers",
        lambda: '[{"5":[' + many("1", 4_800_000) + "]}]",
        JSON,
        10_000,
    ),
    costly(
        "a table with 4,900,000 names in its header",
        "long_header",
        lambda: many("a", 4_900_000),
        CSV,
    ),
    costly(
        "a table of 4,900,000 lines",
        "many_lines",
        lambda: "numbers\n" + "1\n" * 4_900_000,
        CSV,
    ),
    costly(
        "a form of 180,000 parts",
        "many_parts",
        lambda: (PART + "\r\n\r\n\r\n") * 180_000,
        FORM,
    ),
    costly(
        "a form whose one part has headers of 9 MB",
        "long_part_header",
        lambda: "--b\r\n" + "A: b\r\n" * 1_500_000,
        FORM,
    ),
    costly(
        "a form whose one part has 1,800,000 parameters",
        "many_parameters",
        lambda: PART + "; a=b" * 1_800_000 + "\r\n\r\n",
        FORM,
    ),
]


def few_threads() -> tuple[bool, str]:
    """The same with `--worker-class gthread --threads 4`, for comparison"""
    served, told = slow_clients("--worker-class gthread --threads 4")
    return not served, told


def waiting_predictions() -> tuple[bool, str]:
    """Every model process sleeps, and others wait"""
    with serve() as service, service.load("/api?wait=1", 40):
        worst = service.worst()
    return worst < BRIEF, f"`/healthz` within {milliseconds(worst)}"


def computing_predictions() -> tuple[bool, str]:
    """Every model process computes in pure Python, and others wait"""
    with serve() as service, service.load("/api?compute=1", 40):
        worst = service.worst()
    return worst < BRIEF, f"`/healthz` within {milliseconds(worst)}"


def held_interpreter() -> tuple[bool, str]:
    """A prediction holds the interpreter of its process for 40 s"""
    with serve() as service, ThreadPoolExecutor(1) as pool:
        services, models = service.services(), service.models()
        call = pool.submit(service.get, "/api?hold=40")
        time.sleep(1)
        worst = service.worst()
        status, seconds = call.result()
        kept = status == 200 and service.services() == services and service.models() == models
    told = f"`/healthz` within {milliseconds(worst)}; it is answered after {seconds:.0f} s"
    return kept and worst < BRIEF, f"{told}, no process ends"


def endless_prediction() -> tuple[bool, str]:
    """A prediction takes longer than `MODEL_TIMEOUT=2`, and nothing interrupts it"""
    with serve(MODEL_TIMEOUT="2") as service:
        before = service.models()
        status, seconds = service.get("/api?deaf=1000")
        replaced = wait_until(lambda: len(service.models() - before) == 1)
        healthy = together(service, "/api", 20) == {200: 20}
        kept = len(service.models() & before) == 1
    told = f"504 after {seconds:.1f} s, the process replaced {milliseconds(replaced)} later"
    return status == 504 and seconds < 5 * BUSY and kept and healthy, told


def too_many_predictions() -> tuple[bool, str]:
    """300 predictions of 2 s at once"""
    with serve() as service:
        told = together(service, "/api?wait=2", 300)
        ready = service.get("/readyz")[0]
    # Of two at a time, three pairs begin within the 5 s that they may wait.
    answered = told[200] >= 6 and told[200] + told[503] == 300
    return answered and ready == 200, f"{told[200]} answered, {told[503]} asked to come back (503)"


def killed_service() -> tuple[bool, str]:
    """A service process is killed (SIGKILL)"""
    with serve() as service:
        before, models = service.services(), service.models()
        with service.load("/api?wait=0.2", 8):
            os.kill(min(before), signal.SIGKILL)
            replaced = wait_until(lambda: len(service.services() - before) == 1)
            time.sleep(1)
        told = service.told
        healthy = together(service, "/api", 20) == {200: 20} and service.models() == models
    kept = healthy and set(told) <= {200, 0} and told[0] <= 8
    figures = f"{told[200]} answered, {told[0]} lost with it"
    return kept, f"{figures}, replaced after {milliseconds(replaced)}"


def killed_model() -> tuple[bool, str]:
    """A model process is killed (SIGKILL), as the system does when memory runs out"""
    with serve() as service:
        before = service.models()
        with service.load("/api?wait=0.2", 8):
            os.kill(min(before), signal.SIGKILL)
            replaced = wait_until(lambda: len(service.models() - before) == 1)
            time.sleep(1)
        told = service.told
        healthy = len(service.answering()) == 2
    kept = healthy and set(told) <= {200, 500} and told[500] <= 1
    figures = f"{told[200]} answered, {told[500]} with 500"
    return kept, f"{figures}, replaced after {milliseconds(replaced)}"


def killed_keeper() -> tuple[bool, str]:
    """The keeper of the model processes is killed (SIGKILL)"""
    with serve() as service:
        models = service.models()
        with service.load("/api?wait=0.2", 8):
            os.kill(service.keeper(), signal.SIGKILL)
            ended = wait_until(lambda: service.process.poll() is not None)
        code, told = service.process.returncode, service.told
        wait_until(lambda: not any("service.runner" in command_line(pid) for pid in models), 3)
    # Docker and the like start it anew, and must see that it has failed.
    told = f"the service ends after {milliseconds(ended)} with exit code {code}"
    return code > 0 and ended < 10, f"{told}, and leaves no process behind"


def killed_master() -> tuple[bool, str]:
    """The process of Gunicorn that has started all others is killed (SIGKILL)"""
    with serve() as service:
        started = service.services() | service.models() | {service.keeper()}
        models = service.models()
        with service.load("/api?wait=0.2", 8):
            service.process.kill()
            ended = wait_until(lambda: not any(map(command_line, models)), 10)
        left = wait_until(lambda: not any(map(command_line, started)), 10) + ended
    told = f"the model processes end after {milliseconds(ended)}"
    return ended < 2 * BUSY, f"{told}, the last other process after {milliseconds(left)}"


def unread_log() -> tuple[bool, str]:
    """Nobody reads the log, a pipe, during 2,000 requests"""
    with serve(is_heard=False) as service:
        statuses = {service.get("/api")[0] for _ in range(1910)}
        worst = service.worst("/api")
        service.is_heard.set()
        # Each service process says how many lines it has lost.
        wait_until(lambda: service.get("/api")[0] == 200 and len(lost_lines(service)) == 2)
        lost = sum(lost_lines(service))
        wait_until(lambda: lost + "".join(service.said).count('"/api"') >= service.told[200])
    told = f"all are answered, the last 90 within {milliseconds(worst)}"
    return statuses == {200} and worst < PATIENCE, f"{told}; {lost} lines are lost, and counted"


def lost_lines(service: Service) -> list[int]:
    """How many lines each process has lost, as the log says."""
    return list(map(int, re.findall(r'"(\d+) lines of the log', "".join(service.said))))


def out_of_memory() -> tuple[bool, str]:
    """Predictions ask for more memory than the process may have (`ulimit -v`)"""
    with serve(limited(resource.RLIMIT_AS, 2**33)) as service:
        before = service.services() | service.models()
        with service.load("/api?wait=0.05", 8):
            greedy = together(service, "/api?allocate=100000", 8)
        told = service.told
        same = service.services() | service.models() == before
    kept = greedy == {500: 8} and told[500] == 8 and set(told) == {200, 500} and same
    return kept, f"these are answered with 500, {told[200]} others with 200, no process ends"


def stopped() -> tuple[bool, str]:
    """SIGTERM while 8 predictions of 1 s run or wait"""
    with serve() as service, ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(service.get, "/api?wait=1") for _ in range(8)]
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        told = Counter(call.result()[0] for call in calls)
        code = service.process.wait(timeout=20)
    return told == {200: 8} and code == 0, f"{told[200]} answered, then exit code {code}"


def reloaded() -> tuple[bool, str]:
    """SIGHUP (a reload) twice, under load"""
    with serve() as service:
        models = service.models()
        with service.load("/api?wait=0.1", 8):
            for _ in range(2):
                before = service.services()
                service.process.send_signal(signal.SIGHUP)
                wait_until(lambda seen=before: not service.services() & seen)
            time.sleep(0.5)
        told, same = service.told, service.models() == models
    return set(told) == {200} and same, f"{told[200]} answered, {told.total() - told[200]} lost"


def vanishing_clients() -> tuple[bool, str]:
    """404 clients go away: in the headers, in the body, during the prediction"""
    body = f"POST /api {HTTP}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    with serve() as service:
        with service.load("/api", 4):
            for text in (f"GET /api {HTTP}", body, f"GET /api?wait=0.1 {HTTP}\r\n", body) * 100:
                service.open(text).close()
            for _ in range(4):  # longer than they are waited for
                service.open(f"GET /api?wait=30 {HTTP}\r\n").close()
            time.sleep(5)
        told = service.told
        wait_until(lambda: service.get("/api")[0] == 200, 1)
    kept = set(told) == {200} and not re.search(r"ERROR|Traceback", "".join(service.said))
    return kept, f"{told[200]} others answered, none lost; no error in the log"


def kept_connections() -> tuple[bool, str]:
    """1,000 connections kept alive, on one service process"""
    with serve(WEB_CONCURRENCY="1") as service:
        before = service.worst("/api")
        kept = [HTTPConnection("127.0.0.1", service.port, timeout=30) for _ in range(1000)]
        answered = sum(map(asked, kept))
        after = service.worst("/api")
        again = sum(map(asked, kept))
    figures = f"{answered} and again {again} answered; another client's answer takes"
    kept_well = answered == again == 1000 and after - before < BRIEF
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
    with serve(limited(resource.RLIMIT_FSIZE, 0)) as service:
        headers = f"{HTTP}Content-Type: application/json\r\nContent-Length: 5000000\r\n"
        connection = service.open(f"POST /api {headers}Connection: close\r\n\r\n")
        connection.sendall(b'{"wait": 0}'.ljust(5_000_000))
        status = int(connection.recv(12)[9:])
        answered = together(service, "/api", 50)
    return status == 200 and answered == {200: 50}, "a body of 5 MB and 50 links are answered"


def small_memory_folder() -> tuple[bool, str]:
    """Temporary files go to `/dev/shm`, which holds 4 kB"""
    return confined(TINY, TMPDIR="/dev/shm")


def no_folder() -> tuple[bool, str]:
    """No folder can be written to, but one of the user's, where counts of other programs may be"""
    with tempfile.TemporaryDirectory() as folder:
        return confined(READ_ONLY, PROMETHEUS_MULTIPROC_DIR=folder)


def confined(mounts: str, **variables: str) -> tuple[bool, str]:
    """Serve where a shell has changed what is mounted."""
    if subprocess.run([*ALONE, "mount -t tmpfs tmpfs /mnt"], stderr=subprocess.DEVNULL).returncode:
        return True, "not tried, since this system lets nobody mount"
    with serve(within=[*ALONE, mounts, "sh"], **variables) as service:
        before = service.services() | service.models()
        answered = together(service, "/api", 50) + together(service, "/metrics", 4)
        posted = service.post("/api", b'{"wait": 0}'.ljust(5_000_000), JSON)[0]
        os.kill(min(service.models()), signal.SIGKILL)
        wait_until(lambda: len((service.services() | service.models()) & before) == 3)
        wait_until(lambda: len(service.answering()) == 2)
        own = variables.get("PROMETHEUS_MULTIPROC_DIR", "")
        kept = not own or Path(f"/proc/{service.process.pid}/root{own}/mine").exists()
    held = answered == {200: 54} and posted == 200 and kept
    held = held and not re.search("Traceback|SIGBUS", "".join(service.said))
    told = "a body of 5 MB, 50 links and `/metrics` are answered, a model process is replaced"
    return held, told + "; the user's files stay" * bool(own)


def leaping_clock() -> tuple[bool, str]:
    """The clock leaps by a day, forth and back, for 5 s (`time.time` is replaced)"""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sitecustomize.py").write_text(LEAP)
        with serve(PYTHONPATH=folder) as service:
            before = service.services() | service.models()
            with service.load("/api?wait=0.05", 8):
                time.sleep(5)
            told = service.told
            same = service.services() | service.models() == before
    return set(told) == {200} and same, f"{told[200]} answered, none lost; no process ends"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


FAULTS = [
    slow_clients,
    few_threads,
    half_headers,
    half_bodies,
    near_whole_bodies,
    idle_clients,
    arriving_clients,
    few_files,
    few_processes,
    deaf_clients,
    long_answers,
    unclosed_connections,
    *COSTLY,
    broken_bodies,
    waiting_predictions,
    computing_predictions,
    held_interpreter,
    endless_prediction,
    too_many_predictions,
    kept_connections,
    vanishing_clients,
    killed_service,
    killed_model,
    killed_keeper,
    killed_master,
    out_of_memory,
    full_disk,
    small_memory_folder,
    no_folder,
    unread_log,
    leaping_clock,
    reloaded,
    stopped,
]


def main() -> None:
    """Make every fault, and write the table unless the service failed one; or make some alone."""
    lines = ["| fault | what happens |", "| --- | --- |"]
    failed, chosen = [], sys.argv[1:]
    for fault in [fault for fault in FAULTS if not chosen or fault.__name__ in chosen]:
        held, told = fault()
        lines.append(f"| {fault.__doc__} | {told} |")
        print(lines[-1], "" if held else "  <-- FAILED", flush=True)
        failed += [] if held else [fault.__name__]
    if failed:
        sys.exit(f"The service did not stand {', '.join(failed)}.")
    if chosen:
        return
    start, end = "<!-- faults: written by faults.py -->\n", "<!-- end of faults -->"
    before, _, rest = TABLE.read_text("utf-8").partition(start)
    after = rest.partition(end)[2]
    TABLE.write_text(before + start + "\n" + "\n".join(lines) + "\n\n" + end + after, "utf-8")


if __name__ == "__main__":
    main()
