"""Each model process is an interpreter of its own, in which the model runs as in a script."""

import contextlib
import json
import os
import pty
import re
import resource
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import (
    PYTHON,
    below,
    clean_environment,
    command_line,
    free_port,
    missing,
    refused_start,
    swapped,
    wait_for,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

# This model runs the Python that it is given, and answers with what that calls `answer`.
RUNS = """
import ctypes, os, random, signal, sys, tempfile, threading, time
from pathlib import Path
from pydantic import BaseModel, Field, field_validator

class Input(BaseModel):
    value: str = Field(examples=["1"])

    @field_validator("value")
    def readable(cls, value):
        if value == "unreadable":
            raise TypeError("a fault of this validator")
        return value

class Output(BaseModel):
    answer: str

def predict(inputs: Input) -> Output:
    names = dict(globals())
    exec(inputs.value, names)
    return Output(answer=str(names.get("answer", os.getpid())))
"""
DECLINES = (
    RUNS
    + """
class Refusal(Exception):
    def __str__(self):
        return self.args[0]
"""
)
BATCH = RUNS + "def predict_batch(inputs):\n    return [predict(one) for one in inputs]\n"
TAKES_OUT = (
    RUNS
    + """
def predict_batch(inputs):
    for one in [one for one in inputs if "out" in one.value]:
        inputs.remove(one)
    return [predict(one) for one in inputs]
"""
)
BREAKS = RUNS + "if Path('broken').exists():\n    os._exit(7)\n"
FAILS_ONCE = f"""{RUNS}
if os.environ.get("FAILS") and not Path("tried").exists():
    Path("tried").touch()
    os._exit(7)
"""
TELLS = RUNS + "with Path('imported').open('a') as file:\n    print(os.getpid(), file=file)\n"
SCIENCE = f"""{RUNS}
import asyncio, decimal, sqlite3
from concurrent.futures import ThreadPoolExecutor
import numpy as np

POOL = ThreadPoolExecutor(2)
TICKS = []
SCRATCH = Path(tempfile.gettempdir(), "scratch")
decimal.getcontext().prec = 50
np.seterr(all="raise")
asyncio.set_event_loop(asyncio.new_event_loop())

def tick():
    while True:
        TICKS.append(None)
        time.sleep(0.01)

def ring(*_):
    raise TimeoutError

def load():
    global TABLE
    TABLE = sqlite3.connect(":memory:")
    list(POOL.map(time.sleep, [0.01, 0.01]))

threading.Thread(target=tick, daemon=True).start()
"""
WORKS = {
    "thread pool": ("answer = sum(POOL.map(int, '123'))", "6"),
    "thread": ("before = len(TICKS); time.sleep(0.1); answer = len(TICKS) > before", "True"),
    "decimal": ("answer = decimal.Decimal(1) / 3", "0." + 50 * "3"),
    "numpy": ("try: np.ones(1) / 0\nexcept FloatingPointError: answer = 'caught'", "caught"),
    "sqlite3": ("[(answer,)] = TABLE.execute('select 6 * 7')", "42"),
    "asyncio": (
        "answer = asyncio.get_event_loop().run_until_complete(asyncio.sleep(0, 'slept'))",
        "slept",
    ),
    "alarm": (
        "signal.signal(signal.SIGALRM, ring); signal.setitimer(signal.ITIMER_REAL, 0.1)\n"
        "try: time.sleep(5)\nexcept TimeoutError: answer = 'rang'",
        "rang",
    ),
}
SHARED = {
    "numpy's generator": "np.random.seed({}); draw = np.random.rand",
    "random's generator": "random.seed({}); draw = random.random",
    "scratch file": "SCRATCH.write_text('{}'); draw = SCRATCH.read_text",
}
DRAWS = "answer = [draw() for _ in range(20) if not time.sleep(0.005)]"
POOL = """
import multiprocessing
pool = multiprocessing.get_context("{}").Pool(2)
pool.apply_async(time.sleep, (60,))
answer = pool.apply(abs, (-6,))
"""
FACTS = """
import json
tables = [Path("/proc/self/net", name) for name in ("tcp", "tcp6")]
rows = [row.split() for table in tables if table.exists() for row in table.open()]
listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
files = {os.readlink(file) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()}
answer = json.dumps({
    "web modules": [name for name in ("flask", "gevent", "gunicorn") if name in sys.modules],
    "main thread": threading.current_thread() is threading.main_thread(),
    "SIGTERM": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
    "SIGINT": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "input": sys.stdin.read(),
    "listens": bool(files & listening),
    "folder": os.getcwd(),
})
"""
DEAF = "while True:\n    try: time.sleep(60)\n    except BaseException: continue\n"
LIBRARIES = {
    "numba": """
import numba, numpy as np

@numba.njit(parallel=True)
def halves(count):
    found = np.zeros(count)
    for number in numba.prange(count):
        found[number] = number / 2
    return found

def compute():
    return halves(10_000).sum()
""",
    "polars": """
import polars as pl
TABLE = pl.DataFrame({"kind": ["a", "b"] * 5000, "size": range(10_000)})

def compute():
    return TABLE.lazy().group_by("kind").agg(pl.col("size").mean()).sort("kind").collect().rows()
""",
    "joblib": """
from joblib import Parallel, delayed

def compute():
    return Parallel(n_jobs=2)(delayed(abs)(-number) for number in range(10))
""",
}


@pytest.fixture(scope="module")
def start(cookies_session, serve):
    """Serve a model; its recorded answer is a process id, so it is not checked."""

    def started(source: str, *command: str, **settings: str):
        project = swapped(cookies_session.bake().project_path, source)
        (project / "imported").unlink(missing_ok=True)  # `flask record` imports the model too
        return serve(project, *command, MODEL_CHECK="false", **settings)

    return started


def shared(source: str, **settings: str):
    """A fixture: one service for several tests."""

    @pytest.fixture(scope="module")
    def served(start):
        with start(source, **settings) as server:
            yield server

    return served


ONE = {"WEB_CONCURRENCY": "1", "MODEL_PROCESSES": "1"}
one = shared(RUNS, MODEL_TIMEOUT="1", **ONE)
two = shared(RUNS, WEB_CONCURRENCY="2", MODEL_PROCESSES="2", MODEL_TIMEOUT="1")
patient = shared(RUNS, MODEL_WAIT="1", **ONE)
science = shared(SCIENCE, WEB_CONCURRENCY="2", MODEL_PROCESSES="2")


CALLS: list[HTTPConnection] = []


@pytest.fixture(autouse=True)
def hang_up():
    """Close the connections that a test left open."""
    yield
    while CALLS:
        CALLS.pop().close()


def ask(server, code: str) -> HTTPResponse:
    return server.get(f"/api?value={quote(code)}")


def answer(server, code: str = "1") -> str:
    """What the code calls `answer`, else the id of the process that ran it."""
    response = ask(server, code)
    assert response.status == 200, response.body
    return json.loads(response.body)["answer"]


def at_once(server, codes: list[str]) -> list[str]:
    with ThreadPoolExecutor(len(codes)) as pool:
        return list(pool.map(lambda code: answer(server, code), codes))


def send(server, code: str) -> HTTPConnection:
    """Ask, and do not wait for the answer."""
    CALLS.append(HTTPConnection("127.0.0.1", server.port, timeout=20))
    CALLS[-1].request("GET", f"/api?value={quote(code)}")
    return CALLS[-1]


def post(server, code: str) -> HTTPConnection:
    """Ask with a body, and do not wait for the answer."""
    CALLS.append(HTTPConnection("127.0.0.1", server.port, timeout=20))
    headers = {"Content-Type": "application/json"}
    CALLS[-1].request("POST", "/api", json.dumps({"value": code}), headers)
    return CALLS[-1]


def status(call: HTTPConnection) -> int:
    """Wait for the answer."""
    with call.getresponse() as response:
        response.read()
        return response.status


def begin(server, code: str) -> HTTPConnection:
    """Ask, and wait until the model is at it."""
    mark = folder(server) / "begun"
    mark.unlink(missing_ok=True)
    call = send(server, f"Path({str(mark)!r}).touch()\n{code}")
    wait_for(mark, seconds=10)
    return call


def batch(server, codes: list[str]) -> list[dict]:
    CALLS.append(HTTPConnection("127.0.0.1", server.port, timeout=20))
    body = json.dumps([{"value": code} for code in codes])
    CALLS[-1].request("POST", "/api/batch", body, {"Content-Type": "application/json"})
    with CALLS[-1].getresponse() as response:
        assert response.status == 200
        return json.loads(response.read())


def log(server) -> list[dict]:
    """The lines of the log, each of which must be JSON."""
    text = server.log.read_bytes().decode("utf-8", "replace")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def logged(server, response: HTTPResponse, member: str) -> str:
    """What the log says in this member, in the lines of one request."""
    name = response.headers["X-Request-ID"]
    return "\n".join(line.get(member, "") for line in log(server) if line.get("request_id") == name)


def folder(server) -> Path:
    """The project that is served."""
    return Path(f"/proc/{server.process.pid}/cwd").readlink()


def runners(server, count: int) -> set[int]:
    """The model processes, as soon as so many answer."""
    wait_until(lambda: len(set(at_once(server, ["time.sleep(0.1)"] * count))) == count)
    found = set(below(server.process.pid, "service.runner"))
    assert len(found) == count
    return found


def wait_until(happened: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"it did not happen within {seconds} s"
        time.sleep(0.02)


def test_only_model_processes_import_the_model(start):
    with start(TELLS, MODEL_PROCESSES="2") as server:
        models = runners(server, 2)
        answering = {int(answer(server)) for _ in range(4)}
        imported = set(map(int, (folder(server) / "imported").read_text().split()))
        others = {server.process.pid, *below(server.process.pid)} - models
        assert below(server.process.pid, "service.keeper")
    assert answering <= models <= imported
    assert not imported & others


def test_a_model_process_is_an_interpreter_as_its_author_knows_it(two):
    assert json.loads(answer(two, FACTS)) == {
        "web modules": [],
        "main thread": True,
        "SIGTERM": True,
        "SIGINT": True,
        "input": "",
        "listens": False,
        "folder": str(folder(two)),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("whom", "stop", "is_busy"),
    [
        ("gunicorn", signal.SIGTERM, False),
        ("gunicorn", signal.SIGKILL, False),
        ("gunicorn", signal.SIGKILL, True),
        ("keeper", signal.SIGKILL, False),
    ],
)
def test_model_processes_end_with_the_service(start, whom, stop, is_busy):
    with start(RUNS, MODEL_PROCESSES="2") as server:
        models = runners(server, 2)
        if is_busy:
            begin(server, "time.sleep(60)")
        [keeper] = below(server.process.pid, "service.keeper")
        os.kill(keeper if whom == "keeper" else server.process.pid, stop)
        wait_until(lambda: not any("service.runner" in command_line(pid) for pid in models), 2)


@pytest.mark.parametrize(("code", "expected"), WORKS.values(), ids=WORKS)
def test_what_works_in_a_script_works_in_predict(science, code, expected):
    assert answer(science, code) == expected


@pytest.mark.parametrize("code", SHARED.values(), ids=SHARED)
def test_callers_at_once_get_what_each_gets_alone(science, code):
    codes = [f"{code.format(number)}; {DRAWS}" for number in range(8)]
    alone = [answer(science, code) for code in codes]
    assert len(set(alone)) == 8
    assert at_once(science, codes) == alone


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_left_early_answers_and_leaves_nothing_behind(start, method):
    with start(RUNS) as server:
        project = folder(server)
        assert answer(server, POOL.format(method)) == "6"
        before = below(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not any(map(command_line, before)) and not working_in(project), 3)
        with socket.socket() as port:
            port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port.bind(("127.0.0.1", server.port))  # fails where another still listens


def working_in(project: Path) -> list[str]:
    """The processes with this working folder, whoever their parent is."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found += [process.name] if (process / "cwd").readlink() == project else []
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("sys.exit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class Halt(BaseException): pass\nraise Halt", "Halt"),
        ("Output(answer=7)", "ValidationError: 1 validation error for Output answer Input should"),
    ],
)
def test_an_exception_of_any_kind_costs_one_answer_and_no_process(one, code, name):
    before = answer(one)
    response = ask(one, code)
    assert response.status == 500
    wait_until(lambda: "Traceback" in logged(one, response, "traceback"))
    assert re.search(rf"The model failed: ([\w.]+\.)?{name}", logged(one, response, "message"))
    assert answer(one) == before


@pytest.mark.slow
def test_of_a_long_exception_the_log_has_the_beginning_and_the_end(one):
    response = ask(one, "raise ValueError('first' + 'x\\n' * 1_000_000 + 'last')")
    assert response.status == 500
    wait_until(lambda: logged(one, response, "traceback"))
    found = logged(one, response, "traceback")
    assert (
        "ValueError: firstx" in found and found.strip().endswith("x\nlast") and len(found) < 25_000
    )


@pytest.mark.slow
def test_a_refusal_without_words_costs_no_process(start):
    with start(DECLINES, **ONE) as server:
        before = answer(server)
        assert [ask(server, f"raise Refusal({words})").status for words in ("'no'", "", "5")] == [
            422,
            500,
            500,
        ]
        assert answer(server) == before


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("os._exit(5)", r"\b5\b"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),  # as the kernel does without memory
        ("os.kill(os.getpid(), 40)", "40"),  # a real-time signal, which has no name
    ],
)
def test_a_process_that_ends_costs_its_own_answer_alone_and_is_replaced(two, code, how):
    before = runners(two, 2)
    other = begin(two, "time.sleep(0.5)")
    response = ask(two, code)
    assert response.status == 500
    assert re.search(how, json.loads(response.body)["detail"])
    assert status(other) == 200
    assert len(runners(two, 2) & before) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("sys.exit(3)", 500),
        ("os._exit(5)", 500),
        ("os.kill(os.getpid(), signal.SIGKILL)", 500),
        ("time.sleep(3600)", 504),
        ("unreadable", 500),
    ],
)
def test_a_bad_row_costs_no_other_row_its_answer(two, code, status):
    rows = batch(two, ["answer = 1", "answer = 2", code, "answer = 4", "answer = 5"])
    assert (rows[2]["status"], rows[2]["row"]) == (status, 3)
    assert [row.get("answer") for row in rows] == ["1", "2", None, "4", "5"]


@pytest.mark.slow
def test_where_predict_batch_raises_each_row_is_tried_alone(start):
    with start(BATCH, MODEL_PROCESSES="1") as server:
        rows = batch(server, ["answer = 1", "1 / 0", "answer = 3"])
    assert (rows[1]["status"], rows[1]["row"]) == (500, 2)
    assert [row.get("answer") for row in rows] == ["1", None, "3"]


@pytest.mark.slow
def test_a_predict_batch_that_takes_rows_out_of_its_list_costs_no_answer(start):
    codes = ["answer = 1", "answer = 'out'", "answer = 3"]
    with start(TAKES_OUT, MODEL_PROCESSES="1") as server:
        assert [row["answer"] for row in batch(server, codes)] == ["1", "out", "3"]
        CALLS.append(HTTPConnection("127.0.0.1", server.port, timeout=20))
        table = "\n".join(["value", *codes])
        CALLS[-1].request("POST", "/api/batch", table, {"Content-Type": "text/csv"})
        with CALLS[-1].getresponse() as answered:
            assert answered.read().split() == [b"answer,error", b"1,", b"out,", b"3,"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    ["while True: pass", "time.sleep(3600)", "while True: print('still at it')", DEAF],
    ids=["computes", "sleeps", "prints", "is deaf"],
)
def test_a_prediction_without_end_is_interrupted_and_killed_if_deaf_to_it(one, code):
    before = answer(one)
    begun = time.monotonic()
    response = ask(one, code)
    assert response.status == 504
    assert time.monotonic() - begun < 4
    assert "MODEL_TIMEOUT" in json.loads(response.body)["detail"]
    assert answer(one) != before  # what it was changing may be half done


@pytest.mark.slow
def test_a_caller_who_goes_away_frees_the_model(patient):
    begin(patient, "time.sleep(60)").close()
    wait_until(lambda: ask(patient, "1").status == 200, 5)


HALF = """
table = vars(sys).setdefault("table", [])
for number in range(10 if not table else 0):
    time.sleep(0.1)
    table.append(number)
answer = sum(table)
"""


@pytest.mark.slow
def test_what_an_interrupted_prediction_leaves_half_done_changes_no_answer(patient):
    begin(patient, HALF).close()
    found = []
    wait_until(lambda: found.append(ask(patient, HALF)) or found[-1].status == 200, 8)
    assert json.loads(found[-1].body) == {"answer": "45"}


@pytest.mark.slow
def test_a_caller_who_goes_away_behind_a_byte_that_nobody_reads_frees_the_model(patient):
    call = begin(patient, "time.sleep(60)")
    call.sock.sendall(b"G")
    call.close()
    wait_until(lambda: ask(patient, "1").status == 200, 5)


@pytest.mark.slow
def test_a_batch_of_a_caller_who_has_gone_away_is_not_run_to_its_end(patient):
    mark = folder(patient) / "rows"
    code = f"Path({str(mark)!r}).open('a').write('.'); time.sleep(0.2)"
    call = HTTPConnection("127.0.0.1", patient.port, timeout=20)
    body = json.dumps([{"value": code}] * 40)
    call.request("POST", "/api/batch", body, {"Content-Type": "application/json"})
    wait_for(mark, seconds=10)
    call.sock.sendall(b"G")
    call.close()
    wait_until(lambda: ask(patient, "1").status == 200, 8)
    assert len(mark.read_text()) < 20


def address(server, place: int) -> bytes:
    """The address of a socket that the keeper is given: of the queue (0) or of the door (1)."""
    keeper = server.keeper()
    words = Path(f"/proc/{keeper}/cmdline").read_text().split("\0")
    number = words[words.index("service.keeper") + 1 + place]
    inode = Path(f"/proc/{keeper}/fd/{number}").readlink().name[len("socket:[") : -1]
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()]
    (name,) = {row[7] for row in rows if row[6] == inode}
    return name.replace("@", "\0", 1).encode()


@pytest.mark.slow
@pytest.mark.parametrize("data", [b"", b"p", b"p\0\0\0\0\0\x09{", b"p\0\0\xff\xff\xff\xff{"])
def test_half_a_request_keeps_no_model_process(start, data):
    with start(RUNS, **ONE) as server, socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(address(server, 0))
        stranger.sendall(data)
        time.sleep(0.3)
        wait_until(lambda: ask(server, "1").status == 200, 12)
        wait_until(lambda: stranger.recv(1) == b"", 12)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs a second user")
@pytest.mark.parametrize("place", [0, 1])
def test_no_other_user_can_ask_a_model_process_or_the_keeper(one, place):
    name = address(one, place)
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(2)
        os.seteuid(65534)
        try:
            stranger.connect(name)
            with contextlib.suppress(BrokenPipeError):
                stranger.sendall(b"p\0\0\0\0\0\0")  # which a model process would answer
        finally:
            os.seteuid(0)
        with contextlib.suppress(ConnectionError):
            assert stranger.recv(1) == b""
    before = answer(one)
    assert answer(one) == before


@pytest.mark.slow
def test_half_a_question_keeps_no_thread_of_the_keeper(one):
    for data in (b"", b"s", b"s\0\0\xff\xff\xff\xff{"):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(12)
            stranger.connect(address(one, 1))
            stranger.sendall(data)
            assert stranger.recv(1) == b""


@pytest.mark.slow
def test_a_keeper_that_stands_still_is_told(start):
    with start(RUNS, **ONE) as server:
        keeper = server.keeper()
        os.kill(keeper, signal.SIGSTOP)
        try:
            ready = server.get("/readyz")
            assert ready.status == 503
            assert "The keeper of the model processes does not answer" in ready.body.decode()
            assert b"model_processes 0.0" in server.get("/metrics").body
        finally:
            os.kill(keeper, signal.SIGCONT)
        wait_until(lambda: server.get("/readyz").status == 200)
        assert answer(server)


@pytest.mark.slow
def test_an_answer_that_is_lost_with_the_service_names_the_models_process(start):
    with start(RUNS, **ONE) as server:
        call = begin(server, "time.sleep(60)")
        server.process.kill()
        with contextlib.suppress(OSError, HTTPException):  # its service process ends too
            detail = json.loads(call.getresponse().read())["detail"]
            assert detail.startswith("The model's process ")


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_service_starts_also_without_standard_streams(start, tmp_path, closed):
    launcher = tmp_path / "launch.py"
    command = f"exec {PYTHON} -m gunicorn {closed}"
    launcher.write_text(f"import os\nos.execvp('sh', ['sh', '-c', {command!r}])\n")
    with start(RUNS, str(launcher), **ONE) as server:
        assert int(answer(server, "print('said')")) in server.models()
        assert server.get("/readyz").status == 200
        streams = [Path(f"/proc/{server.keeper()}/fd/{number}") for number in range(3)]
        assert not any("socket" in stream.readlink().name for stream in streams)


@pytest.mark.slow
def test_a_prediction_is_stopped_also_where_its_service_process_has_ended(one):
    begin(one, DEAF)
    (service,) = one.services()
    os.kill(service, signal.SIGKILL)
    wait_until(lambda: is_answered(one), 10)


def is_answered(server) -> bool:
    with contextlib.suppress(OSError, HTTPException):
        return ask(server, "1").status == 200
    return False


@pytest.mark.slow
def test_large_bodies_that_wait_are_bounded_in_bytes(start):
    with start(RUNS, MODEL_MAX_CONTENT_LENGTH="60000000", **ONE) as server:
        first = begin(server, "time.sleep(3)")
        large = [post(server, "1" + " " * 30_000_000) for _ in range(2)]
        begun = time.monotonic()
        assert sorted([status(large[0]), status(large[1]), status(first)]) == [200, 200, 503]
        assert time.monotonic() - begun > 1
        assert status(post(server, "1" + " " * 50_000_000)) == 200


READS = """
import time

from pydantic import BaseModel, Field, field_validator


class Input(BaseModel):
    value: str = Field(examples=["1"])

    @field_validator("value")
    @classmethod
    def read(cls, value: str) -> str:
        time.sleep(0.5 if len(value) > 100_000 else 0)
        return value


class Output(BaseModel):
    value: str


def predict(inputs: Input) -> Output:
    time.sleep(1 if inputs.value[0] == "p" else 0)
    return Output(value=inputs.value[0])
"""


@pytest.mark.slow
def test_a_short_request_never_waits_while_long_bodies_are_read(start):
    with start(READS, MODEL_PROCESSES="2") as server:
        long = [post(server, 200_000 * "r") for _ in range(4)]
        waits = []
        for _ in range(30):
            begun = time.monotonic()
            assert ask(server, "1").status == 200
            waits.append(time.monotonic() - begun)
            time.sleep(0.05)
        assert max(waits) < 0.4
        assert list(map(status, long)) == 4 * [200]
        begun = time.monotonic()
        long = [post(server, 200_000 * "p") for _ in range(2)]
        assert list(map(status, long)) == 2 * [200]
        # The one is read while the model answers the other.
        assert time.monotonic() - begun < 2.7


@pytest.mark.slow
def test_long_parts_of_a_batch_are_answered_by_all_processes_at_once(start):
    with start(RUNS, MODEL_PROCESSES="2") as server:
        call = HTTPConnection("127.0.0.1", server.port, timeout=20)
        rows = [{"value": f"time.sleep(0.2)  # {30_000 * 'x'}"}] * 200
        call.request("POST", "/api/batch", json.dumps(rows), {"Content-Type": "application/json"})
        busy = []
        for _ in range(20):
            time.sleep(0.2)
            busy.append(b"model_busy 2.0" in server.get("/metrics").body)
        call.close()
    assert sum(busy) > 15, busy


@pytest.mark.slow
def test_an_answer_may_come_with_the_news_that_a_long_body_has_been_read(start):
    with start(READS, MODEL_PROCESSES="2") as server:
        for _ in range(20):
            assert status(post(server, 100_000 * "r")) == 200
        rows = batch(server, [100_000 * "r", "", 100_000 * "r"])
        assert [row.get("value") for row in rows] == ["r", None, "r"]


@pytest.mark.slow
def test_of_too_many_callers_as_many_are_answered_as_can_be_and_the_others_in_time(patient):
    """A prediction begins at any moment of the wait of its caller, also at its end."""
    begun, seconds = time.monotonic(), 4
    answers: list[tuple[int, float]] = []

    def call(_: int) -> None:
        while (start := time.monotonic()) < begun + seconds:
            answers.append((ask(patient, "time.sleep(0.1)").status, time.monotonic() - start))

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(call, range(30)))
    found = [status for status, _ in answers]
    assert set(found) == {200, 503}
    assert found.count(200) > 0.6 * seconds / 0.1
    assert max(waited for _, waited in answers) < 3


@pytest.mark.slow
def test_the_wait_for_a_model_process_is_bounded(patient):
    first = begin(patient, "time.sleep(3)")
    begun = time.monotonic()
    second = ask(patient, "1")
    assert second.status == 503 and second.headers["Retry-After"].isdecimal()
    assert 0.8 < time.monotonic() - begun < 2
    assert status(first) == 200


@pytest.mark.slow
@pytest.mark.parametrize("code", ["time.sleep(2)", "ctypes.PyDLL(None).sleep(2)"])
def test_health_is_told_at_once_also_while_the_model_holds_its_interpreter(patient, code):
    call = begin(patient, code)
    waits = []
    for _ in range(20):
        begun = time.monotonic()
        assert patient.get("/healthz").status == 200
        waits.append(time.monotonic() - begun)
    assert patient.get("/readyz").status == 200
    assert not select.select([call.sock], [], [], 0)[0], "the model was at it no more"
    assert statistics.median(waits) < 0.05
    assert status(call) == 200


@pytest.mark.slow
@pytest.mark.parametrize("end", ["pass", "sys.exit(3)", "raise KeyError", "os.setsid()"])
def test_a_process_that_the_model_forks_answers_nobody(start, end):
    with start(RUNS, **ONE) as server:
        (model,) = runners(server, 1)
        for _ in range(3):
            assert int(answer(server, f"if not os.fork():\n    {end}\ntime.sleep(0.3)")) == model
        assert {int(answer(server)) for _ in range(20)} == {model}
        wait_until(lambda: below(server.process.pid, "service.runner") == [model])


@pytest.mark.slow
def test_a_process_that_the_model_has_left_holds_no_answer_back(start):
    with start(RUNS, **ONE) as server:
        left = "if not os.fork():\n    os.setsid()\n    time.sleep(9)\nelse:\n    os._exit(3)"
        begun = time.monotonic()
        response = ask(server, left)
        assert response.status == 500 and "exit code 3" in logged(server, response, "message")
        assert answer(server, "answer = 1") == "1" and time.monotonic() - begun < 6


@pytest.mark.slow
@pytest.mark.parametrize("stream", [1, 2])
def test_a_stream_that_the_model_closes_costs_no_other_request_its_answer(start, stream):
    with start(RUNS, **ONE) as server:
        answer(server, f"os.close({stream})")
        begun = time.monotonic()
        for number in range(3):
            assert answer(server, f"print({number}); answer = {number}") == str(number)
        assert time.monotonic() - begun < 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "left",
    [
        "import socket; socket.socket = None",
        "import _thread; threading.Timer(0.3, _thread.interrupt_main).start()",
        "signal.signal(signal.SIGALRM, lambda *_: sys.exit()); signal.setitimer(0, 0.3)",
    ],
)
def test_what_a_prediction_leaves_behind_costs_no_other_request_its_answer(start, left):
    with start(RUNS, **ONE) as server:
        for number in range(3):
            answer(server, left)
            time.sleep(0.3 * (number % 2))
            assert answer(server, f"answer = {number}") == str(number)


@pytest.mark.slow
def test_a_keeper_that_stands_still_stops_no_stop(start):
    with start(RUNS, **ONE) as server:
        models = below(server.process.pid, "service.runner")
        (keeper,) = below(server.process.pid, "service.keeper")
        os.kill(keeper, signal.SIGSTOP)
        server.process.terminate()
        server.process.wait(12)
        wait_until(lambda: not any(map(command_line, [keeper, *models])))


@pytest.mark.slow
def test_no_request_waits_while_a_model_process_is_free(start):
    with start(RUNS, WEB_CONCURRENCY="2", MODEL_PROCESSES="2") as server:
        models = runners(server, 2)
        for _ in range(50):
            begun = time.monotonic()
            assert set(map(int, at_once(server, ["time.sleep(1)"] * 2))) == models
            assert time.monotonic() - begun < 1.8


@pytest.mark.slow
@pytest.mark.parametrize("services", ["1", "2"])
def test_who_comes_first_is_served_first(start, services):
    with start(RUNS, WEB_CONCURRENCY=services, MODEL_PROCESSES="1") as server:
        calls = [begin(server, "time.sleep(0.5)")]
        for number in range(5):
            calls.append(send(server, f"Path('order').open('a').write('{number}')"))
            time.sleep(0.05)
        assert [status(call) for call in calls] == [200] * 6
        assert (folder(server) / "order").read_text() == "01234"


@pytest.mark.slow
def test_a_model_that_no_longer_loads_is_told_by_readyz_and_stops_the_next_start(start):
    with start(BREAKS, MODEL_PROCESSES="1") as server:
        project = folder(server)
        (project / "broken").touch()
        os.kill(int(answer(server)), signal.SIGKILL)

        def is_told() -> bool:
            response = server.get("/readyz")
            detail = json.loads(response.body).get("detail", "")
            return response.status == 503 and bool(re.search(r"\b7\b", detail))

        wait_until(is_told, 20)
        assert server.get("/healthz").status == 200
    said = refused_start(project)
    assert re.search(r"\b7\b", said) and "Traceback" not in said


def readiness(server) -> str:
    """Why no prediction is taken; nothing if one is."""
    response = server.get("/readyz")
    assert response.status in (200, 503)
    return json.loads(response.body).get("detail", "")


@pytest.mark.slow
def test_a_process_that_ends_while_it_loads_is_tried_again_also_at_the_start(start):
    with start(FAILS_ONCE, FAILS="yes", **ONE) as server:
        assert answer(server, "answer = 1") == "1"
        assert "ended with exit code 7 while it loaded. It is tried again" in server.log.read_text()


@pytest.mark.slow
def test_it_is_not_ready_as_long_as_no_more_may_wait(start):
    with start(RUNS, **ONE | {"MODEL_WAIT": "60"}) as server:
        call = begin(server, "time.sleep(8)")
        for _ in range(1_010):
            send(server, "1")
        time.sleep(2)
        assert "too many predictions wait" in readiness(server)
        assert status(call) == 200
        wait_until(lambda: not readiness(server))


@pytest.mark.slow
def test_no_process_runs_code_that_has_changed_since_the_start(start):
    with start(RUNS, **ONE) as server:
        face = folder(server) / "model/__init__.py"
        face.write_text(face.read_text().replace("os.getpid()", "'changed'"))
        os.kill(int(answer(server)), signal.SIGKILL)
        wait_until(lambda: "model/__init__.py has changed since the start" in readiness(server))
        assert ask(server, "1").status == 503


@pytest.mark.slow
def test_no_process_starts_with_a_file_that_is_new_since_the_start(start):
    with start(RUNS, **ONE) as server:
        (folder(server) / "model/weights-2.json").write_text("{}")
        os.kill(int(answer(server)), signal.SIGKILL)
        wait_until(lambda: "model/weights-2.json has changed since" in readiness(server))


@pytest.mark.slow
def test_a_file_that_changes_while_the_model_loads_stops_the_start(cookies):
    project = swapped(cookies.bake().project_path, RUNS + CHANGES, records=False)
    (project / "model/constants.json").write_text("{}")
    said = refused_start(project, MODEL_CHECK="false", **ONE)
    assert "model/constants.json has changed since the start" in said
    assert "model/cache.json" not in said  # a file that the model makes for itself


CHANGES = """
(Path(__file__).parent / "cache.json").write_text("{}")
(Path(__file__).parent / "constants.json").write_text('{"changed": 1}')
"""


@pytest.mark.slow
def test_it_is_not_ready_while_the_only_process_loads(start):
    source = RUNS + "if Path('again').exists(): time.sleep(2)\nPath('again').touch()\n"
    with start(source, **ONE) as server:
        os.kill(int(answer(server)), signal.SIGKILL)
        wait_until(lambda: "a new model process is loading" in readiness(server))
        wait_until(lambda: not readiness(server))
        assert answer(server)


@pytest.mark.slow
def test_a_model_hears_an_interrupt_also_where_a_script_has_started_the_service(start):
    """A shell that is no terminal lets `gunicorn &` ignore SIGINT."""
    launch = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    launch += "os.execv(sys.executable, [sys.executable, '-m', 'gunicorn'])"
    with start(RUNS, "-c", launch, **ONE) as server:
        assert json.loads(answer(server, FACTS))["SIGINT"]


@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_the_service(bake):
    """Gunicorn reloads at SIGHUP, and would go on where nobody sees it."""
    ours, theirs = pty.openpty()
    login = "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(1, termios.TIOCSCTTY, 0); "
    login += f"os.execv({PYTHON!r}, [{PYTHON!r}, '-m', 'gunicorn'])"
    port = free_port()
    environment = clean_environment() | {"PORT": str(port)}
    command = [sys.executable, "-c", login]
    process = subprocess.Popen(
        command, cwd=bake(), env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    try:
        os.close(theirs)
        said = b""
        while b"Booting" not in said:
            said += os.read(ours, 4096)
        os.close(ours)
        assert process.wait(20) == 0
    finally:
        process.kill()


@pytest.mark.slow
def test_the_keeper_outlives_a_lack_of_files(start):
    with start(RUNS, **ONE) as server:
        keeper = server.keeper()
        limits = resource.prlimit(keeper, resource.RLIMIT_NOFILE)
        resource.prlimit(keeper, resource.RLIMIT_NOFILE, (3, limits[1]))
        wait_until(lambda: "does not answer" in readiness(server))
        resource.prlimit(keeper, resource.RLIMIT_NOFILE, limits)
        wait_until(lambda: not readiness(server))
        assert answer(server)


@pytest.mark.slow
def test_looks_at_the_state_leave_room_for_predictions(start):
    with start(RUNS, **ONE | {"MODEL_WAIT": "60"}) as server:
        call = begin(server, "time.sleep(6)")
        for _ in range(1_100):
            assert not readiness(server)
        assert status(call) == 200
        assert ask(server, "1").status == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("print('no line end', end='')", "no line end"),
        ("print('long' * 250_000, end='')", "long" * 100),
        (r"sys.stdout.buffer.write(b'\xff\xfe no text\n')", " no text"),
        (r"os.write(2, b'as C does\n')", "as C does"),
    ],
    ids=["without an end", "one megabyte", "no UTF-8", "to the file"],
)
def test_what_the_model_prints_goes_into_the_log_with_its_request(two, code, text):
    response = ask(two, code)
    assert response.status == 200
    wait_until(lambda: text in logged(two, response, "message"), 5)


@pytest.mark.slow
@pytest.mark.parametrize("command", [["app.py"], ["-m", "flask", "run", "--port", "PORT"]])
def test_without_model_processes_flasks_own_server_runs_the_model(start, command):
    with start(RUNS, *command, MODEL_PROCESSES="0") as server:
        assert int(answer(server)) == server.process.pid


@pytest.mark.parametrize(
    "setting",
    ["MODEL_PROCESSES=0", "MODEL_PROCESSES=-1", "MODEL_PROCESSES=abc", "MODEL_TIMEOUT=0"],
)
def test_a_setting_that_cannot_be_is_refused_at_the_start(bake, setting):
    name, value = setting.split("=")
    said = refused_start(bake(), **{name: value})
    assert name in said and "Traceback" not in said


@pytest.mark.slow
def test_service_processes_of_another_user_are_refused_at_the_start(bake):
    if os.geteuid() != 0:
        pytest.skip("only root may start processes of another user")
    said = refused_start(bake(), GUNICORN_CMD_ARGS="--user 65534 --group 65534")
    assert "--user is not for this service: start it as that user" in said
    assert "Traceback" not in said


def test_the_log_says_how_many_model_processes_there_are(bake, serve):
    with serve(bake()) as server:

        def is_said() -> bool:
            said = [line["message"] for line in log(server) if "model process" in line["message"]]
            count = len(below(server.process.pid, "service.runner"))
            return [str(count)] in [re.findall(r"\d+", message)[:1] for message in said]

        wait_until(is_said)


@pytest.mark.slow
@pytest.mark.parametrize(("package", "source"), LIBRARIES.items(), ids=LIBRARIES)
def test_a_library_with_threads_or_processes_answers_as_in_a_script(start, package, source):
    for python in {PYTHON, sys.executable}:
        if subprocess.run([python, "-c", f"import {package}"], capture_output=True).returncode:
            missing(package)
    with start(RUNS + source + "\nload = compute\n", MODEL_PROCESSES="2") as server:
        script = "import model; model.load(); print(model.compute())"
        place = {"cwd": folder(server), "env": clean_environment(), "text": True}
        directly = subprocess.check_output([PYTHON, "-c", script], **place).strip()
        found = [answer(server, "answer = compute()") for _ in range(6)]
        found += at_once(server, ["answer = compute()"] * 4)
    assert found == [directly] * 10


@pytest.mark.slow
def test_a_batch_is_spread_over_the_model_processes(start):
    times = []
    for count in (1, 2):
        with start(RUNS, MODEL_PROCESSES=str(count)) as server:
            runners(server, count)
            begun = time.monotonic()
            assert len(batch(server, ["time.sleep(0.005)"] * 200)) == 200
            times.append(time.monotonic() - begun)
    assert times[1] < 0.6 * times[0]
