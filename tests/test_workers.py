"""The processes: how many there are, how they start and stop, and what replaces one that ends."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from conftest import (
    PYTHON,
    Server,
    clean_environment,
    command_line,
    free_port,
    missing,
    refused_start,
    wait_for,
    wait_until,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]

FAULT = re.compile(r"ERROR|WARNING|CRITICAL|Traceback")


@pytest.mark.parametrize("number", ["0", "1000", 30 * "9"])
def test_no_service_processes_or_too_many_is_one_clear_sentence(bake, number):
    said = refused_start(bake(), WEB_CONCURRENCY=number)
    assert (
        said
        == f"WEB_CONCURRENCY={number!r} is no number of service processes: write one such as 2.\n"
    )


@pytest.mark.parametrize("number", ["-1", "many", "1.5"])
def test_another_bad_number_of_service_processes_is_named_by_gunicorn_itself(bake, number):
    """Which reads it before gunicorn.conf.py can, and says it in fewer words."""
    assert number in refused_start(bake(), WEB_CONCURRENCY=number).splitlines()[-1]


@pytest.mark.parametrize(("variables", "count"), [({}, 2), ({"WEB_CONCURRENCY": "3"}, 3)])
def test_there_are_as_many_service_processes_as_are_asked_for(bake, serve, variables, count):
    with serve(bake(), **variables) as server:
        wait_until(lambda: len(server.services()) == count)
        time.sleep(0.5)
        assert len(server.services()) == count


def test_a_socket_in_a_file_is_served_while_something_else_is_at_the_port(bake, tmp_path):
    with socket.socket() as other, socket.socket(socket.AF_UNIX) as client:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = str(tmp_path / "socket")
        environment = clean_environment() | {"PORT": str(other.getsockname()[1])}
        environment["GUNICORN_CMD_ARGS"] = f"--bind unix:{address}"
        with subprocess.Popen([PYTHON, "-m", "gunicorn"], cwd=bake(), env=environment) as process:
            try:
                wait_until(lambda: client.connect_ex(address) == 0)
                client.sendall(b"GET /api?value=2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert client.makefile("rb").read().endswith(b'{"Value Squared":4}\n')
            finally:
                process.terminate()


def test_another_address_is_taken_while_something_else_is_at_the_port(bake):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken, free = other.getsockname()[1], free_port()
        command = [PYTHON, "-m", "gunicorn", "--bind", f"127.0.0.1:{free}"]
        environment = clean_environment() | {"PORT": str(taken)}
        with subprocess.Popen(command, cwd=bake(), env=environment) as process:
            try:
                server = Server(process, free, Path(os.devnull))
                wait_until(lambda: is_answered(server))
            finally:
                process.terminate()


def is_answered(server: Server) -> bool:
    """Whether a prediction is answered; not so where nothing listens, or a process ends."""
    try:
        return server.get("/api?value=2").status == 200
    except (OSError, HTTPException):
        return False


LOADS = """
import os
from pathlib import Path
from model.square import Input, Output, predict

IMPORTED = os.getpid()

def load():
    with Path("loaded").open("a") as file:
        print(IMPORTED, os.getpid(), file=file)
"""
SLOW = """
import time
from pathlib import Path
from model.square import Input, Output
from model.square import predict as square

def predict(inputs: Input) -> Output:
    Path("begun").touch()
    time.sleep(inputs.value)
    return square(inputs)
"""
BEGINS = """
import time
from pathlib import Path
from model.square import Input, Output, predict

def load():
    Path("begun").touch()
    time.sleep(60)
