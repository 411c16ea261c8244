"""The log and the metrics of a real Gunicorn: whole, true, and no danger to the service."""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from commands import read_until
from conftest import (
    PYTHON,
    Server,
    clean_environment,
    free_port,
    missing,
    swapped,
    wait_for,
    wait_until,
    wait_until_it_listens,
)
from prometheus_client.parser import text_string_to_metric_families as families

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]

FAILING = """
import logging
import warnings
from model.square import Input, Output
from model.square import predict as square

def predict(inputs: Input) -> Output:
    print("asked for", inputs.value)
    logging.getLogger("mine").warning("odd\\nnumber")
    warnings.warn("a doubt")
    if inputs.value == 13:
        raise ValueError("a secret" * 1000)
    return square(inputs)
"""


SLEEPING = """
import time
from model.square import Input, Output
from model.square import predict as square

def load():
    time.sleep(0.3)

def predict(inputs: Input) -> Output:
    time.sleep(inputs.value / 1000)
    return square(inputs)
"""


@pytest.fixture
def sleeping(cookies) -> Path:
    """A project whose model loads for 0.3 s, and takes as many milliseconds as its value."""
    project = cookies.bake().project_path
    (project / "model/__init__.py").write_text(SLEEPING)
    return project


@pytest.fixture
def failing(cookies) -> Path:
    """A project whose model prints, logs, warns, and fails at 13."""
    project = cookies.bake().project_path
    (project / "model/__init__.py").write_text(FAILING)
    return project


def metrics(server: Server) -> list:
    """What GET /metrics says, each metric once."""
    found = list(families(server.get("/metrics").body.decode()))
    assert len({family.name for family in found}) == len(found)
    return found


def totals(server: Server) -> dict[str, float]:
    """The metrics, each summed over its labels."""
    found = defaultdict(float)
    for family in metrics(server):
        for sample in family.samples:
            found[sample.name] += sample.value
    return found


def folder(place: Path) -> Path:
    """The one folder of metrics in a place."""
    (found,) = place.glob("service-*")
    return found


def ask_each(server: Server, target: str, times: int) -> int:
    """Ask each service process a few times, while the others stand still; say how often in all."""
    services = server.services()
    for service in services:
        others = services - {service}
        try:
            for other in others:
                os.kill(other, signal.SIGSTOP)
            for _ in range(times):
                assert server.get(target).status == 200
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)
    return times * len(services)


def test_every_line_of_a_session_is_json(failing, serve):
    with serve(failing) as server:
        for target in ["/api?value=2", "/api?value=13", "/api?value=secret", "/%0a%1b%ff\u2028"]:
            server.get(target.encode("latin-1", "ignore").decode("latin-1"))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert all(line["time"] and line["level"] and line["message"] for line in lines)
    (first, *_) = [line["request_id"] for line in lines if line.get("status") == 200]
    said = [line["message"] for line in lines if line["logger"] == "model"]
    of_first = [line["message"] for line in lines if line.get("request_id") == first]
    assert {"asked for 2", "odd", "number"} <= set(of_first) and "asked for 13" in said
    assert any("a doubt" in message for message in said)
    (failure,) = [line for line in lines if "traceback" in line]
    assert "a secret" in failure["traceback"]
    answers = {line["request_id"]: line["status"] for line in lines if "status" in line}
    assert list(answers.values()) == [200, 500, 422, 404] and answers[failure["request_id"]] == 500


def test_long_lines_of_two_workers_do_not_mix_in_a_pipe_that_is_read_slowly(failing):
    variables = {"WEB_CONCURRENCY": "2", "PYTHONUNBUFFERED": "1", "PORT": str(free_port())}
    process = subprocess.Popen(
        [PYTHON, "-m", "gunicorn"],
        cwd=failing,
        env=clean_environment() | variables,
        stdout=subprocess.PIPE,
    )

    def read() -> Iterator[bytes]:
        while chunk := os.read(process.stdout.fileno(), 4096):
            yield chunk
            time.sleep(0.001)

    server = Server(process, int(variables["PORT"]), Path(os.devnull))
    with process, ThreadPoolExecutor(9) as pool:
        log = pool.submit(lambda: b"".join(read()))
        try:
            wait_until_it_listens(server)
            answers = list(pool.map(server.get, ["/api?value=13"] * 200))
        finally:
            process.terminate()
        lines = [json.loads(line) for line in log.result().splitlines()]
    assert {answer.status for answer in answers} == {500}
    missed = 200 - sum("traceback" in line for line in lines)
    assert missed <= lost(lines) and missed < 200


def lost(lines: list[dict]) -> int:
    """How many lines were not written, because they were not read fast enough."""
    found = [re.match(r"(\d+) lines of the log were lost", line["message"]) for line in lines]
    return sum(int(match[1]) for match in found if match)


