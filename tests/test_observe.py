"""The log and the metrics of a real Gunicorn: whole, true, and no danger to the service."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest
from commands import read_until
from conftest import (
    Server,
    clean_environment,
    free_port,
    missing,
    wait_for,
    wait_until_it_listens,
)
from prometheus_client.parser import text_string_to_metric_families as families

pytestmark = pytest.mark.slow

FAILING = """
import logging
import warnings
from model.square import Input, Output
from model.square import predict as square

def predict(inputs: Input) -> Output:
    logging.getLogger("mine").info("asked for\\n%s", inputs.value)
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
    """A project whose model logs, warns, and fails at 13."""
    project = cookies.bake().project_path
    (project / "model/__init__.py").write_text(FAILING)
    return project


def totals(server: Server) -> dict[str, float]:
    """The metrics, each summed over its labels."""
    found = defaultdict(float)
    for family in families(server.get("/metrics").body.decode()):
        for sample in family.samples:
            found[sample.name] += sample.value
    return found


def workers(server: Server) -> list[int]:
    """The processes that the master has started."""
    master = server.process.pid
    found = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return list(map(int, found))


def folder(place: Path) -> Path:
    """The one folder of metrics in a place."""
    (found,) = place.glob("metrics-*")
    return found


def test_every_line_of_a_session_is_json(failing, serve):
    with serve(failing) as server:
        for target in ["/api?value=2", "/api?value=13", "/api?value=secret", "/%0a%1b%ff\u2028"]:
            server.get(target.encode("latin-1", "ignore").decode("latin-1"))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert all(line["time"] and line["level"] and line["message"] for line in lines)
    assert any(line["message"] == "asked for\n2" and "request_id" in line for line in lines)
    assert any("a doubt" in line["message"] for line in lines)
    (failure,) = [line for line in lines if "traceback" in line]
    assert "a secret" in failure["traceback"]
    answers = {line["request_id"]: line["status"] for line in lines if "status" in line}
    assert list(answers.values()) == [200, 500, 422, 404] and answers[failure["request_id"]] == 500


def test_long_lines_of_two_workers_do_not_mix_in_a_pipe_that_is_read_slowly(failing):
    variables = {"WEB_CONCURRENCY": "2", "PYTHONUNBUFFERED": "1", "PORT": str(free_port())}
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn"],
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
    assert sum("traceback" in line for line in lines) == 200


def test_a_model_in_the_workers_alone_changes_nothing_in_the_log(failing, serve, tmp_path):
    """The master has no service to ask, and the workers each import it."""
    with serve(failing, PRELOAD="false", TMPDIR=str(tmp_path), MODEL_CHECK="false") as server:
        use_both_workers(server, folder(tmp_path))
        before = totals(server)["model_predictions_total"]
        for _ in range(10):
            assert server.get("/api?value=2").status == 200
        assert totals(server)["model_predictions_total"] == before + 10
        modules = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "pydantic_core" not in modules  # which the service imports
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    said = [line["message"] for line in lines if line["logger"] == "gunicorn.error"]
    for words in ("Starting gunicorn", "Booting worker", "Open http://", "Shutting down"):
        assert any(words in message for message in said), words
    assert sum("status" in line for line in lines) > 11
    assert not list(tmp_path.glob("metrics-*"))


SETS = """
import http, os, tempfile
os.environ["PROMETHEUS_MULTIPROC_DIR"] = place = tempfile.mkdtemp()
from pathlib import Path
from service import create_app, metrics
statuses = [200, 206, 304, 308, 400, 403, 404, 405, 406, 413, 414, 415, 416, 417, 422, 431]
statuses += [500, 501, 503]
for route in {rule.rule for rule in create_app().url_map.iter_rules()} | {metrics.OTHER}:
    metrics.PREDICTIONS.labels(route).inc()
    metrics.IN_FLIGHT.labels(route).inc()
    for status in statuses:
        metrics.DURATION.labels(route, status).observe(1)
    for method in metrics.METHODS | {metrics.OTHER}:
        for status in statuses:
            metrics.REQUESTS.labels(method, route, status).inc()
for kind, size in metrics.SIZES.items():
    (file,) = Path(place).glob(f"{kind}_*.db")
    used = int.from_bytes(file.read_bytes()[:4], "little")
    assert file.stat().st_size == size and size / 8 < used < size, (kind, used)
    print(kind, used)
"""


