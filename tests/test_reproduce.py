"""`flask reproduce` says whether the recorded answers are still given, and if not, what broke."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import clean_environment, free_port, swapped, wait_for
from test_examples import FLOATS, flask, square_differently

CODES = {"OK": 0, "BUILD": 3, "START": 4, "CONTRACT": 5, "VALUE": 6, "IDENTITY": 7}


def reproduce(project: Path, *words: str, **variables: str) -> tuple[str, str, dict | None]:
    """Run the command; its outcome, what it prints, and its report."""
    (project / "reproduction.json").unlink(missing_ok=True)
    result = subprocess.run(
        [sys.executable, "-m", "flask", "reproduce", *words],
        cwd=project,
        env=clean_environment() | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert len(result.stdout.splitlines()) <= 10, result.stdout
    outcome = next((name for name, code in CODES.items() if code == result.returncode), "failed")
    assert outcome == "failed" or result.stdout.startswith(f"{outcome}: "), result.stderr
    path = project / "reproduction.json"
    text = path.read_text("utf-8") if path.exists() else "null"
    report = json.loads(text, parse_constant=pytest.fail)  # such as Infinity, which is no JSON
    assert report is None or report["outcome"] == outcome
    return outcome, result.stdout + result.stderr, report


@pytest.fixture
def project(cookies) -> Path:
    return cookies.bake().project_path


@pytest.fixture
def checkout(project, tmp_path) -> Path:
    """A copy of the project, as another machine has it."""
    return Path(shutil.copytree(project, tmp_path / "a checkout"))


def servers(project: Path) -> list[Path]:
    """The processes that run in a project's folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # it has ended, or is not ours
            found += [path] if path.readlink() == project else []
    return found


@pytest.mark.slow
def test_a_faithful_project_is_ok_and_leaves_nothing_running(project):
    outcome, said, report = reproduce(project, "--local", http_proxy="http://127.0.0.1:9")
    assert outcome == "OK", said
    assert "2 of 2 answers fit, off by 0.00e+00 of the scale at most." in said
    assert {name: found["outcome"] for name, found in report["examples"].items()} == {
        "two": "OK",
        "very-large": "OK",
    }
    assert report["service"]["fingerprint"] in said
    assert "Starting this project" in said and "very-large: answered with 200" in said
    assert not servers(project)


@pytest.mark.slow
def test_a_live_service_is_asked_by_its_address(project, checkout, serve):
    with serve(project) as server:
        outcome, said, _ = reproduce(checkout, "--url", f"http://127.0.0.1:{server.port}/")
    assert outcome == "OK", said


@pytest.mark.slow
def test_a_drifted_value_is_named_with_the_part_that_differs_first(project, checkout, serve):
    square_differently(project)
    with serve(project, MODEL_CHECK="false") as server:
        outcome, said, report = reproduce(checkout, "--url", f"http://127.0.0.1:{server.port}")
    assert outcome == "VALUE", said
    assert said.index("model differs: ") < said.index("two.json: Value Squared is 5")
    assert "service differs" not in said and list(report["differs"]) == ["model"]


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [0.005, 0.001])
def test_the_worst_deviation_is_told_and_an_example_may_allow_more(project, tolerance):
    swapped(project, FLOATS, records=False)  # its curve for 1 is [1000, 0]
    example = {
        "request": {"x": 1},
        "response": {"curve": [1000.5, 2.0], "label": "é"},
        "tolerance": {"rtol": tolerance},
    }
    (project / "model/examples/one.json").write_text(json.dumps(example))
    outcome, said, report = reproduce(project, "--local")
    assert outcome == ("OK" if tolerance == 0.005 else "VALUE"), said
    assert "off by 2.00e-03 of the scale" in said  # 2 in 1000.5
    assert report["examples"]["one"]["path"] == "curve[1]"


