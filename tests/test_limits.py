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
from http.client import HTTPConnection, HTTPResponse

import pytest
from conftest import PYTHON, clean_environment, refused_start, swapped

pytestmark = pytest.mark.slow

MEGABYTE = 1_000_000  # bytes
HOST = "HTTP/1.1\r\nHost: localhost\r\n"
JSON = f"POST /api {HOST}Content-Type: application/json\r\n"
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


def test_a_client_may_read_that_it_is_refused_before_all_is_sent(server):
    head = f"POST /nowhere {HOST}Content-Length: {5 * MEGABYTE}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode())
        for _ in range(50):
            connection.sendall(bytes(100_000))
            time.sleep(0.005)
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("path", ["/nowhere", "/healthz", "/api"])
def test_a_refused_body_is_read_before_its_answer_which_a_proxy_would_lose(server, path):
    head = f"POST {path} {HOST}Content-Length: {50 * MEGABYTE}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode())
        for _ in range(49):
            connection.sendall(bytes(MEGABYTE))
            assert not select.select([connection], [], [], 0.01)[0]
        connection.sendall(bytes(MEGABYTE))
        answer = connection.makefile("rb").read()
    assert re.match(rb"HTTP/1.1 (404|405|415) ", answer) and answer.count(b"HTTP/1.1") == 1


def test_a_refused_body_that_stops_short_is_answered(server):
    head = f"POST /nowhere {HOST}Content-Length: {50 * MEGABYTE}\r\n\r\n"
    assert exchange(server, head, "x" * MEGABYTE).startswith("HTTP/1.1 404")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_is_too_long_is_refused(server, is_chunked):
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {7 * MEGABYTE}"
    head = f"{JSON}{length}\r\n\r\n"
    part = f"{MEGABYTE:x}\r\n{' ' * MEGABYTE}\r\n" if is_chunked else " " * MEGABYTE
    answer = exchange(server, head, *[part] * 7)
    assert "HTTP/1.1 413" in answer and "application/problem+json" in answer


@pytest.mark.parametrize("chunk", ["zz\r\n{}\r\n", "5\r\n{}\r\n", "-2\r\n{}\r\n", "2\r\n{}+"])
def test_chunks_that_are_none_are_refused(server, chunk):
    head = f"{JSON}Transfer-Encoding: chunked\r\n\r\n"
    answer = exchange(server, f"{head}{chunk}0\r\n\r\n")
    assert "HTTP/1.1 400" in answer and "application/problem+json" in answer
    assert "Traceback" not in server.log.read_text()


def test_a_chunk_that_is_none_is_refused_also_where_the_limit_is_reached(server):
    head = f"{JSON}Transfer-Encoding: chunked\r\n\r\n"
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
    head = f"{JSON}{header}\r\n\r\n"
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


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/api?value=12", "", 200),
        ("/api?value=x", "", 422),
        ("/nowhere", "", 404),
        ("/api", "A: " + "b" * 8200 + "\r\n", 431),
        ("/api", "Content-Length: -1\r\n", 400),
    ],
)
def test_head_has_the_headers_of_get_and_no_body(server, target, headers, status):
    answer = exchange(server, f"HEAD {target} {HOST}{headers}Connection: close\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status}") and answer.endswith("\r\n\r\n")


