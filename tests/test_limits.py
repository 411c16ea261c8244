"""What the served service takes and what is too much, through a real Gunicorn."""

import contextlib
import json
import re
import resource
import select
import socket
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.client import HTTPConnection

import pytest
from conftest import PYTHON, clean_environment, refused_start

pytestmark = pytest.mark.slow

MEGABYTE = 1_000_000  # bytes
HOST = "HTTP/1.1\r\nHost: localhost\r\n"
HOLDS = """
import time
from pathlib import Path
from model.square import Input, Output
from model.square import predict as square

def predict(inputs: Input) -> Output:
    while inputs.value > 100 and Path("hold").exists():
        time.sleep(0.01)
    return square(inputs)
"""


@pytest.fixture(scope="module")
def server(bake, serve):
    with serve(bake(), MODEL_MAX_CONTENT_LENGTH="6000000") as started:
        yield started


@pytest.fixture(scope="module")
def project(cookies_session):
    """A project whose predictions for more than 100 last as long as its file `hold` is there."""
    project = cookies_session.bake().project_path
    (project / "model/__init__.py").write_text(HOLDS)
    return project


@pytest.fixture(scope="module")
def busy(project, serve):
    """One model process, for which a prediction waits a second."""
    limits = {"MODEL_PROCESSES": "1", "MODEL_WAIT": "1"}
    with serve(project, MODEL_CHECK="false", **limits) as started:
        yield started


@pytest.fixture
def calls(busy, project):
    """Four calls at once, of which one gets its turn and then lasts."""
    (project / "hold").touch()
    with ThreadPoolExecutor(4) as pool:
        yield [pool.submit(busy.get, "/api?value=900") for _ in range(4)]
        (project / "hold").unlink(missing_ok=True)