def test_a_log_that_is_not_read_for_a_while_costs_no_answer_and_says_what_is_lost(failing):
    port = free_port()
    process = subprocess.Popen(
        [PYTHON, "-m", "gunicorn"],
        cwd=failing,
        env=clean_environment() | {"PORT": str(port)},
        stdout=subprocess.PIPE,
    )
    server, seconds, read = Server(process, port, Path(os.devnull)), [], []

    def follow() -> None:
        while chunk := os.read(process.stdout.fileno(), 1 << 20):
            read.append(chunk)

    with process, ThreadPoolExecutor(1) as pool:
        try:
            wait_until_it_listens(server)
            for number in range(400):
                start = time.monotonic()
                status = 500 if number % 20 == 0 else 200
                assert server.get(f"/api?value={13 if status == 500 else 2}").status == status
                seconds.append(time.monotonic() - start)
            pool.submit(follow)
            wait_until(lambda: read)
            asked = 400 + ask_each(server, "/api?value=2", 1)  # and each says what it has lost
        finally:
            process.terminate()
    lines, broken = [], []
    for line in b"".join(read).splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            broken.append(line)
    # Each process may cut a line, and a line of another process may follow it without a break.
    assert len(broken) <= 3
    answered = sum("status" in line for line in lines)
    assert 0 < asked - answered <= lost(lines) + len(broken)
    assert statistics.median(seconds) < 0.1 and max(seconds) < 3


SETS = """
import os, sys
from pathlib import Path
from service.application import create_app
from service.watch import DURATION, METHODS, OTHER, PREDICTIONS, REQUESTS, STATIC

statuses = [200, 206, 304, 308, 400, 403, 404, 405, 406, 413, 414, 415, 416, 417, 422, 431]
statuses += [500, 501, 503, 504]
app = create_app({"PROCESSES": 0, "CHECK": False})
for route in {rule.rule for rule in app.url_map.iter_rules()} | {OTHER, STATIC}:
    PREDICTIONS.labels(route).inc()
    for status in statuses:
        DURATION.labels(route, status).observe(1)
        for method in METHODS | {OTHER}:
            REQUESTS.labels(method, route, status).inc()
for file in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).iterdir():
    print(file.name.partition("_")[0], int.from_bytes(file.read_bytes()[:4], sys.byteorder))
"""