@pytest.mark.parametrize(
    "request_line", ["GET /healthz", "HEAD /healthz", "GET /nowhere", "POST /api"]
)
@pytest.mark.parametrize(
    "chunk", ["ZZ\r\n", "5\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "2\r\n"]
)
def test_a_request_has_one_answer_also_if_its_body_is_broken(server, request_line, chunk):
    head = f"{request_line} {HOST}Transfer-Encoding: chunked\r\n\r\n"
    answer = exchange(server, head, chunk)
    assert len(re.findall(r"HTTP/1.1 \d+", answer)) == 1 and "Connection: close" in answer


def test_a_body_that_nobody_reads_is_not_taken_for_a_request(server):
    smuggled = f"GET /healthz {HOST}\r\n"
    head = f"GET /healthz {HOST}Content-Length: {len(smuggled)}\r\n\r\n"
    assert exchange(server, head + smuggled).count("HTTP/1.1 200") == 1


@pytest.mark.parametrize("wish", ["close", "Upgrade, HTTP2-Settings, Close", "close,te"])
def test_a_connection_is_closed_where_this_is_one_of_several_wishes(server, wish):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"GET /healthz {HOST}Connection: {wish}\r\n\r\n".encode())
        begun = time.monotonic()
        assert b"Connection: close" in connection.makefile("rb").read()
        assert time.monotonic() - begun < 1


def test_a_request_that_names_no_host_is_refused(server):
    assert exchange(server, "GET /healthz HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 400")
    assert exchange(server, "GET /healthz HTTP/1.0\r\n\r\n").startswith("HTTP/1.0 200")


@pytest.mark.parametrize("host", ["", "a b", 'a"b', "a/b", ":80", "[::1", "x" * 300, "é"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_host_that_is_none_is_refused_with_a_sentence(server, host, method):
    head = f"{method} / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = exchange(server, head)
    assert answer.startswith("HTTP/1.1 400") and "application/problem+json" in answer
    assert ("The header Host names no host" in answer) == (method == "GET")


@pytest.mark.parametrize(
    "host", ["[::1]:5000", "127.0.0.1:80", "my_model:8080", "localhost", "a.example."]
)
def test_a_host_is_taken_in_each_form(server, host):
    head = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = exchange(server, head)
    assert answer.startswith("HTTP/1.1 200")


@pytest.mark.parametrize("target", ["/static/style.css", "/api?value=12"])
def test_a_condition_that_is_meant_for_changes_is_ignored(server, target):
    conditions = 'If-Match: "a"\r\nIf-None-Match: "a"\r\nConnection: close\r\n'
    answer = exchange(server, f"GET {target} {HOST}{conditions}\r\n")
    assert answer.startswith("HTTP/1.1 200")


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
        ("POST /api", "Transfer-Encoding: gzip, chunked\r\n", {"501"}),
        ("POST /api", "Expect: more\r\n", {"417"}),
    ],
    ids="link header headers method length lengths coding codings expectation".split(),
)
def test_what_is_no_request_or_too_long_is_told_so(server, request_line, headers, statuses):
    head, _, body = exchange(server, f"{request_line} {HOST}{headers}\r\n").partition("\r\n\r\n")
    assert head[9:12] in statuses, head
    assert {"Content-Type: application/problem+json", "Connection: close"} <= set(head.splitlines())
    assert json.loads(body)["status"] == int(head[9:12]) and json.loads(body)["detail"]
    counted = server.get("/metrics").body.decode()
    assert re.search(f'{{method="\\w+",route="other",status="{head[9:12]}"}}', counted)
    said = server.log.read_text()
    assert "127.0.0.1" not in said.partition("Open http")[2] and "Traceback" not in said


@pytest.mark.parametrize(("trusted", "scheme"), [("127.0.0.1", "https"), ("10.0.0.1", "http")])
def test_a_proxy_is_believed_if_it_is_named(bake, serve, trusted, scheme):
    with serve(bake(), FORWARDED_ALLOW_IPS=trusted) as server:
        said = "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\nConnection: close\r\n"
        assert f"{scheme}://localhost/api" in exchange(server, f"GET / {HOST}{said}\r\n")


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "REMOTE_USER", "Script-Name"])
def test_nobody_says_under_which_path_the_service_is(server, name):
    answer = exchange(server, f"GET /healthz {HOST}{name}: /healthz\r\nConnection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 200") and "alive" in answer


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
            calls = [HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(1012)]
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
    headers = f"{JSON}Content-Length: 12\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", busy.port)) for _ in range(200)]
    for connection in slow:
        connection.sendall(f"{headers}{{".encode())
    assert busy.get("/api?value=3").status == 200
    for connection in slow:
        connection.close()