@pytest.mark.slow
def test_a_drifted_value_of_this_very_project_is_a_value(project):
    square_differently(project)
    outcome, said, report = reproduce(project, "--local")
    assert (outcome, report["differs"]) == ("VALUE", {}), said


@pytest.mark.slow
def test_a_renamed_key_breaks_the_contract(project):
    path = project / "model/square.py"
    path.write_text(path.read_text().replace("Value Squared", "Square"))
    outcome, said, _ = reproduce(project, "--local")
    assert outcome == "CONTRACT", said
    assert "Value Squared is missing, recorded as 4" in said


@pytest.mark.slow
def test_a_refused_request_breaks_the_contract(project):
    path = project / "model/square.py"
    path.write_text(path.read_text().replace("ge=-LARGEST", "ge=0"))
    outcome, said, _ = reproduce(project, "--local")
    assert outcome == "CONTRACT", said
    assert "very-large.json: the status is 422, with {" in said
    assert "value: Input should be greater than or equal to 0." in said


@pytest.mark.slow
def test_another_form_is_graver_than_another_value_of_the_same_answer(project):
    square_differently(project)
    path = project / "model/square.py"
    path.write_text(path.read_text() + "\n\nclass Output(Output):\n    more: int = 0\n")
    outcome, said, _ = reproduce(project, "--local")
    besides = "1 more differs: Value Squared is 5, recorded as 4."
    assert outcome == "CONTRACT", said
    assert f"two.json: more is 0, recorded as missing; {besides}" in said


@pytest.mark.slow
def test_one_byte_of_the_weights_is_another_identity(project, checkout, serve):
    (project / "model/weights.bin").write_bytes(b"\0\1")
    (checkout / "model/weights.bin").write_bytes(b"\0\2")
    with serve(project) as server:
        outcome, said, report = reproduce(checkout, "--url", f"http://127.0.0.1:{server.port}")
    assert outcome == "IDENTITY", said
    assert list(report["differs"]) == ["model"] and "model differs: " in said


@pytest.mark.slow
def test_another_version_of_a_package_is_named(project, checkout, serve):
    packages = "".join(
        f"https://conda.example/linux-64/{name}-0.1-py_0.conda#0\n"
        for name in ("flask", "gunicorn", "jinja2", "pydantic", "not-there")
    )
    lock = f"@EXPLICIT\n{packages}"
    for architecture in ("amd64", "arm64"):
        (checkout / f"locks/linux-{architecture}.lock").write_text(lock)
    square_differently(project)
    with serve(project, MODEL_CHECK="false", IMAGE_BASE="debian:13-slim") as server:
        outcome, said, report = reproduce(checkout, "--url", f"http://127.0.0.1:{server.port}")
    assert outcome == "VALUE", said
    assert all(f"{name} differs: " in said for name in ("model", "lock", "base"))
    assert "flask differs: 3." in said and " answers, 0.1 is here.\n" in said
    parts, packages = ["model", "lock", "base"], ["flask", "gunicorn", "jinja2", "pydantic"]
    assert sorted(report["differs"]) == sorted(parts + packages)
    assert said.index("flask differs") < said.index("two.json: Value Squared")


@pytest.mark.slow
def test_a_lock_that_is_not_here_is_named(project, serve):
    with serve(project) as server:
        info = json.loads(server.get("/service-info").body)
    info["parts"]["lock"] = "0123456789abcdef"
    with answering(200, json.dumps(info).encode()) as url:
        _, said, report = reproduce(project, "--url", url)
    assert list(report["differs"]) == ["lock"] and "lock differs: 0123456789abcdef answers" in said


@pytest.mark.slow
def test_another_base_image_is_named_and_no_other_identity(project, checkout, serve):
    with serve(project, IMAGE_BASE="debian:13-slim") as server:
        outcome, said, report = reproduce(checkout, "--url", f"http://127.0.0.1:{server.port}")
    assert outcome == "OK", said
    assert list(report["differs"]) == ["base"] and "base differs: " in said