def test_every_label_that_there_can_be_fits_into_the_files(bake, serve, tmp_path):
    """Or a file would grow by a hole, and the process end where the disk is full."""
    with serve(bake(), TMPDIR=str(tmp_path)) as server:
        wait_until(lambda: len(sizes(folder(tmp_path))) == 4)
        server.get("/metrics")
        made = sizes(folder(tmp_path))
    (tmp_path / "sets").mkdir()
    variables = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "sets")}
    result = subprocess.run(
        [PYTHON, "-c", SETS],
        cwd=bake(),
        env=clean_environment() | variables,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    used = {kind: int(size) for kind, size in map(str.split, result.stdout.splitlines())}
    assert {name.partition("_")[0] for name in made} == set(used) == {"counter", "histogram"}
    for name, size in made.items():
        assert size / 8 < used[name.partition("_")[0]] < size, used


def test_a_terminal_shows_text(bake):
    import pty  # Windows has none

    ours, theirs = pty.openpty()
    port = free_port()
    process = subprocess.Popen(
        [PYTHON, "-m", "gunicorn"],
        cwd=bake(),
        env=clean_environment() | {"PORT": str(port)},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        shown = read_until(ours, "value=2'")
    finally:
        process.terminate()
        process.wait(15)
        os.close(ours)
    assert re.search(
        rf"^\d\d:\d\d:\d\d INFO Open http://localhost:{port} or type: curl '", shown, re.M
    )
    assert "{" not in shown


SERIES = """
from pydantic import BaseModel, Field

class Input(BaseModel):
    values: list[int] = Field(examples=[list(range(1000))])

class Output(BaseModel):
    total: int

def predict(inputs: Input) -> Output:
    return Output(total=sum(inputs.values))
"""


def test_a_call_that_fills_the_terminal_is_left_to_the_page(cookies, serve):
    with serve(swapped(cookies.bake().project_path, SERIES)) as server:
        wait_for(server.log, f"Open http://localhost:{server.port}")
        shown = server.log.read_text()
    assert "998, 999" not in shown and "values=999" not in shown
    assert f"Open http://localhost:{server.port}, which also shows the call" in shown


def test_the_counts_are_of_all_service_processes_and_outlive_them(bake, serve, tmp_path):
    with serve(bake(), TMPDIR=str(tmp_path)) as server:
        wait_until(lambda: len(server.services()) == 2)
        before = totals(server)
        asked = ask_each(server, "/api?value=2", 10)
        after = totals(server)
        assert after["model_predictions_total"] == before["model_predictions_total"] + asked == 20
        files = sizes(folder(tmp_path))
        for _ in range(20):
            victim = max(server.services())
            os.kill(victim, signal.SIGKILL)
            wait_for(server.log, f"Worker (pid:{victim}) was sent SIGKILL")
            wait_until(lambda gone=victim: len(server.services() - {gone}) == 2)
        asked = ask_each(server, "/api?value=2", 1)
        counted = totals(server)
        assert counted["model_predictions_total"] == after["model_predictions_total"] + asked
        looks = 2  # at the metrics
        counts = [found["http_requests_total"] for found in (before, counted)]
        assert counts[1] - counts[0] == 20 + asked + looks
        assert sizes(folder(tmp_path)) == files
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
    assert not list(tmp_path.iterdir())


def sizes(place: Path) -> dict[str, int]:
    """How much stands in each file of a folder (bytes)."""
    return {path.name: path.stat().st_size for path in place.iterdir()}


def test_the_metrics_name_the_build_and_say_how_the_model_is(sleeping, serve):
    with serve(sleeping, MODEL_PROCESSES="2", MODEL_CHECK="false") as server:
        wait_until(lambda: totals(server)["model_processes"] == 2)
        info = json.loads(server.get("/service-info").body)
        with ThreadPoolExecutor(5) as pool:
            calls = [pool.submit(server.get, "/api?value=1000") for _ in range(5)]
            wait_until(lambda: totals(server)["model_busy"] == 2)
            assert [call.result().status for call in calls] == [200] * 5
        found = {sample.name: sample for family in metrics(server) for sample in family.samples}
    assert found["model_build_info"].labels == {
        name: info[name] for name in ("version", "revision", "fingerprint")
    }
    assert 0.3 <= found["model_load_seconds"].value < 10
    assert (found["model_processes"].value, found["model_busy"].value) == (2, 0)


LOCKS = """
import fcntl, sys
file = open(sys.argv[1], "rb")
fcntl.lockf(file, fcntl.LOCK_SH)
print(flush=True)
sys.stdin.read()
"""


def test_a_log_file_that_another_program_locks_stops_nothing(bake, serve):
    with serve(bake()) as server:
        command = [sys.executable, "-c", LOCKS, str(server.log)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as reader:
            reader.stdout.readline()
            start = time.monotonic()
            for _ in range(20):
                assert server.get("/api?value=2").status == 200
            assert time.monotonic() - start < 3
            reader.stdin.close()
        assert ask_each(server, "/healthz", 2) == 4
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert lost(lines) >= 20
    assert sum(line.get("route") == "/healthz" for line in lines) == 4


@pytest.mark.parametrize("output", ["head -1", "true"])
def test_a_log_that_nobody_reads_any_more_stops_nothing(bake, output):
    port = free_port()
    command = f"exec {PYTHON} -m gunicorn 2>&1 > >({output})"
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=bake(), env=clean_environment() | {"PORT": str(port)}
    )
    server = Server(process, port, Path(os.devnull))
    try:
        wait_until_it_listens(server)
        for _ in range(5):
            assert server.get("/api?value=2").status == 200
    finally:
        process.terminate()
        process.wait(15)


def test_a_full_disk_costs_no_answer(bake, serve, tmp_path):
    if not shutil.which("unshare"):
        missing("unshare")
    small = f"mount -t tmpfs -o size=2m tmpfs {tmp_path} && touch {tmp_path}/ready && exec "
    launcher = tmp_path.parent / "launch.py"
    launcher.write_text(
        "import os, sys\n"
        f"os.execvp('unshare', ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c',"
        f" {small!r} + sys.executable + ' -m gunicorn'])\n"
    )
    with serve(bake(), str(launcher), TMPDIR=str(tmp_path)) as server:
        inside = Path(f"/proc/{server.process.pid}/root{tmp_path}")
        if not (inside / "ready").exists():
            pytest.skip("this system lets nobody mount")
        wait_until(lambda: len(list(folder(inside).glob("*.db"))) == 4)
        subprocess.run(["dd", "if=/dev/zero", f"of={inside}/full"], capture_output=True)
        before = totals(server)["http_requests_total"]
        for target in ["/api?value=2", "/api?value=x", "/nowhere", "/", "/healthz"] * 4:
            assert server.get(target).status < 500
        assert ask_each(server, "/api?value=2", 2) == 4
        assert totals(server)["http_requests_total"] == before + 25
        for count in (1, 2):  # these find no room for their files
            server.process.send_signal(signal.SIGTTIN)
            wait_until(lambda seen=count: server.log.read_text().count("for itself alone") == seen)
        assert len(server.services()) == 4
        for target in ["/api?value=2", "/citation", "/healthz", "/metrics"]:
            assert ask_each(server, target, 2) == 8
        models = server.models()
        os.kill(min(models), signal.SIGKILL)
        wait_until(lambda: len(server.models() - models) == 1)
        wait_until(lambda: totals(server)["model_processes"] == len(models))
        assert server.get("/api?value=2").status == 200
        assert len(sizes(folder(inside))) == 4
    said = server.log.read_text()
    assert "SIGBUS" not in said and "Traceback" not in said