# Bodies that cost much to read

MANY = """
from pydantic import BaseModel, field_validator

class Input(BaseModel):
    numbers: list[float] = []
    files: list[bytes] = []
    word: str = ""

    @field_validator("word")
    def known(cls, word):
        if word:
            raise ValueError(f"{word!r} is unknown")

class Output(BaseModel):
    count: int

def predict(inputs: Input) -> Output:
    return Output(count=len(inputs.numbers))
"""
PART = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n--b--\r\n'
HEAD = '--b\r\nContent-Disposition: form-data; name="a"'
FORMS = {
    "parameters of a part": HEAD + "; a=b" * 1_800_000 + "\r\n\r\n\r\n--b--",
    "headers of a part": HEAD + "\r\nA: b" * 1_500_000 + "\r\n\r\n\r\n--b--",
    "no part": "x" * 9_900_000,
    "lines": PART.format('files"; filename="a', "\r\n" * 4_900_000),
    "numbers": PART.format("numbers", "[" + "1," * 4_900_000 + "1]"),
    "lists": PART.format("numbers", "[" + "[]," * 3_200_000 + "[]]"),
}
TABLES = {
    "names": "numbers," * 1_200_000,
    "lines": "numbers\n" + "1\n" * 4_900_000,
    "cells": "numbers\n" + "1," * 4_900_000,
    "quotes": 'numbers\n"' + '""' * 4_900_000 + '"',
    "a list in a cell": 'numbers\n"[' + "[]," * 3_200_000 + '[]]"',
    "9,900 cells of 1,000 bytes": "numbers\n" + "1" * 1000 + ("\n" + "1" * 1000) * 9_800,
}
OBJECT = "{" + ",".join(f'"{number}":1' for number in range(700_000)) + "}"
LISTS = "[" + "[]," * 3_000_000 + "[]]"
OBJECTS = {
    "an object": f"[{OBJECT}]",
    "equal names": '[{"numbers": [], ' + '"5": 1,' * 1_200_000 + '"6": 1}]',
    "lists": f'[{{"5": 1, "numbers": {LISTS}}}]',
    "kept lists": f'[{{"5": {LISTS}}}]',
    "a long text": '[{"5": 1, "numbers": "' + "\\n" * 4_500_000 + '"}]',
    "a kept text": '[{"5": "' + "\\n" * 4_500_000 + '"}]',
    "9,900 rows": "[" + ",".join(['{"5": "' + "x" * 900 + '"}'] * 9_900) + "]",
    "9,900 bad rows": "[" + ",".join(['{"5": "' + "x" * 900 + '", "a": 1}'] * 9_900) + "]",
}
QUOTED = {
    "a text that its validator quotes": '{"word": "' + "\\n" * 4_900_000 + '"}',
    "a long name": '{"' + "x.1" * 3_300_000 + '": 1}',
}
BODIES = [("/api", "application/json", QUOTED), ("/api/batch", "application/json", OBJECTS)]
BODIES += [("/api/batch?keep=5", "application/json", OBJECTS)]
BODIES += [("/api", "multipart/form-data; boundary=b", FORMS)]
BODIES += [("/api/batch", "text/csv", TABLES)]
HOSTILE = {
    f"{path} {kind[-4:]} {name}": (path, kind, text)
    for path, kind, texts in BODIES
    for name, text in texts.items()
}


@pytest.fixture(scope="module")
def alone(cookies_session, serve):
    """One service process, whose model takes lists and files."""
    project = swapped(cookies_session.bake().project_path, MANY, records=False)
    counts = {"WEB_CONCURRENCY": "1", "MODEL_PROCESSES": "2"}
    with serve(project, MODEL_CHECK="false", **counts) as started:
        yield started


