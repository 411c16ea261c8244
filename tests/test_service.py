"""The rendered service, behind a real Gunicorn on a free port, as a stranger meets it."""

import json
import re
import signal
import socket
import threading
from http.client import HTTPConnection
from urllib.parse import quote

import pytest
from conftest import refused_start, wait_for

BOUND = 10**150

NOT_VALID = {
    "missing": "/api",
    "empty": "/api?value=",
    "repeated": "/api?value=2&value=3",
    "misspelt": "/api?valeu=2",
    "fractional": "/api?value=2.5",
    "word": "/api?value=two",
    "hexadecimal": "/api?value=0x10",
    "underscore": "/api?value=1_000",
    "Arabic digit": "/api?value=" + quote("٣"),
    "NUL": "/api?value=%00",
    "NaN": "/api?value=NaN",
    "boolean": "/api?value=true",
    "JSON": "/api?value=%7B%7D",
    "broken percent-encoding": "/api?value=%zz",
    "beyond the bound": f"/api?value={BOUND + 1}",
    "below the bound": f"/api?value={-BOUND - 1}",
    "3,000 digits": "/api?value=" + "9" * 3000,
    "5,000 digits": "/api?value=" + "9" * 5000,
    "many fields": "/api?" + "&".join(f"a{number}" for number in range(500)),
}


@pytest.fixture(scope="module")
def server(bake, serve):
    with serve(bake()) as started:
        yield started


@pytest.mark.parametrize("value", [2, 0, -3, 2**64, BOUND, -BOUND], ids=range(6))
def test_the_square_is_exact(server, value):
    response = server.get(f"/api?value={value}")
    assert response.status == 200, response.body
    assert response.headers["Content-Type"] == "application/json"
    assert json.loads(response.body) == {"Value Squared": value * value}


@pytest.mark.parametrize(
    ("text", "value"),
    [("007", 7), ("-0", 0), ("-0010", -10), ("2.0", 2), ("1e3", 1000), ("%2B1", 1), ("%202", 2)],
)
def test_an_integer_may_be_written_as_tools_write_it(server, text, value):
    response = server.get(f"/api?value={text}")
    assert json.loads(response.body) == {"Value Squared": value * value}


@pytest.mark.parametrize("target", NOT_VALID.values(), ids=NOT_VALID)
def test_what_is_not_an_integer_within_bounds_is_refused_with_both_sides(server, target):
    response = server.get(target)
    problem = json.loads(response.body)
    assert response.status == problem["status"] == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "integer" in problem["required"]["value"]
    given = re.findall(r"[?&]([^=&]+)", target)
    assert len(problem["supplied"]) == min(len(set(given)), 20)  # the first of many
    assert set(problem["supplied"]) <= set(given)
    assert len(response.body) < 60_000


def test_a_refusal_quotes_what_was_supplied(server):
    problem = json.loads(server.get("/api?value=two").body)
    assert problem["supplied"] == {"value": "two"}
    assert problem["detail"] == (
        "value: Input should be a valid integer; write an integer such as 12."
    )


def test_a_text_that_is_cut_is_quoted_with_its_length(server):
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = json.dumps({"value": "x" * 20_000, "y" * 300: 1})
    connection.request("POST", "/api", body, {"Content-Type": "application/json"})
    problem = json.loads(connection.getresponse().read())
    connection.close()
    assert problem["supplied"] == {
        "value": f"{'x' * 100}… (20000 characters)",
        f"{'y' * 100}… (300 characters)": "1",
    }


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/" + quote("日本語"), 404),
        ("PUT", "/api", 405),
        ("DELETE", "/", 405),
        ("BREW", "/api", 405),
    ],
)
def test_a_wrong_path_or_method_is_a_problem_document(server, method, target, status):
    response = server.get(target, method)
    assert response.status == json.loads(response.body)["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "GET" in response.headers.get("Allow", "GET")


@pytest.mark.parametrize(
    "target",
    [
        "/api?value=" + "9" * 100_000,
        "/api?" + "&" * 100_000,
        "/api?%",
        "/%00",
        "/api?value=2#",
        "*",
    ],
    ids=lambda target: f"{target[:12]} ({len(target)})",
)
def test_no_target_is_answered_with_a_fault_of_the_service(server, target):
    assert server.get(target).status < 500


@pytest.mark.parametrize(
    "host", ["model.example:8080", "[::1]:5000", 'a"b', "a b", "é", "x" * 5000, ""]
)
def test_no_host_is_answered_with_a_fault_of_the_service(server, host):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("utf-8"))
        status = int(connection.makefile("rb").readline().split()[1])
    assert status < 500


