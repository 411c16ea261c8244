"""`environment.py` and the Makefiles: the set-up without Docker, and its refusals."""

import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE, Server, clean_environment, free_port, wait_for
from packaging.requirements import Requirement

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make")

# A conda-like tool that writes down how it was called and makes a Python that does the same.
TOOL = """#!/bin/sh
echo "${0##*/} $*" >> "$RECORD"
while [ "$1" != --prefix ]; do shift; done
mkdir -p "$2/bin" "$2/conda-meta"
printf '#!/bin/sh\\necho "python $*" >> "$RECORD"\\n' > "$2/bin/python"
chmod +x "$2/bin/python"
"""


@pytest.fixture
def project(cookies, tmp_path) -> Path:
    """A project of its own, in a folder with a space and a quote in its name."""
    return Path(shutil.move(cookies.bake().project_path, tmp_path / "it's here"))


def bare_path(tmp_path: Path, *tools: str) -> str:
    """A PATH with the programs that the Makefile needs, Python, and these tools."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(Path(sys.executable).resolve())
    for program in ["sh", "make", "touch", "mkdir", "chmod"]:
        (folder / program).symlink_to(shutil.which(program))
    for tool in tools:
        (folder / tool).write_text(TOOL)
        (folder / tool).chmod(stat.S_IRWXU)
    return str(folder)


def run(*command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
    """Run a command without what belongs to the tests' own Python."""
    environment = clean_environment() | variables
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    ("tools", "used"),
    [
        (["micromamba", "mamba", "conda"], "micromamba"),
        (["mamba", "conda"], "mamba"),
        (["conda"], "conda"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_conda_makes_the_environment_where_it_is_installed(project, tmp_path, tools, used):
    record = tmp_path / "record"
    result = run("make", "serve", cwd=project, PATH=bare_path(tmp_path, *tools), RECORD=str(record))
    assert result.returncode == 0, result.stderr
    prefix = project / ".venv"
    assert record.read_text().splitlines() == [
        f"{used} env create --prefix {prefix} --file {project / 'environment.yml'}",
        "python -m pip install --quiet --retries 1 --group test",
        "python -m gunicorn",
    ]


def test_a_changed_list_updates_the_environment(project, tmp_path):
    variables = {"PATH": bare_path(tmp_path, "conda"), "RECORD": str(tmp_path / "record")}
    run("make", "test", cwd=project, **variables)
    again = run("make", "test", cwd=project, **variables)
    assert again.returncode == 0 and (tmp_path / "record").read_text().count("conda env") == 1
    later = (project / ".venv/ready").stat().st_mtime + 10
    os.utime(project / "environment.yml", (later, later))
    run("make", "test", cwd=project, **variables)
    assert "conda env update --prune --prefix" in (tmp_path / "record").read_text()


def test_a_failing_conda_is_one_clear_sentence(project, tmp_path):
    path = bare_path(tmp_path, "conda")
    (tmp_path / "bin/conda").write_text("#!/bin/sh\nexit 1\n")
    result = run("python3", "environment.py", cwd=project, PATH=path)
    assert result.stderr == "conda could not make the environment; its reason stands above.\n"


def pretending(fault: str) -> list[str]:
    """Run environment.py in a Python that has this fault."""
    start = "import runpy; runpy.run_path('environment.py', run_name='__main__')"
    return [sys.executable, "-c", f"import importlib.util, sys; {fault}; {start}"]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("sys.version_info = (3, 9, 18)", "Python 3.11 or newer is needed, and this is 3.9"),
        ("importlib.util.find_spec = lambda name: None", "apt install python3-venv"),
    ],
    ids=["too old", "without venv"],
)
def test_a_python_that_will_not_do_is_one_clear_sentence(project, tmp_path, fault, sentence):
    result = run(*pretending(fault), cwd=project, PATH=bare_path(tmp_path))
    assert result.returncode != 0
    assert sentence in result.stderr and result.stderr.count("\n") == 1
    assert not (project / ".venv").exists()


@pytest.mark.slow
def test_no_network_is_one_clear_sentence(project, tmp_path):
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
    }
    result = run(sys.executable, "environment.py", cwd=project, PATH=bare_path(tmp_path), **nowhere)
    assert result.returncode != 0
    assert (
        result.stderr == "The package index cannot be reached: check the network, then try again.\n"
    )


LISTED = """name: "x"
channels:
  - conda-forge
dependencies:
  - python>=3.13,<3.14  # why
  - python-dateutil
  - flask>=3.1,<4
  - "numpy>=2,<3"
  - pip
  - pip:
      - 'pip-tools>=7; python_version<"3.99"'
"""