@pytest.mark.parametrize("name", HOSTILE)
def test_nobody_waits_while_a_body_is_read(alone, name):
    path, kind, text = HOSTILE[name]
    for _ in range(6):  # a busy machine only adds
        answer, wait = waited(alone, "POST", path, text, {"Content-Type": kind})
        assert answer.status in (200, 400, 413, 422) and len(answer.body) < 20_000_000
        if wait < 0.3:
            return
    pytest.fail(f"others wait for {wait} s")


def waited(server, *request) -> tuple[HTTPResponse, float]:
    """The answer to a request, and the longest that somebody else waits meanwhile (s)."""
    connection, waits = HTTPConnection("127.0.0.1", server.port, timeout=60), []

    def ask() -> HTTPResponse:
        connection.request(*request)
        response = connection.getresponse()
        response.body = response.read()
        return response

    with contextlib.closing(connection), ThreadPoolExecutor(1) as pool:
        call = pool.submit(ask)
        while not (waits and call.done()):
            begun = time.monotonic()
            assert server.get("/healthz").status == 200
            waits.append(time.monotonic() - begun)
    return call.result(), max(waits)


ANSWERS = """
from pydantic import BaseModel, Field

class Input(BaseModel):
    size: int = Field(description="Length of the answer (MB)", examples=[0])

class Output(BaseModel):
    picture: bytes = Field(json_schema_extra={"contentMediaType": "image/png"})
    text: str
    numbers: list[int]

def predict(inputs: Input) -> Output:
    picture = bytes([137, 80, 78, 71, 13, 10, 26, 10]) + bytes(inputs.size * 250_000)
    text = 'a line, "quoted"' * (inputs.size * 20_000)
    return Output(picture=picture, text=text, numbers=[123456789] * (inputs.size * 35_000))
"""


@pytest.fixture(scope="module")
def talkative(cookies_session, serve):
    """One service process, whose model gives long answers."""
    project = swapped(cookies_session.bake().project_path, ANSWERS)
    with serve(project, WEB_CONCURRENCY="1", MODEL_PROCESSES="2") as started:
        yield started


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/api/batch", "size\n50\n"),
        ("/api/batch?keep=id", "id,size\n1,50\n"),
        ("/api/batch", "size\n" + "1\n" * 50 + "x\n"),
    ],
)
def test_nobody_waits_while_a_long_table_is_written(talkative, path, text):
    for _ in range(6):  # a busy machine only adds
        answer, wait = waited(talkative, "POST", path, text, {"Content-Type": "text/csv"})
        assert answer.status == 200 and len(answer.body) > 40_000_000
        if wait < 0.6:
            return
    pytest.fail(f"others wait for {wait} s")


HEADS = {
    "Accept": "a/b," * 2000,
    "Accept of spaces": "a" + " " * 8000 + "b",
    "If-None-Match": '"a",' * 2000,
    "Connection": "a, " * 2600,
}


@pytest.mark.parametrize("lines", [1, 90])
@pytest.mark.parametrize("name", HEADS)
def test_nobody_waits_while_headers_are_read(alone, name, lines):
    head = f"{name.partition(' ')[0]}: {HEADS[name]}\r\n" * lines
    best = float("inf")
    for _ in range(6):  # a busy machine only adds
        with socket.create_connection(("127.0.0.1", alone.port), timeout=60) as connection:
            connection.sendall(f"GET /citation {HOST}Connection: close\r\n{head}\r\n".encode())
            begun = time.monotonic()
            assert alone.get("/healthz").status == 200
            best = min(best, time.monotonic() - begun)
            answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200" if lines == 1 else b"HTTP/1.1 431"), answer
    assert best < 0.1


