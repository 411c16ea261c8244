"""What people type: the commands of Cookiecutter, cruft and git, from a home of their own."""

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import TEMPLATE, clean_environment

BIN = Path(sys.executable).parent
PARTS = ["cookiecutter.json", "hooks", "{{cookiecutter.project_slug}}"]


class Person:
    """Somebody with an empty home folder and a desk, the folder in which they type."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.desk = folder, folder / "home", folder / "desk"
        for place in (self.home, self.home / "tmp", self.desk):
            place.mkdir(parents=True, exist_ok=True)

    def environment(self, **variables: str) -> dict[str, str]:
        """Their environment: nothing of the tests' own, and a wide terminal without colours."""
        own = dict.fromkeys(["HOME", "USERPROFILE"], str(self.home))
        own |= dict.fromkeys(["TMPDIR", "TEMP", "TMP"], str(self.home / "tmp"))
        own |= {
            f"GIT_{who}_{what}": "somebody@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        own |= {"GIT_CONFIG_NOSYSTEM": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
        own |= {"COLUMNS": "500", "LINES": "50", "TERM": "dumb"}
        own |= {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        return clean_environment() | own | variables

    def types(
        self, *words: object, folder: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command at the desk, or in another folder, and return what came of it."""
        return subprocess.run(
            [command(words[0]), *map(str, words[1:])],
            cwd=folder or self.desk,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
        )

    def renders(self, template: object, *words: object, **variables: str) -> Path:
        """Run Cookiecutter without questions and return the project, which must be there."""
        done = self.types("cookiecutter", template, "--no-input", *words, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.desk / "square-api"

    def answers(self, *words: object, lines: dict[str, str]) -> tuple[int, str]:
        """Type each line once its question is shown on a terminal: the exit code and the screen."""
        import pty  # Windows has none

        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [command(words[0]), *map(str, words[1:])],
            cwd=self.desk,
            env=self.environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            screen = "".join(answer(ours, question, line) for question, line in lines.items())
            screen += read_until(ours, None)
            return process.wait(20), screen
        finally:
            os.close(ours)
            process.kill()
            process.wait()


def command(name: object) -> str:
    """A command of the tests' own environment by its full path, so that no PATH is needed."""
    return shutil.which(str(name), path=BIN) or str(name)


def answer(terminal: int, question: str, line: str) -> str:
    """Wait for a question on a terminal, type a line, and return what was shown till then."""
    shown = read_until(terminal, question)
    assert question in shown, f"{question!r} was never asked, but this was shown:\n{shown}"
    os.write(terminal, f"{line}\n".encode())
    return shown


def read_until(terminal: int, text: str | None) -> str:
    """Read a terminal until a text is shown, or nothing more comes."""
    shown = b""
    while text is None or text.encode() not in shown:
        readable, _, _ = select.select([terminal], [], [], 20)
        try:
            chunk = os.read(terminal, 65536) if readable else b""
        except OSError:  # Linux says so when the command has ended
            chunk = b""
        if not chunk:
            break
        shown += chunk
    return shown.decode(errors="replace")


def copy_template(folder: Path) -> Path:
    """Copy the template as a clone brings it, without what tools have left behind."""
    for part in PARTS:
        source = TEMPLATE / part
        if source.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)
        else:
            left_behind = shutil.ignore_patterns("__pycache__", ".*_cache", ".venv")
            shutil.copytree(source, folder / part, ignore=left_behind)
    return folder


def commit(person: Person, folder: Path) -> Path:
    """Commit all that is in a folder, in a git repository that is made if there is none."""
    for words in ("init --quiet", "add --all", "commit --quiet --message=State"):
        done = person.types("git", *words.split(), folder=folder)
        assert done.returncode == 0, done.stderr
    return folder


def tree(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """The files under a folder but for git's own, each with its bytes and whether it may run."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), os.access(path, os.X_OK))
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }
