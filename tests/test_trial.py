"""`make try` and `make test` while a model is being written, as its author sees them."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import venv
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

import pytest
from conftest import (
    PYTHON,
    Server,
    clean_environment,
    free_port,
    run_module,
    stand_in,
    tool,
    wait_for,
    wait_until,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make")


@pytest.fixture
def project(bake, tmp_path) -> Path:
    """A project of its own, with the tests' Python for its .venv."""
    return stand_in(Path(shutil.copytree(bake(), tmp_path / "tests/square")))


def change(project: Path, before: str, after: str) -> None:
    """Save a change of the model, as an editor does."""
    path = project / "model/square.py"
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")


class Trial(Server):
    """A `make try` whose terminal is written into its log."""

    def answer(self) -> bytes:
        """The answer to the call of the README."""
        return self.get("/api?value=2", timeout=60).body

    def is_square(self) -> bool:
        """Tell whether the square is served; a reload cuts off the requests in flight."""
        with contextlib.suppress(ConnectionError, HTTPException):
            return self.answer() == b'{"Value Squared":4}\n'
        return False

    def types(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def said(self) -> str:
        return self.log.read_text("utf-8")


@pytest.fixture
def trying(tmp_path) -> Callable[..., contextlib.AbstractContextManager[Trial]]:
    """Type `make try` in a project, and stop it by Ctrl-C."""

    @contextlib.contextmanager
    def started(project: Path) -> Iterator[Trial]:
        port, log = free_port(), tmp_path / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["make", "try"],
                cwd=project,
                env=clean_environment() | {"PORT": str(port), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            wait_for(log, "Running on", 60)
            yield Trial(process, port, log)
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.stdin.close()
            process.wait()

    return started


@pytest.mark.slow
def test_a_saved_change_is_served_and_a_changed_answer_is_shown_and_stops_nothing(project, trying):
    with trying(project) as trial:
        assert trial.answer() == b'{"Value Squared":4}\n'
        change(project, "inputs.value**2", "inputs.value**2 + 1")
        wait_for(trial.log, "model/examples/two.json: Value Squared is 5, recorded as 4.")
        assert trial.answer() == b'{"Value Squared":5}\n'
        assert trial.said().count("type: make record") == 1


# A type that pydantic does not know, as np.ndarray is
UNSAID = "import pydantic\n\nclass Made(pydantic.BaseModel):\n    numbers: range\n\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("import no_such_module\n", "model/ imports no_such_module, which is not installed"),
        ("x = = 2\n", "SyntaxError: invalid syntax"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        (UNSAID, "Made.numbers is <class 'range'>, which JSON cannot say: write float"),
        (
            "from model.pendulum import swing\n",
            "imports model.pendulum, which has no file in model/.",
        ),
        (
            "import square\n",
            "model/ imports square, which is in model/: import it as model.square.",
        ),
    ],
)
def test_a_model_that_cannot_be_imported_is_shown_and_waited_for(project, trying, fault, sentence):
    change(project, "from pydantic", f"{fault}from pydantic")
    with trying(project) as trial:
        wait_for(trial.log, "It is tried again when a file of it is saved.", 60)
        assert "arbitrary_types_allowed" not in trial.said()
        assert sentence in trial.said() and sentence.encode() in trial.answer()
        change(project, fault, "")
        wait_until(trial.is_square)


def test_a_port_that_is_in_use_is_one_clear_sentence(project, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        tried = run_module(project, "tools.trial")
    said = f"Port {port} is in use by a program: stop it, or choose PORT={port + 1}.\n"
    assert (tried.returncode, tried.stderr) == (1, said)


@pytest.mark.slow
def test_a_breakpoint_stops_in_the_terminal_at_a_call_and_at_no_example(project, trying):
    change(project, "    return Output", "    breakpoint()\n    return Output")
    answers = []
    with trying(project) as trial:
        caller = threading.Thread(target=lambda: answers.append(trial.answer()))
        caller.start()
        wait_for(trial.log, "(Pdb)", 60)
        trial.types("p 'the value is', inputs.value")
        wait_for(trial.log, "('the value is', 2)")
        trial.types("c")
        caller.join(30)
    assert answers == [b'{"Value Squared":4}\n']


@pytest.mark.slow
def test_a_model_without_recorded_answers_is_tried(project, trying):
    for path in project.glob("model/examples/*.json"):
        path.unlink()
    (project / "model/examples/new.json").write_text('{"request": {"value": 3}}')
    with trying(project) as trial:
        wait_until(trial.is_square)
        assert "No example is recorded" in trial.said()


@pytest.mark.slow
def test_a_new_file_is_noticed(project, trying):
    """An example, or the module that was missing."""
    face = project / "model/__init__.py"
    with trying(project) as trial:
        trial.answer()
        path = project / "model/examples/new.json"
        path.write_text('{"request": {"value": 3}, "response": {"Value Squared": 8}}')
        wait_for(trial.log, "model/examples/new.json: Value Squared is 9, recorded as 8.")
        path.unlink()
        face.write_text(face.read_text("utf-8").replace("model.square", "model.own"), "utf-8")
        wait_for(trial.log, "model/ imports model.own, which has no file in model/.")
        shutil.copy(project / "model/square.py", project / "model/own.py")
        wait_until(trial.is_square)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["model/square.py", "model/new.txt"])
def test_what_is_saved_while_the_environment_is_made_anew_waits_for_it(project, trying, place):
    folder, old = project / ".venv", project / ".venv-old"
    shutil.rmtree(folder / "bin")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "those-of-the-tests.pth").write_text(sysconfig.get_path("purelib"))
    with trying(project) as trial:
        wait_until(trial.is_square)
        with tool(project, "environment").turn():  # as it does while it makes .venv
            folder.rename(old)
            with (project / place).open("a") as file:
                file.write("\n")
            time.sleep(3)
            said = trial.said()
            assert trial.process.poll() is None and said.count("Restarting") == 1, said
            old.rename(folder)
        wait_until(lambda: trial.said().count("Restarting") == 2)
        wait_until(trial.is_square)