"""


def project_with(cookies, source: str) -> Path:
    project = cookies.bake().project_path
    (project / "model/__init__.py").write_text(source)
    return project


def test_each_model_process_loads_the_model_once_before_it_is_asked(cookies, serve):
    project = project_with(cookies, LOADS)
    with serve(project, MODEL_PROCESSES="2") as server:
        wait_until(lambda: "model_processes 2.0" in server.get("/metrics").body.decode())
        assert server.get("/api?value=3").status == 200
        loaded = [line.split() for line in (project / "loaded").read_text().splitlines()]
        assert sorted(loaded) == sorted([str(process)] * 2 for process in server.models())


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def load():\n    raise RuntimeError('the weights are missing')\n", "weights are missing"),
        ("del predict\n", "must export predict"),
    ],
)
def test_a_load_that_fails_stops_the_start_with_its_reason(cookies, source, reason):
    assert reason in refused_start(project_with(cookies, LOADS + source))


# Stops

STOPS = pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])


def stopped(server: Server, stop: int) -> float:
    """Stop a service, which must end well, and say how long that takes (s)."""
    start = time.monotonic()
    server.process.send_signal(stop)
    assert server.process.wait(timeout=15) == 0
    return time.monotonic() - start


@STOPS
def test_a_stop_while_the_model_loads_is_heard(cookies, stop):
    project = project_with(cookies, BEGINS)
    environment = clean_environment() | {"PORT": str(free_port())}
    command = [PYTHON, "-m", "gunicorn"]
    with subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            wait_for(project / "begun")
            start = time.monotonic()
            process.send_signal(stop)
            assert process.wait(timeout=15) == 0
            assert time.monotonic() - start < 2
        finally:
            process.kill()
        assert not re.search(r"ERROR|WARNING|CRITICAL", process.stdout.read().decode())


def test_a_stop_is_heard_while_process_1_loads_the_model(cookies):
    """To which the system brings no signal that it has not asked for."""
    if not shutil.which("unshare"):
        missing("unshare")
    project = project_with(cookies, BEGINS)
    alone = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    environment = clean_environment() | {"PORT": str(free_port())}
    command = [*alone, PYTHON, "-m", "gunicorn"]
    with subprocess.Popen(command, cwd=project, env=environment) as process:
        try:
            wait_for(project / "begun")
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            os.kill(int(children), signal.SIGTERM)
            assert process.wait(timeout=2) == 0
        finally:
            process.kill()


# The child of a fork is slow to begin, as it is on a busy machine.
SLOW_BIRTH = """
import os
import time
from pathlib import Path

def begin():
    Path("begun").touch()
    time.sleep(1)

os.register_at_fork(after_in_child=begin)
"""


@STOPS
def test_a_stop_in_the_first_moments_of_a_service_process_is_not_forgotten(
    cookies, serve, tmp_path, stop
):
    project = cookies.bake().project_path
    (tmp_path / "sitecustomize.py").write_text(SLOW_BIRTH)
    with serve(project, WEB_CONCURRENCY="1", PYTHONPATH=str(tmp_path)) as server:
        wait_for(project / "begun")
        assert stopped(server, stop) < 3
    assert not FAULT.search(server.log.read_text())


@STOPS
def test_a_stop_waits_for_no_connection_on_which_nothing_is_asked(cookies, serve, stop):
    project = project_with(cookies, SLOW)
    with serve(project, MODEL_CHECK="false") as server:
        wait_until(lambda: len(server.services()) == 2)
        models = server.models()
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(10)]
        kept = [HTTPConnection("127.0.0.1", server.port, timeout=10) for _ in range(10)]
        for connection in kept:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        assert stopped(server, stop) < 2
        wait_until(lambda: not any("service.runner" in command_line(pid) for pid in models), 2)
    assert not FAULT.search(server.log.read_text())
    for connection in (*silent, *(one.sock for one in kept)):
        assert connection.recv(1) == b""
        connection.close()


def test_a_stop_lets_all_predictions_end_that_run_or_wait(cookies, serve):
    project = project_with(cookies, SLOW)
    one = {"MODEL_CHECK": "false", "MODEL_PROCESSES": "1"}
    with serve(project, **one) as server, ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(server.get, "/api?value=1") for _ in range(3)]
        wait_for(project / "begun")
        time.sleep(0.3)  # by when the others wait for the process
        assert stopped(server, signal.SIGTERM) < 5
        assert [call.result().status for call in calls] == [200] * 3
    assert not FAULT.search(server.log.read_text())


NO_FOLDER = """
import tempfile