def test_nobody_waits_while_chunks_of_a_byte_are_read(alone):
    body, waits = b"1\r\n \r\n" * 200_000 + b"0\r\n\r\n", []
    with socket.create_connection(("127.0.0.1", alone.port), timeout=60) as connection:
        connection.sendall(f"{JSON}Transfer-Encoding: chunked\r\n\r\n".encode() + body)
        while not is_answered(connection):
            begun = time.monotonic()
            assert alone.get("/healthz").status == 200
            waits.append(time.monotonic() - begun)
        assert connection.recv(100).startswith(b"HTTP/1.1 400")  # spaces are no JSON
    assert len(waits) > 5 and statistics.median(waits) < 0.1


def is_answered(connection: HTTPConnection | socket.socket) -> bool:
    """Whether there is an answer to be read."""
    return bool(select.select([getattr(connection, "sock", connection)], [], [], 0)[0])


# Clients that keep the service waiting

LONG = """
from pydantic import BaseModel, Field

class Input(BaseModel):
    size: int = Field(ge=0, description="Length of the answer", examples=[1])

class Output(BaseModel):
    text: str

def predict(inputs: Input) -> Output:
    return Output(text="x" * inputs.size)
"""


@pytest.fixture(scope="module")
def hasty(cookies_session, serve):
    """A service that waits for slow clients only for a moment, and has room for few."""
    project = swapped(cookies_session.bake().project_path, LONG)
    limits = {"MODEL_SILENCE": "1", "MODEL_TRANSFER": "2", "WEB_CONCURRENCY": "1"}
    room = {"GUNICORN_CMD_ARGS": "--worker-connections 40 --keep-alive 4"}
    with serve(project, **limits, **room) as started:
        yield started


def lasted(connection: socket.socket) -> tuple[str, float]:
    """What comes until the service ends a connection, and how long that takes (s)."""
    start = time.monotonic()
    return connection.makefile("rb").read().decode(), time.monotonic() - start


@pytest.mark.parametrize("text", ["", "GET /healthz HTT", f"GET /healthz {HOST}A: b\r\nC"])
def test_headers_that_do_not_come_in_time_end_the_connection(hasty, text):
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=10) as connection:
        connection.sendall(text.encode())
        assert lasted(connection)[0] == ""
    assert "Traceback" not in hasty.log.read_text()


def test_headers_that_trickle_have_no_more_time(hasty):
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=0.2) as connection:
        assert 0.5 < trickle(connection, f"GET /healthz {HOST}A: ") < 2


def trickle(connection: socket.socket, text: str) -> float:
    """Send a text, then a space every 0.2 s; say when an answer, or the end, comes (s)."""
    start = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < start + 5:
            connection.sendall(text.encode())
            text = " "
            with contextlib.suppress(TimeoutError):
                connection.recv(1, socket.MSG_PEEK)
                break
    return time.monotonic() - start


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_stops_is_told_so_in_time(hasty, is_chunked):
    length = "Transfer-Encoding: chunked" if is_chunked else "Content-Length: 100"
    head = f"{JSON}{length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=10) as connection:
        connection.sendall(f"{head}5\r\n{{".encode())
        answer, seconds = lasted(connection)
    assert answer.startswith("HTTP/1.1 400") and "problem+json" in answer and 0.5 < seconds < 2
    assert "comes too slowly" in answer


def test_a_body_that_trickles_has_to_be_whole_in_time(hasty):
    head = f"{JSON}Content-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=0.2) as connection:
        assert 1.5 < trickle(connection, head) < 3
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_an_answer_that_is_not_taken_in_time_is_given_up(hasty):
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", hasty.port))
        connection.sendall(f"GET /api?size=9000000 {HOST}\r\n".encode())
        time.sleep(2.5)
        assert len(lasted(connection)[0]) < 9_000_000
    assert "Traceback" not in hasty.log.read_text()


def test_a_slow_answer_is_taken_whole_as_long_as_it_goes_on(hasty):
    connection = HTTPConnection("127.0.0.1", hasty.port, timeout=10)
    connection.request("GET", "/api?size=9000000")
    answer = connection.getresponse()
    parts = []
    while part := answer.read(1_000_000):
        parts.append(part)
        time.sleep(0.1)
    assert len(b"".join(parts)) > 9_000_000
    connection.close()