def own_tests(project: Path) -> subprocess.CompletedProcess:
    """Type `make test`."""
    return subprocess.run(
        ["make", "test"], cwd=project, env=clean_environment(), capture_output=True, text=True
    )


@pytest.mark.slow
def test_changed_answers_are_one_failure_in_one_block(project):
    change(project, "inputs.value**2", "inputs.value**2 + 1")
    (project / "tests/test_model.py").write_text("def test_nothing_yet():\n    pass\n")
    result = own_tests(project)
    assert result.returncode != 0
    assert re.search(r"^=+ 1 failed, \d+ passed in", result.stdout, re.M), result.stdout
    block = result.stdout.partition("Recorded answers have changed:\n")[2].splitlines()
    assert block[0] == "two: Value Squared is 5, recorded as 4"
    assert block[1].startswith("very-large: Value Squared is ")
    assert block[2].endswith("if the new answers are right, type: make record")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("model/examples/bad.json", '{"request": ', "model/examples/bad.json: the file: Invalid"),
        ("model/examples/two.json", '{"request": {"value": 1.5}, "response": 1}', "Input should"),
        ("CITATION.cff", "title: 1\n", "CITATION.cff"),
    ],
)
def test_the_owners_own_tests_come_first_whatever_stops_the_others(project, file, text, reason):
    (project / file).write_text(text)
    result = own_tests(project)
    assert result.returncode != 0
    ran = re.findall(r"^tests/(\w+)\.py (\S*)", result.stdout, re.M)
    assert ran[0] == ("test_model", "." * 10), result.stdout
    assert reason in result.stdout and "INTERNALERROR" not in result.stdout, result.stdout


@pytest.mark.slow
def test_what_stops_the_service_is_said_once_after_the_owners_own_tests(project):
    with (project / "model/__init__.py").open("a") as face:
        face.write("\nOutput = int\n")
    result = own_tests(project)
    assert result.returncode != 0
    assert "tests/test_model.py .........." in result.stdout
    assert result.stdout.count("model/__init__.py must export Output") == 1


@pytest.mark.slow
def test_a_field_that_json_cannot_say_is_named_without_a_traceback(project):
    change(project, "from pydantic", f"{UNSAID}from pydantic")
    result = own_tests(project)
    assert result.returncode != 0 and "Traceback" not in result.stdout, result.stdout
    told = result.stdout.partition("short test summary")[0]  # which repeats it in CI
    assert told.count("Made.numbers is <class 'range'>, which JSON cannot say") == 1


