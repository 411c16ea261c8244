"""`flask reproduce` with a real engine: builds, asks, compares, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .test_image import not_cached

OK, BUILD, START, VALUE = 0, 3, 4, 6


@pytest.fixture
def begin(engine, bases):
    """Begin the command in a project; of all that it makes nothing may be left."""

    def begin(folder: Path, *words: str) -> subprocess.Popen:
        path = f"{Path(engine.docker).parent}:{os.environ['PATH']}"
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "reproduce", *words],
            cwd=folder,
            env=os.environ | engine.settings | {"PATH": path, "DOCKER_BUILDKIT": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def made() -> list[str]:
        return [
            engine("ps", "--all", "--quiet", "--filter", "name=reproduce-"),
            engine("image", "ls", "reproduce", "--format={{.Tag}}"),
        ]

    before = made()  # by a run that failed, on an engine that outlives it
    yield begin
    assert made() == before


@pytest.fixture
def reproduce(begin):
    """Run the command in a project; its exit code and what it says."""

    def run(folder: Path, *words: str) -> tuple[int, str]:
        process = begin(folder, *words)
        said = "".join(process.communicate())
        return process.returncode, said

    return run


def drift(folder: Path) -> None:
    square = folder / "model/square.py"
    square.write_text(square.read_text().replace("inputs.value**2", "inputs.value**2 + 1"))


def test_a_faithful_project_is_rebuilt_asked_and_cleaned_away(reproduce, image, workspace):
    code, said = reproduce(workspace)
    assert code == OK, said
    # The same project was built before, but what proves something uses nothing of that.
    assert "micromamba create" in not_cached(said)
    report = json.loads((workspace / "reproduction.json").read_text())
    assert report["outcome"] == "OK" and report["differs"] == {}, report["differs"]


def test_a_broken_build_is_named(reproduce, workspace):
    (workspace / "environment.yml").write_text("name: x\ndependencies:\n  - no-such-package-0\n")
    code, said = reproduce(workspace)
    assert code == BUILD, said
    assert "BUILD: The image does not build." in said


def test_a_drift_of_the_rebuilt_image_is_a_value_and_no_broken_build(reproduce, workspace):
    drift(workspace)
    code, said = reproduce(workspace)
    assert code == VALUE, said
    assert "two.json: Value Squared is 5, recorded as 4" in said


def test_an_image_is_asked_by_its_name(reproduce, build, image, workspace):
    code, said = reproduce(workspace, "--image", image)
    assert code == OK, said
    drift(workspace)
    built = build(workspace, "--build-arg", "CHECK=false")
    assert built.succeeded, built.output
    code, said = reproduce(workspace, "--image", built.image)
    assert code == VALUE, said


def test_a_part_of_the_image_that_differs_is_named_first(reproduce, build, workspace, project):
    drift(workspace)
    built = build(workspace, "--build-arg", "CHECK=false")
    assert built.succeeded, built.output
    code, said = reproduce(project, "--image", built.image)
    (project / "reproduction.json").unlink()
    assert code == VALUE, said
    assert said.index("model differs") < said.index("two.json: Value Squared is 5, recorded as 4")


def test_an_image_that_is_not_there_is_a_start(reproduce, workspace):
    code, said = reproduce(workspace, "--image", "localhost/no-such-image:0")
    assert code == START and "no-such-image" in said, said


def test_an_image_whose_model_does_not_load_says_why(reproduce, build, workspace):
    with (workspace / "model/__init__.py").open("a") as model:
        model.write("\ndef load():\n    raise OSError('no weights')\n")
    built = build(workspace, "--build-arg", "CHECK=false")
    assert built.succeeded, built.output
    code, said = reproduce(workspace, "--image", built.image)
    assert code == START and "OSError: no weights" in said, said


def test_one_that_is_stopped_while_it_builds_leaves_nothing(begin, workspace):
    process = begin(workspace)
    assert process.stderr.readline()
    process.terminate()
    assert "Stopped." in process.communicate(timeout=60)[1]


def test_one_that_is_stopped_while_the_engine_exports_leaves_nothing(begin, workspace):
    process = begin(workspace)
    assert any("exporting" in line for line in process.stderr)
    process.terminate()
    assert "Stopped." in process.communicate(timeout=60)[1]
    time.sleep(3)  # an engine names what it has exported, whoever still listens


def test_one_that_is_stopped_by_the_impatient_leaves_nothing(begin, workspace):
    process = begin(workspace)
    assert any("answered with" in line for line in process.stderr)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    process.communicate()


def test_one_that_is_stopped_while_it_waits_leaves_nothing(begin, engine, build, workspace):
    with (workspace / "model/__init__.py").open("a") as model:
        model.write("\nimport time\n\ndef load():\n    time.sleep(600)\n")
    built = build(workspace, "--build-arg", "CHECK=false")
    assert built.succeeded, built.output
    process = begin(workspace, "--image", built.image)
    while not engine("ps", "--quiet", "--filter", "name=reproduce-"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.terminate()
    assert "Stopped." in process.communicate(timeout=60)[1]


def test_docker_alone_is_enough(engine, image):
    options = ["--rm", "--read-only", "--cap-drop=ALL", "--entrypoint=flask"]
    said = engine("run", *options, image, "reproduce", "--local")
    assert "OK: The recorded answers are given." in said
    assert "reproduction.json could not be written here: Read-only file system." in said
