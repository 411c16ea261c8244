"""What the tests share: rendered projects, and servers that answer on a free port."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers
from started import below, command_line

TEMPLATE = Path(__file__).parents[1]
# Which Python serves: another one may have another Gunicorn
PYTHON = os.environ.get("SERVICE_PYTHON", sys.executable)

# A commit gets the same cases each time, and .ci/run more of them by --hypothesis-profile=deep.
# --hypothesis-profile=search looks for new ones.
profiles = {"fast": (20, True), "deep": (1000, True), "search": (1000, False)}
for name, (number, is_fixed) in profiles.items():
    hypothesis.settings.register_profile(
        name, max_examples=number, deadline=None, derandomize=is_fixed
    )
hypothesis.settings.load_profile("fast")

# Hypothesis draws constants of all modules that are loaded by then, which are others in each run.
constants = providers._get_local_constants
providers._get_local_constants = lambda: (
    providers.Constants() if hypothesis.settings.default.derandomize else constants()
)


def literal(text: str) -> str:
    """Write a text so that Cookiecutter, which renders what it is given, gives back just it."""
    return "{{ " + repr(text) + " }}" if "{" in text else text


@pytest.fixture(scope="session")
def bake(cookies_session) -> Callable[..., Path]:
    """Render the template with the answers given and return the project, the same for the same."""
    projects: dict[frozenset, Path] = {}

    def bake_once(**answers: str) -> Path:
        key = frozenset(answers.items())
        if key not in projects:
            result = cookies_session.bake({name: literal(text) for name, text in answers.items()})
            assert result.exit_code == 0, result.exception
            projects[key] = result.project_path
        return projects[key]

    return bake_once


# The request is made of the examples of the fields of `Input`; the project records the answer.
RECORD = """
import json, model, subprocess, sys
from pathlib import Path
fields = model.Input.model_fields.items()
request = {field.alias or name: field.examples[0] for name, field in fields if field.examples}
Path("model/examples/first.json").write_text(json.dumps({"request": request}))
sys.exit(subprocess.run([sys.executable, "-m", "flask", "record"]).returncode)
"""


EXAMPLES: dict[str, str] = {}  # by the source of the model, each recorded once


def swapped(project: Path, source: str, records: bool = True) -> Path:
    """The project with another model and its example, whose own tests say nothing yet."""
    shutil.rmtree(project / "model")
    (project / "model/examples").mkdir(parents=True)
    (project / "model/__init__.py").write_text(source, "utf-8")
    (project / "tests/test_model.py").write_text("def test_nothing_yet():\n    pass\n")
    owners, listed = packages_distributions(), project / "environment.yml"
    for name in re.findall(r"^ *(?:import|from) (\w+)", source, re.M):
        for package in owners.get(name, [])[:1]:
            listed.write_text(f"{listed.read_text('utf-8')}  - {package}\n", "utf-8")
    if records and source not in EXAMPLES:
        command = [sys.executable, "-c", RECORD]
        subprocess.run(command, cwd=project, env=clean_environment(), check=True)
        EXAMPLES[source] = (project / "model/examples/first.json").read_text("utf-8")
    if records:
        (project / "model/examples/first.json").write_text(EXAMPLES[source], "utf-8")
    return project


def stand_in(project: Path) -> Path:
    """Let the tests' own Python be the .venv of a project, so that make has nothing to install."""
    (project / ".venv/bin").mkdir(parents=True)
    (program := project / ".venv/bin/python").write_text(f'#!/bin/sh\nexec {PYTHON} "$@"\n')
    program.chmod(stat.S_IRWXU)
    (project / ".venv/ready").write_text(tool(project, "environment").state(), "utf-8")
    return project


