"""The commands with Docker in the README and in docs/, word for word."""

import json
import re
import shlex
import ssl
import time
import urllib.request
from pathlib import Path

import pytest

from .bases import names


@pytest.fixture
def docker(engine, bases, workspace):
    """Run a command of a page in the project; what it started is removed."""
    started = []

    def docker(command: str, *more: str, **options) -> str:
        program, *words = shlex.split(command)
        assert program == "docker"
        output = engine(*words, *more, cwd=workspace, **options)
        started.extend([output.splitlines()[-1]] if words[:2] == ["run", "-d"] else [])
        return output

    yield docker
    for container in started:
        engine.run("rm", "--force", container)
    engine.run("compose", "--profile=*", "down", "--volumes", "--timeout=2", cwd=workspace)


def commands(project: Path, page: str) -> list[str]:
    """The commands with Docker of a page, but for those that ask git."""
    text = (project / page).read_text("utf-8")
    return re.findall(r"^docker (?!.*\$).+$", text, re.M)


def test_the_commands_serve_lock_and_debug(docker, engine, project, workspace, bases):
    compose, lock, _ = commands(project, "README.md")
    build, run, again, debug, look = commands(project, "docs/images-and-locks.md")
    assert lock == again
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


def test_the_published_image_runs_by_one_command_from_a_file_too(
    docker, engine, project, workspace
):
    (load,) = commands(project, "docs/publishing.md")
    run = commands(project, "README.md")[-1]
    image = run.split()[-1]
    docker(f"docker build -t {image} .")
    engine("save", "--output", workspace / load.split()[-1], image)
    engine("rmi", image)
    assert image in docker(load)
    docker(run.replace("run ", "run -d "))
    assert square() == 144


def test_the_commands_put_it_on_the_internet(docker, engine, project, workspace):
    public, password, logs, build, push = commands(project, "docs/deployment.md")
    (workspace / ".env").write_text("DOMAIN=localhost\nREPLICAS=2\n")
    docker(public, "--wait")
    assert square("https://localhost") == 144
    assert "caddy" in docker(logs.removesuffix("--follow"))
    digest = docker(password.replace("run ", "run -T "), input="a password\n")
    assert digest.splitlines()[-1].startswith("$2a$")
    docker(build)
    image = build.split()[3]
    assert push == f"docker push {image}"
    assert engine("inspect", "--format", "{{.Config.User}}", image) == "65532:65532"


def square(address: str = "http://127.0.0.1:5000", seconds: float = 30) -> int:
    """What the service answers, once it does, whoever vouches for it."""
    anyone, end = ssl._create_unverified_context(), time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{address}/api?value=12", context=anyone) as answer:
                return json.load(answer)["Value Squared"]
        except OSError:
            assert time.monotonic() < end, f"nothing answers at {address}"
            time.sleep(0.1)
