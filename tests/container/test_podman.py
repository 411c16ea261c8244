"""Podman builds the same Dockerfile, and what it built serves."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .bases import names


@pytest.fixture(scope="module")
def podman(engine, bases, project, tmp_path_factory) -> Callable[..., str]:
    """Run `podman ...`, which must succeed, with a storage of its own that has the base images."""
    if not shutil.which("podman") and os.environ.get("CI") != "true":
        pytest.skip("Podman is not installed")
    folder = tmp_path_factory.mktemp("podman")
    places = [f"--root={folder}/data", f"--runroot={folder}/run", "--cgroup-manager=cgroupfs"]

    def podman(*arguments: object, **options: object) -> str:
        command = ["podman", *places, *map(str, arguments)]
        answer = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )
        assert answer.returncode == 0, answer.stdout
        return answer.stdout

    if bases == "stand-in":
        engine("save", "--output", folder / "bases.tar", *names(project / "Dockerfile").values())
        podman("load", "--input", folder / "bases.tar")
    yield podman
    podman("system", "reset", "--force")


# Podman's own runtimes want control groups that the tests' machine may not have
BUILD = ["build", "--format=docker", "--isolation=chroot"]


@pytest.fixture(scope="module")
def locked(podman, project, tmp_path_factory) -> Path:
    """The project with the locks that Podman wrote."""
    folder = Path(shutil.copytree(project, tmp_path_factory.mktemp("podman-locks") / "square"))
    podman(*BUILD, "--no-cache", "--target=lock", "--output=locks", ".", cwd=folder)
    return folder


def test_podman_writes_the_locks_of_both_platforms(locked):
    for architecture in ("amd64", "arm64"):
        assert "@EXPLICIT" in (locked / f"locks/linux-{architecture}.lock").read_text()


def test_what_podman_builds_from_a_lock_serves(podman, locked, engine, serve, tmp_path):
    podman(*BUILD, "--tag=square:podman", locked)
    podman("save", "--output", tmp_path / "image.tar", "square:podman")
    engine("load", "--input", tmp_path / "image.tar")
    container = serve("localhost/square:podman")
    assert json.loads(container.get("/api?value=12")[1]) == {"Value Squared": 144}
    assert container.health() == "healthy"
    program = "print(open('/opt/env/environment.lock').read())"
    assert "@EXPLICIT" in container.python(program).stdout