def exchange(server, text: str, *more: str) -> str:
    """Send texts, one after the other, and read until the connection ends or falls silent."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection:
        with contextlib.suppress(ConnectionError):  # it may be refused before all is sent
            for part in (text, *more):
                connection.sendall(part.encode())
                time.sleep(0.05)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while received := connection.recv(65536):
                answer += received
    return answer.decode()


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_is_too_long_is_refused(server, is_chunked):
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {7 * MEGABYTE}"
    head = f"POST /api {HOST}Content-Type: application/json\r\n{length}\r\n\r\n"
    part = f"{MEGABYTE:x}\r\n{' ' * MEGABYTE}\r\n" if is_chunked else " " * MEGABYTE
    answer = exchange(server, head, *[part] * 7)
    assert "HTTP/1.1 413" in answer and "application/problem+json" in answer


@pytest.mark.parametrize("chunk", ["zz\r\n{}\r\n", "5\r\n{}\r\n", "-2\r\n{}\r\n", "2\r\n{}+"])
def test_chunks_that_are_none_are_refused(server, chunk):
    head = f"POST /api {HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = exchange(server, f"{head}{chunk}0\r\n\r\n")
    assert "HTTP/1.1 400" in answer and "application/problem+json" in answer
    assert "Traceback" not in server.log.read_text()


def test_a_chunk_that_is_none_is_refused_also_where_the_limit_is_reached(server):
    head = f"POST /api {HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    full = f"{6 * MEGABYTE:x}\r\n{' ' * 6 * MEGABYTE}\r\n"
    answer = exchange(server, head, full, "zz\r\n")
    assert "HTTP/1.1 400" in answer and "application/problem+json" in answer
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("Content-Length: 100", '{"value": 12}'),
        ("Content-Length: 100", ""),
        ("Transfer-Encoding: chunked", 'd\r\n{"value": 12}\r\n'),
        ("Transfer-Encoding: chunked", 'd\r\n{"val'),
    ],
)
def test_a_body_that_breaks_off_is_refused_even_if_it_makes_sense(server, header, body):
    head = f"POST /api {HOST}Content-Type: application/json\r\n{header}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{head}{body}".encode())
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 400") and "The body breaks off" in answer
    assert "Traceback" not in server.log.read_text()


def test_a_client_that_asks_whether_to_go_on_is_told_so(server):
    headers = "Content-Type: application/json\r\nContent-Length: 13\r\nConnection: close\r\n"
    answer = exchange(
        server, f"POST /api {HOST}{headers}Expect: 100-continue\r\n\r\n", '{"value": 12}'
    )
    assert re.findall(r"HTTP/1.1 (\d+)", answer) == ["100", "200"] and ":144}" in answer


def test_head_has_the_headers_of_get_and_no_body(server):
    answer = exchange(server, f"HEAD /api?value=12 {HOST}Connection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 200") and answer.endswith("\r\n\r\n")


def test_a_connection_takes_the_next_request_even_after_an_answer_without_a_body(server):
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    for tag, status in [("", 200), ("*", 304), ("", 200)]:
        connection.request("GET", "/api?value=12", headers={"If-None-Match": tag})
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (status, status == 200)
    connection.close()


@pytest.mark.parametrize(
    ("request_line", "headers", "statuses"),
    [
        ("GET /" + "a" * 8200, "", {"414", "400"}),  # 400 by Gunicorn before 26
        ("GET /", "A: " + "b" * 8200 + "\r\n", {"431"}),
        ("GET /", "".join(f"A{number}: b\r\n" for number in range(200)), {"431"}),
        ("\x00 /", "", {"400"}),
        ("GET /", "Content-Length: -1\r\n", {"400"}),
        ("GET /", "Content-Length: 1\r\nContent-Length: 2\r\n", {"400"}),
        ("POST /api", "Transfer-Encoding: stolen\r\n", {"501"}),
        ("POST /api", "Expect: more\r\n", {"417"}),
    ],
    ids=["link", "header", "headers", "method", "length", "lengths", "coding", "expectation"],
)
def test_what_is_no_request_or_too_long_is_told_so(server, request_line, headers, statuses):
    head, _, body = exchange(server, f"{request_line} {HOST}{headers}\r\n").partition("\r\n\r\n")
    assert head[9:12] in statuses, head
    assert {"Content-Type: application/problem+json", "Connection: close"} <= set(head.splitlines())
    assert json.loads(body)["status"] == int(head[9:12]) and json.loads(body)["detail"]
    counted = server.get("/metrics").body.decode()
    assert f'{{method="other",route="other",status="{head[9:12]}"}}' in counted
    said = server.log.read_text()
    assert "127.0.0.1" not in said.partition("Open http")[2] and "Traceback" not in said


@pytest.mark.parametrize(("trusted", "scheme"), [("127.0.0.1", "https"), ("10.0.0.1", "http")])
def test_a_proxy_is_believed_if_it_is_named(bake, serve, trusted, scheme):
    with serve(bake(), FORWARDED_ALLOW_IPS=trusted) as server:
        said = "X-Forwarded-Proto: https\r\nConnection: close\r\n"
        assert f"{scheme}://localhost/api" in exchange(server, f"GET / {HOST}{said}\r\n")


def test_predictions_beyond_the_limit_are_asked_to_come_back(calls, project):
    ended = as_completed(calls)
    for refused in [next(ended).result() for _ in range(3)]:
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert refused.headers["Content-Type"] == "application/problem+json"
    (project / "hold").unlink()
    assert next(ended).result().status == 200


def test_no_more_than_a_thousand_predictions_wait(project, serve):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    (project / "hold").touch()
    limits = {"MODEL_PROCESSES": "1", "MODEL_WAIT": "100"}
    try:
        with serve(project, MODEL_CHECK="false", **limits) as server, contextlib.ExitStack() as all:
            calls = [HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(1011)]
            for call in calls:
                all.callback(call.close)
                call.request("GET", "/api?value=900")
            refused = [first_answered(calls).getresponse() for _ in range(10)]
            assert {answer.status for answer in refused} == {503}
            ready = server.get("/readyz")
            assert ready.status == 503 and b"too many predictions wait" in ready.body
            (project / "hold").unlink()
            assert {call.getresponse().status for call in calls} == {200}
            assert server.get("/readyz").status == 200
    finally:
        (project / "hold").unlink(missing_ok=True)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def first_answered(calls: list[HTTPConnection]) -> HTTPConnection:
    """Take the call that is answered first out of the list."""
    watched = select.poll()
    for call in calls:
        watched.register(call.sock, select.POLLIN)
    (found, _), *_ = watched.poll(20_000)
    return calls.pop([call.sock.fileno() for call in calls].index(found))


def test_a_prediction_gets_its_turn_when_another_ends(calls, project):
    time.sleep(0.2)
    (project / "hold").unlink()
    assert {call.result().status for call in calls} == {200}


def test_a_client_that_sends_slowly_keeps_no_other_from_a_prediction(busy):
    headers = f"POST /api {HOST}Content-Type: application/json\r\nContent-Length: 12\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", busy.port)) for _ in range(200)]
    for connection in slow:
        connection.sendall(f"{headers}{{".encode())
    assert busy.get("/api?value=3").status == 200
    for connection in slow:
        connection.close()


def test_health_is_told_while_the_model_is_busy(busy, calls):
    seconds = []
    while not any(call.done() for call in calls):  # for a second
        start = time.monotonic()
        assert busy.get("/healthz").status == busy.get("/readyz").status == 200
        seconds.append(time.monotonic() - start)
    assert statistics.median(seconds) < 0.1, seconds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_CONTENT_LENGTH", "1MB"),
        ("BATCH_ROWS", "0"),
        ("PROCESSES", "2.5"),
        ("PROCESSES", "100000"),
        ("TIMEOUT", "true"),
        ("WAIT", "-1"),
        ("WAIT", "5000"),
        ("CORS_ORIGINS", "example.org"),
        ("CHECK", "no"),
    ],
)
def test_a_bad_limit_stops_the_start_with_a_sentence(bake, name, value):
    said = refused_start(bake(), **{f"MODEL_{name}": value})
    sentences = [line for line in said.splitlines() if "INFO" not in line]
    assert len(sentences) == 1 and f"MODEL_{name}" in sentences[0] and "Traceback" not in said
    assert value.lower() in sentences[0].lower()


SETTINGS = """
import json, runpy
from service.pool import WAITING
from service.settings import SETTINGS