def test_every_label_that_there_can_be_fits_into_the_files(bake, tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", SETS],
        cwd=bake(),
        env=clean_environment() | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    print(result.stdout)


def test_a_terminal_shows_text(bake):
    import pty  # Windows has none

    ours, theirs = pty.openpty()
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn"],
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


def test_the_counts_are_of_all_workers_and_outlive_them(bake, serve, tmp_path):
    with serve(bake(), TMPDIR=str(tmp_path)) as server:
        use_both_workers(server, folder(tmp_path))
        before = totals(server)  # the start itself may have tried the examples
        for _ in range(20):
            server.get("/api?value=2")
        after = totals(server)
        assert after["model_predictions_total"] == before["model_predictions_total"] + 20
        files = sizes(folder(tmp_path))
        for _ in range(20):
            victim = max(workers(server))
            os.kill(victim, signal.SIGKILL)
            wait_for(server.log, f"Worker (pid:{victim}) was sent SIGKILL")
            wait_until(lambda gone=victim: len(set(workers(server)) - {gone}) == 2)
        server.get("/api?value=2")
        counted = totals(server)
        assert counted["model_predictions_total"] == after["model_predictions_total"] + 1
        counts = [found["http_requests_total"] for found in (before, counted)]
        assert counts[1] - counts[0] == 23  # with two looks at the metrics
        # The gauges of a worker go with it, and come back with the first request to its heir.
        gauges = {name: size for name, size in files.items() if name.startswith("gauge")}
        assert gauges | sizes(folder(tmp_path)) == files
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
    assert not list(tmp_path.iterdir())


def sizes(place: Path) -> dict[str, int]:
    """How much stands in each file of a folder (bytes)."""
    return {path.name: path.stat().st_size for path in place.iterdir()}


def wait_until(happened: Callable[[], bool], seconds: float = 30) -> None:
    """Poll until something has happened."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def test_a_request_is_in_flight_until_it_is_answered_or_its_worker_dies(sleeping, serve):
    with serve(sleeping, WEB_CONCURRENCY="2", MODEL_CHECK="false") as server:

        def in_flight() -> float:
            return totals(server)["http_requests_in_flight"] - 1  # the look at the metrics

        with ThreadPoolExecutor(6) as pool:
            calls = [pool.submit(server.get, "/api?value=1000") for _ in range(6)]
            wait_until(lambda: in_flight() == 6)
            assert [call.result().status for call in calls] == [200] * 6
            assert in_flight() == 0
            lost = [pool.submit(server.get, "/api?value=9000") for _ in range(6)]
            wait_until(lambda: in_flight() == 6)
            killed = workers(server)
            for worker in killed:
                os.kill(worker, signal.SIGKILL)
            assert all(isinstance(call.exception(), (OSError, HTTPException)) for call in lost)
        wait_until(lambda: len(set(workers(server)) - set(killed)) == 2)
        assert in_flight() == 0


def test_the_metrics_name_the_build_and_the_time_of_the_load(sleeping, serve):
    for preload in ("true", "false"):
        with serve(sleeping, PRELOAD=preload, MODEL_CHECK="false") as server:
            info = json.loads(server.get("/service-info").body)
            found = {
                sample.name: sample
                for family in families(server.get("/metrics").body.decode())
                for sample in family.samples
            }
        assert found["model_build_info"].labels == {
            name: info[name] for name in ("version", "revision", "fingerprint")
        }
        assert 0.3 <= found["model_load_seconds"].value < 10


def use_both_workers(server: Server, place: Path) -> None:
    """Ask until each of two workers has its three files."""

    def both_have_answered() -> bool:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(server.get, ["/healthz"] * 8))
        return sum(path.suffix != ".part" for path in place.iterdir()) >= 6

    wait_until(both_have_answered)


@pytest.mark.parametrize("output", ["head -1", "true"])
def test_a_log_that_nobody_reads_any_more_stops_nothing(bake, output):
    port = free_port()
    command = f"exec {sys.executable} -m gunicorn 2>&1 > >({output})"
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
        use_both_workers(server, folder(inside))
        subprocess.run(["dd", "if=/dev/zero", f"of={inside}/full"], capture_output=True)
        before = totals(server)["http_requests_total"]
        for target in ["/api?value=2", "/api?value=x", "/nowhere", "/", "/healthz"] * 4:
            assert server.get(target).status < 500
        assert totals(server)["http_requests_total"] == before + 21
        for _ in range(2):  # these workers find no room for theirs
            server.process.send_signal(signal.SIGTTIN)
        end = time.monotonic() + 30
        with ThreadPoolExecutor(8) as pool:
            while "request is not counted" not in server.log.read_text():
                assert time.monotonic() < end, "every worker had room"
                targets = ["/api?value=2", "/nowhere", "/healthz", "/metrics"] * 4
                assert all(found.status < 500 for found in pool.map(server.get, targets))
        assert not list(folder(inside).glob("*.part"))
    assert "SIGBUS" not in server.log.read_text()