def test_pip_reads_what_conda_reads(project):
    (project / "environment.yml").write_text(LISTED)
    specification = importlib.util.spec_from_file_location(
        "environment", project / "environment.py"
    )
    environment = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(environment)
    read = [Requirement(line) for line in environment.packages()]
    assert [requirement.name for requirement in read] == [
        "python-dateutil",
        "flask",
        "numpy",
        "pip-tools",
    ]
    assert [str(read[1].specifier), str(read[3].marker)] == ["<4,>=3.1", 'python_version < "3.99"']


@pytest.mark.slow
def test_make_test_sets_up_and_passes_with_python_alone(project, tmp_path):
    result = run("make", "test", cwd=project, PATH=bare_path(tmp_path), HOME="/nonexistent")
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout


@pytest.mark.slow
def test_a_package_that_leaves_the_list_leaves_the_environment(project, tmp_path):
    listed, path = project / "environment.yml", {"PATH": bare_path(tmp_path)}
    before = listed.read_text()
    listed.write_text(f"{before}  - toolz\n")
    assert run("make", "environment", cwd=project, **path).returncode == 0
    python = str(project / ".venv/bin/python")
    assert run(python, "-c", "import toolz, flask", cwd=project).returncode == 0
    listed.write_text(before)
    later = (project / ".venv/ready").stat().st_mtime + 10
    os.utime(listed, (later, later))
    assert run("make", "environment", cwd=project, **path).returncode == 0
    assert "No module named 'toolz'" in run(python, "-c", "import toolz", cwd=project).stderr
    assert run(python, "-c", "import flask, pytest", cwd=project).returncode == 0


@pytest.mark.slow
def test_an_environment_of_another_origin_is_only_added_to(project, tmp_path):
    run(sys.executable, "-m", "venv", ".venv", cwd=project)
    (own := project / ".venv/notes.txt").write_text("mine")
    result = run("make", "environment", cwd=project, PATH=bare_path(tmp_path))
    assert result.returncode == 0 and "did not make .venv" in result.stdout
    assert own.read_text() == "mine"


def test_make_alone_lists_the_targets(project):
    listed = run("make", cwd=project).stdout
    assert re.findall(r"make (\w+)", listed) == "serve test record reproduce environment".split()


@pytest.mark.slow
def test_a_package_that_pip_does_not_know_is_named(project, tmp_path):
    with (project / "environment.yml").open("a") as listed:
        listed.write("  - no-such-package-of-conda-forge>=1\n")
    result = run("make", "test", cwd=project, PATH=bare_path(tmp_path))
    assert result.returncode != 0
    assert "pip finds no no-such-package-of-conda-forge>=1 for this Python" in result.stderr


@pytest.fixture
def template(tmp_path) -> Path:
    """A copy of the template, in a folder with a space, that uses the installed tools."""
    copy = tmp_path / "a copy"
    left = shutil.ignore_patterns(
        ".git", ".bench", ".venv", ".demo", ".*_cache", ".hypothesis", "__pycache__"
    )
    shutil.copytree(TEMPLATE, copy, ignore=left)
    (copy / ".venv").symlink_to(Path(sys.prefix))
    return copy


def test_make_demo_serves_the_square_and_ends_with_control_c(template, tmp_path):
    port = str(free_port())
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["make", "--old-file", "requirements-demo.txt", "demo"],
            cwd=template,
            env=clean_environment() | {"PORT": port, "HOME": "/nonexistent"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    wait_for(log, f"curl 'http://localhost:{port}/api?value=2'")
    assert Server(process, int(port), log).get("/api?value=2").body == b'{"Value Squared":4}\n'
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends Ctrl-C to all
    process.wait(timeout=15)
    assert "Shutting down: Master" in log.read_text() and "Traceback" not in log.read_text()


def test_the_demo_has_the_very_packages_that_the_tests_have():
    """Each with the same version and hashes; the tests may need one on more systems."""

    def pinned(name: str) -> set:
        text = (TEMPLATE / name).read_text()
        return set(re.findall(r"^(\S+==\S+).*((?:\n    --hash.*)*)", text, re.M))

    assert pinned("requirements-demo.txt") < pinned("requirements.txt")


def test_make_demo_needs_a_new_enough_python(template, tmp_path):
    (template / ".venv").unlink()
    old = tmp_path / "python3"
    pretend = "import sys; sys.version_info = (3, 10, 9); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{pretend}" "$2"\n')
    old.chmod(stat.S_IRWXU)
    result = run("make", "demo", f"PYTHON={old}", cwd=template)
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed" in result.stdout
    assert not (template / ".venv").exists()
