"""A researcher's day, from the clone to the next version, typed with Python, make and git alone."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml
from commands import Person, commit, copy_template
from conftest import free_port, wait_until
from test_environment import bare_path
from test_readme import typed, written

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make"),
]


class Researcher(Person):
    """Somebody with an empty home folder, whose PATH has Python, make and git, and no conda."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path, self.project, self.took = bare_path(folder), self.desk / "square-api", {}

    def does(self, *words: str, fails: bool = False, says: str | None = None) -> str:
        """Type a command in the project, which must succeed or fail; note how long it took."""
        begun = time.monotonic()
        done = subprocess.run(
            words,
            cwd=self.project,
            env=self.environment(PATH=self.path),
            input=says or "",
            capture_output=True,
            text=True,
        )
        self.took[" ".join(words)] = time.monotonic() - begun
        print(f"{self.took[' '.join(words)]:6.1f} s  {' '.join(words)}")
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def serves(self, target: str) -> Iterator[int]:
        """Type `make serve` or `make try`, and Ctrl-C at the end."""
        port = free_port()
        process = subprocess.Popen(
            ["make", target],
            cwd=self.project,
            env=self.environment(PATH=self.path, PORT=str(port)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        begun = time.monotonic()
        try:
            wait_until(lambda: get(port, "/healthz") == 200, 60)
            print(f"{time.monotonic() - begun:6.1f} s  make {target}, until it answers")
            yield port
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def get(port: int, target: str) -> int:
    """The status of an answer, or 0 where nobody answers."""
    return ask(port, target)[0]


def ask(port: int, target: str, **headers: str) -> tuple[int, str]:
    """The status and the text of an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


@pytest.fixture
def researcher(tmp_path) -> Researcher:
    """A researcher who has just rendered a project from a clone of the template."""
    someone = Researcher(tmp_path)
    origin = commit(someone, copy_template(tmp_path / "origin"))
    clone = ["git", "clone", "--quiet", origin.as_uri(), "model-api"]
    assert someone.types(*clone).returncode == 0
    someone.renders("./model-api")
    return someone


def put_the_pendulum_in(project: Path) -> str:
    """Do by hand what the README says; give the file of the model."""
    readme = (project / "README.md").read_text("utf-8")
    steps = readme.partition("\n## Make it yours")[2].partition("\n## ")[0]
    assert typed(steps) == ["make environment", "make try", "make record", "make test"]
    files = {name: text for name, text in written(steps).items() if name}
    for old in [project / "model/square.py", *project.glob("model/examples/*.json")]:
        old.unlink()
    for name, text in files.items():
        (project / name).write_text(text, "utf-8")
    return next(iter(files))


def test_the_day(researcher):
    project = researcher.project
    model = project / put_the_pendulum_in(project)
    researcher.does("make", "environment")
    assert researcher.does("make", "environment") == ""
    with researcher.serves("try") as port:
        assert ask(port, "/api?length=1")[1].startswith('{"period":2.00')
    researcher.does("make", "record")
    assert " passed" in researcher.does("make", "test")
    for words in ("init --quiet", "add --all", "commit --quiet --message=First", "tag v0.1.0"):
        researcher.does("git", *words.split())
    assert ".venv" not in researcher.does("git", "ls-files")

    # A constant is corrected: the answer changes.
    text = model.read_text("utf-8")
    model.write_text(text.replace("9.80665", "9.81"), "utf-8")
    assert "one-metre: period is 2.00" in researcher.does("make", "test", fails=True)
    assert "Overwrite the recorded answer?" in researcher.does("make", "record", says="y\n")
    researcher.does("make", "test")
    refused = researcher.does("make", "version", "TO=0.1.1", fails=True)
    assert "0.1.1 will not do after 0.1.0" in refused and "make version TO=0.2.0" in refused
    said = researcher.does("make", "version", "TO=0.2.0")
    assert "Next: git commit --all --message 'Version 0.2.0' && git tag v0.2.0" in said
    named = researcher.does("git", "grep", "-n", "--fixed-strings", "0.1.0")
    (line,) = named.splitlines()
    assert "cookiecutter-model-api 0.1.0" in line
    citation = yaml.safe_load((project / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == "0.2.0" and citation["date-released"]
    for words in ("commit --quiet --all --message=Second", "tag v0.2.0"):
        researcher.does("git", *words.split())
    researcher.does("make", "test")
    assert "All 1 recorded answers are those of v0.2.0." in researcher.does("make", "version")
    with researcher.serves("serve") as port:
        bibtex = ask(port, "/citation", Accept="application/x-bibtex")[1]
    year = str(citation["date-released"].year)
    assert re.search(r"version += +{0.2.0}", bibtex) and year in bibtex
    left = {path.name for path in researcher.home.iterdir()}
    assert left <= {".cache", ".cookiecutter_replay", ".cookiecutters", "tmp"}, left