served = runpy.run_path("gunicorn.conf.py")
names = ["workers", "graceful_timeout"]
names += ["limit_request_line", "limit_request_field_size", "limit_request_fields"]
print(json.dumps([SETTINGS, WAITING, *(served[name] for name in names)]))
"""


def test_the_table_of_the_settings_has_the_limits(bake):
    text = (bake() / "docs/settings.md").read_text("utf-8")
    table = "\n".join(re.findall(r"^\| .*", text, re.M))
    command = [PYTHON, "-c", SETTINGS]
    printed = subprocess.check_output(command, cwd=bake(), env=clean_environment())
    defaults, waiting, services, grace, line, size, fields = json.loads(printed)
    assert set(defaults) == set(re.findall(r"MODEL_(\w+)", table))
    assert defaults["PROCESSES"] is None and "one per core, if they fit into the memory" in table
    longest, rows = defaults["MAX_CONTENT_LENGTH"] / MEGABYTE, defaults["BATCH_ROWS"]
    for row in (
        f"length of a body | {longest:g} MB | 413 | `MODEL_MAX_CONTENT_LENGTH` (bytes)",
        f"rows of a batch | {rows:,} | 413 | `MODEL_BATCH_ROWS`",
        f"predictions that wait | {waiting:,} | 503 | ",
        f"waits for a model process | {defaults['WAIT']} s | 503 | `MODEL_WAIT` (seconds)",
        f"time that a prediction takes | {defaults['TIMEOUT']} s | 504 | `MODEL_TIMEOUT` (seconds)",
        f"service processes, which do the HTTP | {services} | | `WEB_CONCURRENCY`",
        f"length of a link | {line:,} bytes | 414 | ",
        f"length of a header | {size:,} bytes | 431 | ",
        f"headers | {fields} | 431 | ",
        f"time to finish when stopped | {grace} s | no answer | ",
        f"`MODEL_CHECK` | `{json.dumps(defaults['CHECK'])}` | ",
        f"`MODEL_CORS_ORIGINS` | `{defaults['CORS_ORIGINS']}` | ",
    ):
        assert row in table