@pytest.mark.slow
def test_a_missing_package_is_said_in_a_sentence_without_a_traceback(project):
    change(project, "from pydantic", "import no_such_module\nfrom pydantic")
    result = own_tests(project)
    assert result.returncode != 0 and "Traceback" not in result.stdout, result.stdout
    sentence = r"^model/ imports no_such_module, which is not installed: .*make environment$"
    assert len(re.findall(sentence, result.stdout, re.M)) == 1, result.stdout
    path = project / "tests/test_model.py"  # which alone lacks a package
    path.write_text("import no_other_module\n")
    change(project, "import no_such_module\n", "")
    assert "tests/test_model.py:1: in <module>" in own_tests(project).stdout


@pytest.mark.slow
def test_a_warning_of_a_package_of_the_models_ends_no_test_and_is_summed_up(project):
    warning = 'import warnings\n    warnings.warn("old", FutureWarning)\n    return Output'
    change(project, "return Output", warning)
    result = own_tests(project)
    assert result.returncode == 0, result.stdout
    assert re.search(r" passed, \d+ warnings? in ", result.stdout)
    assert result.stdout.count("FutureWarning: old") == 1


def git(project: Path, *words: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return types(project, "git", *identity, *words)


def types(project: Path, *words: str) -> str:
    """Type a command, which must succeed; give its output."""
    done = subprocess.run(
        words, cwd=project, env=clean_environment(), check=True, capture_output=True, text=True
    )
    return done.stdout


def call_it(project: Path, number: str) -> None:
    """Write a version into CITATION.cff, and commit all."""
    path = project / "CITATION.cff"
    text = re.sub(r"(?m)^version: .*", f"version: {number!r}", path.read_text("utf-8"))
    path.write_text(text, "utf-8")
    git(project, "commit", "--quiet", "--all", f"--message={number}")


@pytest.fixture
def released(project) -> Path:
    """A project in git whose first version has its tag."""
    (project / ".gitignore").write_text(".venv/\n")
    for words in ("init -q", "add .", "commit -qm First", "tag v0.1.0"):
        git(project, *words.split())
    return project


def version(project: Path, *words: str) -> subprocess.CompletedProcess:
    """Ask tools/version.py, which writes nothing without a version that will do."""
    return run_module(project, "tools.version", *words)


def answers(project: Path, change: Callable[[dict], object]) -> None:
    """Let the version that has the tag have another recorded example."""
    path = project / "model/examples/two.json"
    now = path.read_text("utf-8")
    change(example := json.loads(now))
    path.write_text(json.dumps(example), "utf-8")
    git(project, "commit", "-qam", "Other", "--allow-empty")
    git(project, "tag", "--force", "v0.1.0")
    path.write_text(now, "utf-8")


CHANGES = {
    "nothing": (lambda one: None, "0.1.1", "All 2 recorded answers are those of v0.1.0."),
    "an answer": (
        lambda one: one["response"].update({"Value Squared": 5}),
        "0.2.0",
        "two.json: Value Squared is 4, recorded as 5.",
    ),
    "a member more": (
        lambda one: one["response"].clear(),
        "0.1.1",
        "two.json: the answer has more members.",
    ),
    "a member less": (
        lambda one: one["response"].update(cubed=8),
        "0.2.0",
        "two.json: cubed is missing, recorded as 8.",
    ),
    "another request": (
        lambda one: one["request"].update(value=3),
        "0.2.0",
        "two.json: the request of the old version is gone.",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_the_recorded_answers_say_what_step_a_version_is(released, name):
    change, least, reason = CHANGES[name]
    answers(released, change)
    said = version(released).stdout
    assert reason in said and f"A new version is {least} or higher." in said
    assert f"make version TO={least}" in said


@pytest.mark.slow
def test_an_example_is_compared_whatever_its_name_and_its_byte_order_mark(released):
    path = released / "model/examples/two.json"
    path.with_name("zwei größer.json").write_text(f"\ufeff{path.read_text('utf-8')}", "utf-8")
    git(released, "add", "model")
    answers(released, lambda one: None)
    assert "All 3 recorded answers are those of v0.1.0." in version(released).stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", ["0.1.1", "0.1.0", "0.2.0+local", "1!0.2.0", "new"])
def test_a_step_that_is_too_small_is_refused_and_nothing_is_written(released, number):
    answers(released, CHANGES["an answer"][0])
    before = (released / "CITATION.cff").read_text("utf-8")
    refused = version(released, number)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert (released / "CITATION.cff").read_text("utf-8") == before


@pytest.mark.slow
def test_a_tool_that_cannot_be_installed_is_one_clear_sentence(released):
    said = "The package index cannot be reached: check the network, then try again."
    (released / "tools/environment.py").write_text(f"raise SystemExit({said!r})\n", "utf-8")
    refused = version(released, "0.1.1")
    assert (refused.returncode, refused.stderr) == (1, f"{said}\n")


@pytest.mark.slow
def test_without_a_tag_it_is_said_that_nobody_can_know(project):
    said = version(project).stdout
    assert "git has no tag of a version, so nobody can tell" in said
    assert "Before the tag: git init && git add --all" in said


@pytest.mark.slow
def test_a_version_that_looks_like_a_number_is_the_text_that_it_is(project):
    path = project / "CITATION.cff"
    path.write_text(re.sub("(?m)^version: .*", "version: 1.10", path.read_text("utf-8")), "utf-8")
    assert "A new version is 1.10.1 or higher." in version(project).stdout


@pytest.mark.slow
def test_the_versions_that_the_pages_have_for_examples_raise_no_alarm(project):
    page = (project / "docs/deployment.md").read_text("utf-8")
    program = "import sys; from tools.version import left; print(sum(map(left, sys.argv[1:]), []))"
    shown = set(re.findall(r"\d\.\d\.\d", page)) - {"0.1.0"}
    assert len(shown) > 4 and types(project, PYTHON, "-c", program, *shown) == "[]\n"


@pytest.mark.slow
def test_a_model_that_gives_another_answer_gets_no_version(released):
    change(released, "inputs.value**2", "inputs.value**2 + 1")
    refused = version(released, "0.2.0")
    assert refused.returncode == 1 and "type: make record" in refused.stderr
    assert "two.json: Value Squared is 5, recorded as 4." in refused.stderr
    assert not git(released, "status", "--porcelain", "CITATION.cff")


@pytest.mark.slow
def test_a_version_is_written_without_the_v_of_its_tag(released):
    done = version(released, "v0.2.0")
    assert done.returncode == 0 and "git tag v0.2.0\n" in done.stdout, done.stderr
    assert 'version: "0.2.0"' in (released / "CITATION.cff").read_text("utf-8").splitlines()


@pytest.mark.slow
def test_a_changed_answer_is_compared_with_the_last_version_that_has_a_tag(released):
    call_it(released, "1.0.0")
    git(released, "tag", "v1.0.0")
    call_it(released, "1.0.1")
    assert "A new version is 1.0.1 or higher." in version(released).stdout
    change(released, "inputs.value**2", "inputs.value**2 + 1")
    types(released, PYTHON, "-m", "flask", "record", "--yes")
    refused = version(released, "1.0.2")
    assert "1.0.2 will not do after 1.0.0. Type the new version: make version TO=2.0.0" in (
        refused.stderr
    )
    assert (
        refused.returncode == 1 and "two.json: Value Squared is 5, recorded as 4." in refused.stdout
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["model/pendulum.py", "model/weights.npz", "model/examples/new.json", "tests/test_a.py"]
)
def test_a_file_that_git_does_not_know_gets_no_version(released, name):
    with (released / ".gitignore").open("a") as ignored:
        ignored.write("*.npz\n")
    (released / name).write_text('{"request": {"value": 3}, "response": {"Value Squared": 9}}')
    refused = version(released, "0.2.0")
    assert refused.returncode == 1 and f"git does not know {name}: type git add" in refused.stderr
    git(released, "add", "--force", name)
    program = "from tools.version import forgotten; print(forgotten())"
    assert types(released, PYTHON, "-c", program) == "[]\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "step", "new"),
    [
        ("1.2.3", "major", "2.0.0"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "patch", "1.2.4"),
        ("0.2.3", "major", "0.3.0"),
        ("0.2.3", "minor", "0.2.4"),
        ("2", "patch", "2.0.1"),
        ("1.2.0rc1", "patch", "1.2.0"),
        ("1.2.0rc1", "major", "2.0.0"),
    ],
)
def test_a_step_leads_to_a_version(project, old, step, new):
    program = "import sys; from tools.version import *; old, step = sys.argv[1:]; "
    program += "print(number(Version(old), step))"
    command = [sys.executable, "-c", program, old, step]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout == f"{new}\n"