@pytest.mark.slow
def test_a_service_that_does_not_start_says_why(project):
    path = project / "model/__init__.py"
    path.write_text(path.read_text() + "\ndef load():\n    raise OSError('no weights')\n")
    outcome, said, report = reproduce(project, "--local")
    assert outcome == "START", said
    assert "OSError: no weights" in said and "OSError: no weights" in report["reason"]
    assert not servers(project)


@pytest.mark.slow
@pytest.mark.parametrize("url", ["http://127.0.0.1:PORT", "no://nsense"])
def test_nobody_at_the_address_is_a_start(project, url):
    outcome, said, _ = reproduce(project, "--url", url.replace("PORT", str(free_port())))
    assert outcome == "START" and "does not answer" in said, said
    assert "Traceback" not in said


def test_an_address_without_http_is_told_how_to_write_it(project):
    outcome, said, report = reproduce(project, "--url", "localhost:5620")
    assert (outcome, report) == ("failed", None)
    assert "Write the address as --url http://localhost:5620 or https://localhost:5620." in said


INFO = b'{"fingerprint": %s, "parts": %s, "packages": {}, "base": {}, "architecture": "x"}'


class Quiet(BaseHTTPRequestHandler):
    """A handler of requests without a log."""

    def log_message(self, *words: object) -> None:
        """Write nothing."""


@contextlib.contextmanager
def hosted(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a web server that answers by this handler."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def answering(status: int, body: bytes = b"", location: str = "") -> Iterator[str]:
    """The address of a web server that answers everything alike."""

    class Handler(Quiet):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Location", location + self.path)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

    with hosted(Handler) as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (200, b"{}", "is no service of this kind"),
        (200, b"[]", "is no service of this kind"),
        (200, b'{"fingerprint": "x"}', "is no service of this kind"),
        (200, b"\xff<html>", "does not answer with JSON"),
        (200, b"[" * 200_000, "does not answer with JSON"),
        (200, rb'{"fingerprint": "\ud800"}', "does not answer with JSON"),
        (200, INFO % (b'"x"', b"7"), "is no service of this kind"),
        (200, INFO % (b'"x"', b'[["model"]]'), "is no service of this kind"),
        (200, INFO % (b'"x"', b'{"model": {}}'), "is no service of this kind"),
        (200, INFO % (b"[]", b"{}"), "is no service of this kind"),
        (200, INFO % (rb'"\u001b[2J\nOK: fine"', b"{}"), "is no service of this kind"),
        (503, b"", "is no service of this kind: its /service-info answers 503"),
    ],
)
def test_another_service_at_the_address_is_a_start(project, status, body, sentence):
    with answering(status, body) as url:
        outcome, said, _ = reproduce(project, "--url", url)
    assert outcome == "START" and sentence in said, said
    assert "Traceback" not in said


@pytest.mark.slow
def test_what_another_service_answers_steers_no_terminal(project):
    class Handler(Quiet):
        def do_GET(self):
            self.answer(200, INFO % (b'"x"', b"{}"))

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(500, "a\x1b[2J\x9b2J\u202e\n\nOK: fine".encode())

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

    with hosted(Handler) as url:
        outcome, said, _ = reproduce(project, "--url", url)
    assert outcome == "CONTRACT" and r"500, with a\x1b[2J\x9b2J\u202e OK: fine" in said, said
    assert said.replace("\n", "").isprintable()


