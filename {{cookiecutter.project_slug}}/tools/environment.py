"""Makes .venv, the environment to run and test the project in without Docker.

micromamba, mamba or conda makes it from environment.yml if one of them is installed. Otherwise
Python's own venv makes it, with uv if that is installed, else with pip. If the list or the place of
the folder has changed, .venv is made anew: a package that leaves the list leaves the environment,
and no program has the path of another folder. The old one comes back if the new one fails. A .venv
of another origin is only added to.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

HERE = Path(__file__).resolve().parents[1]
PREFIX = HERE / ".venv"
LIST = HERE / "environment.yml"
MARK = PREFIX / "made-by-this-project"  # with the place where it was made
READY = PREFIX / "ready"  # says which list .venv was made from; a .venv that is not whole has none
OLD = HERE / ".venv-old"  # what .venv was, until the new one is whole
OLDEST = (3, 11)
TOOLS = ["micromamba", "mamba", "conda"]


def main() -> None:
    """Make .venv if it is not the one that the list describes, with the test tools."""
    os.chdir(HERE)
    check_list()
    with turn():
        settle()  # a run that was killed could not
        if not is_ready():
            make()
        for name in sys.argv[1:]:
            add(name)


@contextmanager
def turn() -> Iterator[None]:
    """Hold .venv: who asks for it meanwhile waits until it is whole."""
    with Path(__file__).open("rb") as file:
        if fcntl:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Waiting for .venv, which another command is making.", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_ready() -> bool:
    """Whether .venv is whole, made from this list, and made in this folder."""
    is_moved = is_ours() and MARK.read_text("utf-8") != str(HERE)
    return not is_moved and READY.exists() and READY.read_text("utf-8") == state()


def is_ours() -> bool:
    """Whether this file made .venv, so that it may replace it."""
    return MARK.exists() and not PREFIX.is_symlink()


def make() -> None:
    """Make .venv, in the place of one that this file made before."""
    wanted = state()  # before it is read: a list that changes meanwhile is another one
    if is_ours():
        PREFIX.rename(OLD)
    is_new = not PREFIX.exists()
    if not is_new:
        print("Note: this project did not make .venv, so packages that leave the list stay there.")
    try:
        READY.unlink(missing_ok=True)
        tool = next(filter(None, map(shutil.which, TOOLS)), None)
        if tool and not (PREFIX / "pyvenv.cfg").exists():
            make_with_conda(tool, is_new)
        else:
            make_with_pip(is_new)
        install(*group("test"))
        READY.write_text(wanted, "utf-8")
    except BaseException:
        if is_new:
            shutil.rmtree(PREFIX, ignore_errors=True)
        raise
    finally:
        settle()


def settle() -> None:
    """Keep one environment: the new one if it is whole, else the old one."""
    if OLD.exists() and READY.exists():
        shutil.rmtree(OLD)
    elif OLD.exists():
        shutil.rmtree(PREFIX, ignore_errors=True)
        OLD.rename(PREFIX)


def state() -> str:
    """Hash what .venv is made from: the list, the test tools and this file."""
    parts = [LIST.read_bytes(), repr(group("test")).encode(), Path(__file__).read_bytes()]
    return hashlib.sha256(b"\0".join(parts).replace(b"\r\n", b"\n")).hexdigest()


def check_list() -> None:
    """Stop at a package of the service that the list lacks; an update may bring one."""
    listed = plain(LIST.read_text("utf-8").partition("dependencies:")[2])
    needed = (HERE / "service/packages.txt").read_text("utf-8")
    for line in re.findall(r"^\w\S+", needed, re.MULTILINE):
        name = plain(re.match(r"[\w.-]+", line)[0])
        if not re.search(rf"(?<![\w-]){name}(?![\w-])", listed):
            sys.exit(
                f'environment.yml lacks {name}, which service/ needs: add the line "- {line}".'
            )


def plain(text: str) -> str:
    """Write the names of packages as all tools compare them, without comments."""
    return re.sub("[-_.]+", "-", re.sub(r"(^|\s)#.*", "", text)).lower()


def group(name: str) -> list[str]:
    """Read a group of tools from pyproject.toml; a Python that conda stands in for may be old."""
    text = (HERE / "pyproject.toml").read_text("utf-8")
    return re.findall(r'"(.+?)"', re.search(rf"^{name} = \[(.*)\]", text, re.MULTILINE)[1])


def add(name: str) -> None:
    """Install a group of tools when it is first needed."""
    mark = PREFIX / f"has-{name}"
    if not mark.exists():
        install(*group(name))
        mark.touch()


def make_with_conda(tool: str, is_new: bool) -> None:
    """Let micromamba, mamba or conda solve environment.yml; all three take these words."""
    verb = "create" if is_new else "update"
    command = [tool, "env", verb, "--prefix", str(PREFIX), "--file", str(LIST)]
    agree = {"CONDA_ALWAYS_YES": "true", "MAMBA_ALWAYS_YES": "true"}
    if subprocess.run(command, env=os.environ | agree).returncode:
        sys.exit(f"{Path(tool).stem} could not make the environment; its reason stands above.")
    if is_new:
        MARK.write_text(str(HERE), "utf-8")


def make_with_pip(is_new: bool) -> None:
    """Make a virtual environment of the Python that runs this, and install what the list names."""
    check_python()
    # Not by `python -m venv`: if .venv is active, this Python's own path has moved with it.
    builder = venv.EnvBuilder(symlinks=os.name != "nt", with_pip=not shutil.which("uv"))
    builder.create(PREFIX)
    if is_new:
        MARK.write_text(str(HERE), "utf-8")
    install("pyyaml>=6,<7")  # which reads the list
    command = [str(python()), "tools/packages.py", "--list"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if listed.returncode:
        sys.exit(1)  # it has said why
    install(*listed.stdout.splitlines())


def check_python() -> None:
    """Stop at a Python that will not do, and say if it is another than the listed one."""
    here = ".".join(map(str, sys.version_info[:2]))
    if sys.version_info < OLDEST:
        sys.exit(f"Python 3.11 or newer is needed, and this is {here}: install one, or micromamba.")
    if not importlib.util.find_spec("ensurepip"):
        sys.exit("This Python has no venv: install it (Debian, Ubuntu: apt install python3-venv).")
    listed = re.sub("#.*", "", LIST.read_text("utf-8"))
    wanted = re.search(r"\bpython\s*[>=~]=\s*([0-9]+\.[0-9]+)", listed)
    if wanted and wanted[1] != here:
        way_out = "With micromamba, mamba or conda installed, .venv has the listed one."
        print(f"Note: environment.yml lists Python {wanted[1]}, .venv gets {here}. {way_out}")


def python() -> Path:
    """Find the Python of the environment."""
    places = ["bin/python", "Scripts/python.exe", "python.exe"]  # the last is conda's, on Windows
    return next(filter(Path.exists, map(PREFIX.joinpath, places)))


def install(*packages: str) -> None:
    """Install packages by uv or pip, and turn a failure into a sentence."""
    uv = shutil.which("uv")
    command = [str(python()), "-m", "pip", "install", "--quiet", "--retries", "1"]
    if uv:
        command = [uv, "pip", "install", "--quiet", "--python", str(python())]
    installer = subprocess.run([*command, *packages], stderr=subprocess.PIPE, text=True)
    said = installer.stderr
    if installer.returncode == 0:
        return
    unknown = re.search(r"distribution found for (\S+)|Because (\S+) was not found in the", said)
    if "connection broken" in said or "error sending request" in said:
        sys.exit("The package index cannot be reached: check the network, then try again.")
    if unknown:
        name = unknown[1] or unknown[2]
        way_out = "check its name. If conda has it, install micromamba."
        sys.exit(f"pip finds no {name} for this Python: {way_out}")
    sys.exit(f"{said}The packages could not be installed; the reason stands above.")


if __name__ == "__main__":
    main()