def tool(project: Path, name: str) -> ModuleType:
    """A file of the project's tools/ as a module."""
    path = project / f"tools/{name}.py"
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@dataclass
class Server:
    """A started service: its process, its port, and what it printed so far."""

    process: subprocess.Popen
    port: int
    log: Path

    def services(self) -> set[int]:
        """The service processes."""
        return set(below(self.process.pid, "gunicorn"))

    def keeper(self) -> int:
        """The keeper of the model processes."""
        (keeper,) = below(self.process.pid, "service.keeper")
        return keeper

    def models(self) -> set[int]:
        """The model processes."""
        return set(below(self.process.pid, "service.runner"))

    def get(self, target: str, method: str = "GET", timeout: float = 10) -> HTTPResponse:
        """Send one request with the target as it stands, so that broken ones arrive broken."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.putrequest(method, target, skip_accept_encoding=True)
        connection.endheaders()
        response = connection.getresponse()
        response.body = response.read()
        connection.close()
        return response


@pytest.fixture(scope="session")
def serve(tmp_path_factory) -> Callable[..., contextlib.AbstractContextManager[Server]]:
    """Start a command in a project with a free PORT, wait until it listens, stop it at the end.

    With `port`, the project is expected to listen there by itself, and no PORT is set.
    """
    if sys.platform == "win32":
        pytest.skip("Gunicorn does not run on Windows")

    @contextlib.contextmanager
    def started(
        project: Path, *command: str, port: int | None = None, **variables: str
    ) -> Iterator[Server]:
        free = {} if port else {"PORT": str(free_port())}
        port = port or int(free["PORT"])
        log = tmp_path_factory.mktemp("server") / "log"
        words = [word.replace("PORT", str(port)) for word in command or ("-m", "gunicorn")]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [PYTHON, *words],
                cwd=project,
                env=clean_environment() | {"TMPDIR": str(log.parent)} | free | variables,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = Server(process, port, log)
        try:
            wait_until_it_listens(server)
            yield server
        finally:
            left = below(process.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            # One that still loads would write byte code into a folder that is being removed.
            for one in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
            wait_until(lambda: not any(map(command_line, left)))

    return started


def refused_start(project: Path, **variables: str) -> str:
    """Start Gunicorn in a project that must not serve, and return what it says of that."""
    result = subprocess.run(
        [PYTHON, "-m", "gunicorn"],
        cwd=project,
        env=clean_environment() | {"PORT": str(free_port())} | variables,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode != 0
    return result.stdout + result.stderr


def wait_until_it_listens(server: Server, seconds: float = 30) -> None:
    """Poll the port; fail with the log if the process ends or the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            return
        time.sleep(0.05)
    pytest.fail(f"nothing listens on port {server.port}:\n{server.log.read_text()}")


def wait_for(path: Path, text: str = "", seconds: float = 30) -> None:
    """Poll until a file is there and contains the text."""
    end = time.monotonic() + seconds
    while not (path.exists() and text in path.read_text("utf-8")):
        assert time.monotonic() < end, f"{text!r} never came in {path}"
        time.sleep(0.05)


def wait_until(happened: Callable[[], object], seconds: float = 30) -> None:
    """Poll until something has happened."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"it did not happen within {seconds} s"
        time.sleep(0.02)


def sampled(values: Iterable, step: int) -> list:
    """Parameters of a test, of which the fast tests try the first and each `step`-th after it."""
    return [
        pytest.param(value, marks=[pytest.mark.slow] * bool(number % step))
        for number, value in enumerate(values)
    ]


def missing(tool: str) -> None:
    """Skip for want of a tool, but fail where everything must be there."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{tool} is not installed")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_module(project: Path, *command: str, **options: object) -> subprocess.CompletedProcess:
    """Run a module of the tests' Python in a project, without the tests' own settings."""
    command = [sys.executable, "-m", *command]
    given = {"cwd": project, "env": clean_environment(), "capture_output": True, "text": True}
    return subprocess.run(command, **given, **options)


def clean_environment() -> dict[str, str]:
    """The environment without what belongs to the tests' own Python, make, conda and git."""
    ours = "CONDA GIT_ MAKE MAMBA MFLAGS PIP_REQUIRE PYTEST PYTHON VIRTUAL_ENV".split()
    return {name: value for name, value in os.environ.items() if not name.startswith(tuple(ours))}