def test_an_idle_client_is_waited_for_longer_between_requests(hasty):
    connection = HTTPConnection("127.0.0.1", hasty.port, timeout=10)
    for _ in range(2):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
        time.sleep(2.5)
    connection.close()


@pytest.mark.parametrize(
    "text", ["", "GET /healthz HTTP/1.1\r\nHo", f"{JSON}Content-Length: 9\r\n\r\n"]
)
def test_whoever_keeps_the_service_waiting_makes_room_for_others(hasty, text):
    start = time.monotonic()
    with contextlib.ExitStack() as all:
        for _ in range(200):
            client = socket.create_connection(("127.0.0.1", hasty.port), timeout=10)
            all.enter_context(client).sendall(text.encode())
        assert hasty.get("/api?size=1").status == 200
        assert time.monotonic() - start < 0.9  # before any of them was too slow
    assert "Traceback" not in hasty.log.read_text()


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
        ("SILENCE", "0"),
        ("TRANSFER", "1h"),
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
from service.pool import HELD, WAITING
from service.settings import SETTINGS
from service.tables import GROWTH
from service.heads import HEAD

served = runpy.run_path("gunicorn.conf.py")
names = ["workers", "graceful_timeout", "keepalive"]
names += ["limit_request_line", "limit_request_field_size", "limit_request_fields"]
print(json.dumps([SETTINGS, GROWTH, HEAD, HELD, WAITING, *(served[name] for name in names)]))
"""


def test_the_table_of_the_settings_has_the_limits(bake):
    text = (bake() / "docs/settings.md").read_text("utf-8")
    table = "\n".join(re.findall(r"^\| .*", text, re.M))
    command = [PYTHON, "-c", SETTINGS]
    printed = subprocess.check_output(command, cwd=bake(), env=clean_environment())
    defaults, growth, head, held, waiting, services, grace, kept, line, size, fields = json.loads(
        printed
    )
    assert set(defaults) == set(re.findall(r"MODEL_(\w+)", table))
    assert defaults["PROCESSES"] is None and "one per core, if they fit into the memory" in table
    longest, rows = defaults["MAX_CONTENT_LENGTH"] / MEGABYTE, defaults["BATCH_ROWS"]
    for row in (
        f"length of a body | {longest:g} MB | 413 | `MODEL_MAX_CONTENT_LENGTH` (bytes)",
        f"rows of a batch | {rows:,} | 413 | `MODEL_BATCH_ROWS`",
        f"a name for each cell | {growth} times the table, and as much as a body | 413 ",
        f"pause between two requests of a connection | {kept} s | the connection ends | ",
        f"predictions that wait | {waiting:,} | 503 | ",
        f"bytes of these bodies, per service process | {held / MEGABYTE:g} MB | 503 | ",
        f"waits for a model process | {defaults['WAIT']} s | 503 | `MODEL_WAIT` (seconds)",
        f"time that a prediction takes | {defaults['TIMEOUT']} s | 504 | `MODEL_TIMEOUT` (seconds)",
        f"time for all its headers | {defaults['SILENCE']} s | 400, or the connection ends | ",
        f"to send a whole answer | {defaults['TRANSFER']} s | 400, or the connection ends | ",
        f"service processes, which do the HTTP | {services} | | `WEB_CONCURRENCY`",
        f"length of a link | {line:,} bytes | 414 | ",
        f"length of a header | {size:,} bytes | 431 | ",
        f"headers | {fields} | 431 | ",
        f"all headers together | {head // 1024} KB | 431 | ",
        f"time to finish when stopped | {grace} s | no answer | ",
        f"`MODEL_CHECK` | `{json.dumps(defaults['CHECK'])}` | ",
        f"`MODEL_CORS_ORIGINS` | `{defaults['CORS_ORIGINS']}` | ",
    ):
        assert row in table