def refuse(*_, **__):
    raise OSError(30, "Read-only file system")

tempfile.mkdtemp = refuse
"""


def test_a_folder_of_somebody_else_for_counts_is_neither_used_nor_removed(bake, serve, tmp_path):
    """Also where no folder can be made, and so each service process counts for itself."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "counter_1.db").write_text("precious")
    (tmp_path / "sitecustomize.py").write_text(NO_FOLDER)
    for more in ({}, {"PYTHONPATH": str(tmp_path)}):
        with serve(bake(), PROMETHEUS_MULTIPROC_DIR=str(theirs), **more) as server:
            assert server.get("/api?value=2").status == server.get("/metrics").status == 200
            assert stopped(server, signal.SIGTERM) < 5
        assert {path.name: path.read_text() for path in theirs.iterdir()} == {
            "counter_1.db": "precious"
        }
        assert not re.search(r"ERROR|CRITICAL|Traceback", server.log.read_text())


# Replacements


def test_a_reload_replaces_the_service_processes_and_costs_no_answer(cookies, serve):
    project = project_with(cookies, SLOW)
    with serve(project, MODEL_CHECK="false") as server, ThreadPoolExecutor(1) as pool:
        wait_until(lambda: len(server.services()) == 2)
        before, models = server.services(), server.models()
        call = pool.submit(server.get, "/api?value=2")
        wait_for(project / "begun")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(server.services() - before) == 2)
        assert call.result().status == 200
        wait_until(lambda: not server.services() & before)
        assert server.get("/api?value=1").status == 200
        assert server.models() == models
        assert stopped(server, signal.SIGTERM) < 2
    assert not FAULT.search(server.log.read_text())


def test_an_heir_takes_over_the_port_with_model_processes_of_its_own(bake, serve):
    """SIGUSR2 starts it, SIGTERM ends the old server; so Gunicorn itself is updated."""
    # The heir starts by the same words, and `python -m gunicorn` would find another module http.
    with serve(bake(), str(Path(PYTHON).with_name("gunicorn"))) as server:
        old = server.models()
        server.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: len(re.findall("Open http", server.log.read_text())) == 2)
        (heir,) = re.findall(r"Listening at: \S+ \((\d+)\)", server.log.read_text())[1:]
        try:
            assert stopped(server, signal.SIGTERM) < 2
            wait_until(lambda: not any(map(command_line, old)), 2)
            for _ in range(10):
                assert server.get("/api?value=2").status == 200
        finally:
            os.kill(int(heir), signal.SIGTERM)
            wait_until(lambda: not command_line(heir), 5)
    assert not FAULT.search(server.log.read_text())


def test_a_service_process_that_is_killed_is_replaced_and_costs_no_other_its_answers(
    cookies, serve
):
    project = project_with(cookies, SLOW)
    with serve(project, MODEL_CHECK="false", MODEL_PROCESSES="2") as server:
        wait_until(lambda: len(server.services()) == 2)
        for _ in range(3):
            before, models = server.services(), server.models()
            victim = min(before)
            os.kill(victim, signal.SIGKILL)
            for _ in range(5):
                assert server.get("/healthz").status == 200
            wait_until(lambda old=before: len(server.services() - old) == 1)
            assert server.services() & before == before - {victim}
            assert json.loads(server.get("/api?value=0").body) == {"Value Squared": 0}
            assert server.models() == models


def test_the_service_ends_with_its_keeper_and_says_so(bake, serve):
    """So that whoever started it, such as Docker, can start it anew."""
    with serve(bake()) as server:
        server.get("/api?value=2")
        models = server.models()
        os.kill(server.keeper(), signal.SIGKILL)

        def has_ended() -> bool:
            is_answered(server)  # at a request it shows
            return server.process.poll() is not None

        wait_until(has_ended, 10)
        assert server.process.returncode != 0
        assert "The keeper of the model processes has ended" in server.log.read_text()
        wait_until(lambda: not any("service.runner" in command_line(pid) for pid in models), 2)