def test_the_page_says_what_this_is_and_its_link_works(server):
    response = server.get("/")
    page = response.body.decode("utf-8")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<h1 dir="auto">Square API</h1>' in page
    (link,) = re.findall(r'<a href="(api[^"]*)"', page)
    assert json.loads(server.get(f"/{link}").body) == {"Value Squared": 4}
    assert f"http://127.0.0.1:{server.port}/api?value=2" in page


def test_the_start_prints_the_address_and_a_request_that_works(server):
    wait_for(server.log, "type: ")
    command = re.search(r"type: (curl '[^']+')", server.log.read_text())[1]
    url = re.search(r"http://localhost:(\d+)(/[^']+)", command)
    assert int(url[1]) == server.port
    assert json.loads(server.get(url[2]).body) == {"Value Squared": 4}


def test_a_service_starts_also_where_python_looks_for_no_module_in_the_folder(bake, serve):
    with serve(bake(), PYTHONSAFEPATH="1") as server:
        assert json.loads(server.get("/api?value=2").body) == {"Value Squared": 4}


def test_the_log_of_a_quiet_hour_has_no_error_or_warning(bake, serve):
    with serve(bake()) as started:
        started.get("/api?value=2")
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(timeout=15) == 0
    assert not re.findall(r"ERROR|WARNING|Traceback", started.log.read_text())


SLOW = """
import time
from pathlib import Path
from model.square import Input, Output
from model.square import predict as square

def predict(inputs: Input) -> Output:
    Path("predicting").touch()
    time.sleep(1)
    return square(inputs)
"""


@pytest.fixture
def slow_project(cookies):
    """A project whose model takes two seconds."""
    project = cookies.bake().project_path
    (project / "model/__init__.py").write_text(SLOW)
    return project


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_stopped_service_ends_cleanly(bake, serve, stop):
    with serve(bake()) as started:
        started.process.send_signal(stop)
        assert started.process.wait(timeout=15) == 0


def test_sigterm_during_a_slow_request_loses_no_answer(slow_project, serve):
    with serve(slow_project, MODEL_CHECK="false") as started:  # or the check would be the slow one
        answers = []
        call = threading.Thread(target=lambda: answers.append(started.get("/api?value=5")))
        call.start()
        wait_for(slow_project / "predicting")
        started.process.send_signal(signal.SIGTERM)
        call.join(timeout=15)
        assert started.process.wait(timeout=15) == 0
    (answer,) = answers
    assert (answer.status, json.loads(answer.body)) == (200, {"Value Squared": 25})


def test_a_port_in_use_is_one_clear_sentence(bake):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused_start(bake(), PORT=str(port))
    (sentence,) = [line for line in said.splitlines() if "INFO" not in line]
    assert f"Port {port} is in use" in sentence and f"PORT={port + 1}" in sentence


@pytest.mark.parametrize("port", ["http", "70000", "-1", "80.5", "", "0"])
def test_a_bad_port_is_one_clear_sentence(bake, port):
    said = refused_start(bake(), PORT=port)
    assert said == f"PORT={port!r} is no port: write a number such as 5000.\n"


@pytest.mark.slow
def test_a_setting_whose_name_is_misspelt_is_named_once_in_the_log(bake, serve):
    others = dict.fromkeys(["MODEL_NAME", "MODEL_PORT_5000_TCP", "MODEL_WEIGHTS"], "x")
    misspelt = {"MODEL_WIAT": "3", "MODEL_CORS_ORIGIN": "none"}
    with serve(bake(), MODEL_WAIT="4", **misspelt, **others) as server:
        server.get("/readyz")
    lines = [line for line in server.log.read_text().splitlines() if "is no setting" in line]
    told = [json.loads(line)["message"] for line in lines]
    assert told == [
        "MODEL_CORS_ORIGIN is no setting, and changes nothing: write MODEL_CORS_ORIGINS.",
        "MODEL_WIAT is no setting, and changes nothing: write MODEL_WAIT.",
    ]


@pytest.mark.parametrize("listen", ["no address", ""])
def test_a_bad_address_is_one_clear_sentence(bake, listen):
    said = refused_start(bake(), LISTEN=listen)
    assert said.startswith(f"LISTEN={listen!r} is no address: write ") and said.count("\n") == 1


def test_an_address_of_ipv6_is_listened_at(bake, serve):
    with serve(bake(), LISTEN="::") as server:
        assert server.get("/healthz").status == 200


@pytest.mark.slow
def test_a_model_that_does_not_load_stops_the_start_with_its_reason(cookies):
    project = cookies.bake().project_path
    face = project / "model/__init__.py"
    for fault in (
        "raise RuntimeError('no weights')",
        "def load():\n    raise RuntimeError('no weights')",
    ):
        face.write_text(f"from model.square import Input, Output, predict\n\n{fault}\n")
        said = refused_start(project)
        assert "no weights" in said and "model/__init__.py" in said and "line " in said
