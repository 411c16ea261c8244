"""The README's commands with Docker, word for word, in its order."""

import json
import re
import shlex
import time
import urllib.request
from pathlib import Path

import pytest

from .bases import names


@pytest.fixture
def docker(engine, bases, workspace):
    """Run a command of the README in the project; what it started is removed."""
    started = []

    def docker(command: str, *more: str) -> str:
        program, *words = shlex.split(command)
        assert program == "docker"
        output = engine(*words, *more, cwd=workspace)
        started.extend([output.splitlines()[-1]] if words[:2] == ["run", "-d"] else [])
        return output

    yield docker
    for container in started:
        engine.run("rm", "--force", container)
    engine.run("compose", "down", "--timeout", "2", cwd=workspace)


def commands(project: Path) -> list[str]:
    text = (project / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith("docker")]


def test_the_commands_serve_lock_and_debug(docker, engine, project, workspace, bases):
    compose, build, run, lock, debug, look = commands(project)
    docker(compose, "--detach", "--wait")
    assert square() == 144
    engine("compose", "down", cwd=workspace)
    docker(build)
    docker(run)
    assert square() == 144
    docker(lock)
    assert {path.suffix for path in (workspace / "locks").iterdir()} >= {".lock"}
    if bases == "stand-in":  # whose only image with a shell is the builder's
        debug = debug.replace("debian:13-slim", names(project / "Dockerfile")["MICROMAMBA"])
    docker(debug)
    assert docker(look.replace("-it ", ""), "-c", "type gunicorn").endswith("/opt/env/bin/gunicorn")


def square(seconds: float = 30) -> int:
    """What the service on the README's port answers, once it does."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen("http://127.0.0.1:5000/api?value=12") as answer:
                return json.load(answer)["Value Squared"]
        except OSError:
            assert time.monotonic() < end, "nothing answers on port 5000"
            time.sleep(0.1)