@pytest.mark.slow
def test_an_answer_without_end_is_read_for_a_while_only(project):
    class Handler(Quiet):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"[" + b"1," * 500_000)

    with hosted(Handler) as url:
        outcome, said, _ = reproduce(project, "--url", url)
    assert outcome == "START" and "the answer takes more than 50 MB or 600 s" in said, said


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 308])
def test_a_service_that_has_moved_is_followed(project, serve, status):
    with serve(project) as server, answering(status, b"", f"http://127.0.0.1:{server.port}") as url:
        outcome, said, _ = reproduce(project, "--url", url)
    assert outcome == "OK", said


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "status"), [("MODEL_WAIT", 503), ("MODEL_TIMEOUT", 504)])
def test_a_service_that_takes_no_predictions_has_given_no_other_answer(
    project, checkout, serve, limit, status
):
    path = project / "model/__init__.py"
    path.write_text(f"{path.read_text()}\nimport time\n\npredict = lambda _: time.sleep(60)\n")
    settings = {"MODEL_CHECK": "false", "MODEL_PROCESSES": "1", limit: "1"}
    with (
        serve(project, **settings) as server,
        socket.create_connection(("127.0.0.1", server.port)) as other,
    ):
        other.sendall(b"GET /api?value=1 HTTP/1.1\r\nHost: here\r\n\r\n")
        outcome, said, _ = reproduce(checkout, "--url", f"http://127.0.0.1:{server.port}")
    assert outcome == "START", said
    assert f"takes no predictions now, but answers with {status}" in said


def client(folder: Path, program: str) -> None:
    """A program that stands in for Docker's client."""
    (folder / "docker").write_text(program)
    (folder / "docker").chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize("docker", ["", "#!/bin/sh\nexit 1\n"], ids=["no client", "no engine"])
def test_without_docker_it_says_what_else_can_be_done(project, tmp_path, docker):
    if docker:
        client(tmp_path, docker)
    outcome, said, report = reproduce(project, PATH=str(tmp_path))
    assert (outcome, report) == ("failed", None)
    way_out = ".venv/bin/python -m flask reproduce --local"
    assert said == f"Start Docker, or type: {way_out}\n"


def test_weights_that_are_missing_are_told_before_anything_is_built(project, tmp_path):
    client(tmp_path, "#!/bin/sh\n")
    weight = {"file": "w.bin", "url": "https://example.org/w", "sha256": "0" * 64, "bytes": 1}
    listed = json.dumps([weight | {"license": "MIT"}])
    (project / "model/weights.json").write_text(listed)
    outcome, said, _ = reproduce(project, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert outcome == "failed"
    assert said == "model/w.bin is missing; type: make weights\n"


def test_without_a_recorded_example_nothing_is_proven(project):
    shutil.rmtree(project / "model/examples")
    outcome, said, report = reproduce(project, "--local")
    assert (outcome, report) == ("failed", None) and "make record" in said


@pytest.mark.slow
def test_only_one_way_to_ask_can_be_chosen(project):
    outcome, said, _ = reproduce(project, "--local", "--url", "http://x")
    assert outcome == "failed" and "Choose one of --image REF, --url URL and --local." in said
    for empty in ("--url", "--image"):
        outcome, said, _ = reproduce(project, empty, "")
        assert outcome == "failed" and "Choose one of" in said


SLOW = """
import time
from pathlib import Path

def {}:
    Path("begun").touch()
    time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("work", ["load()", "predict(inputs)"])
@pytest.mark.parametrize("stop", ["SIGTERM", "SIGINT", "SIGHUP", "Ctrl-C"])
def test_one_that_is_stopped_leaves_nothing_running(project, stop, work):
    path = project / "model/__init__.py"
    path.write_text(path.read_text() + SLOW.format(work))
    command = [sys.executable, "-m", "flask", "reproduce", "--local"]
    process = subprocess.Popen(
        command, cwd=project, env=clean_environment(), start_new_session=True
    )
    wait_for(project / "begun")
    if stop == "Ctrl-C":  # which a terminal sends to all that the command has started
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.Signals[stop])
    assert process.wait(timeout=30) == 1
    assert not servers(project)


@pytest.mark.slow
def test_a_report_that_cannot_be_written_costs_no_outcome(project):
    (project / "reproduction.json").mkdir()
    result = flask(project, "reproduce", "--local")
    assert result.returncode == 0 and "could not be written here: Is a directory" in result.stdout
