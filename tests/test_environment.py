"""`tools/environment.py` and the Makefiles: the set-up without Docker, and its refusals."""

import ast
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from conftest import (
    TEMPLATE,
    Server,
    clean_environment,
    free_port,
    sampled,
    stand_in,
    tool,
    wait_for,
)
from packaging.requirements import Requirement
from test_update import PROJECT

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


def bare_path(tmp_path: Path, *tools: str, has_uv: bool = False) -> str:
    """A PATH with the programs that the Makefile needs, Python, and these tools."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(Path(sys.executable).resolve())
    for program in ["sh", "make", "touch", "mkdir", "chmod", "git", "sed"]:
        (folder / program).symlink_to(shutil.which(program))
    if has_uv:  # which is several times faster than pip
        (folder / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    for name in tools:
        (folder / name).write_text(TOOL)
        (folder / name).chmod(stat.S_IRWXU)
    return str(folder)


def run(*command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
    """Run a command without what belongs to the tests' own Python."""
    environment = clean_environment() | variables
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
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
        "python -m pip install --quiet --retries 1 pytest>=9,<10",
        "python -m gunicorn",
    ]


def test_a_changed_list_updates_the_environment(project, tmp_path):
    variables = {"PATH": bare_path(tmp_path, "conda"), "RECORD": str(tmp_path / "record")}
    run("make", "test", cwd=project, **variables)
    again = run("make", "test", cwd=project, **variables)
    assert again.returncode == 0 and (tmp_path / "record").read_text().count("conda env") == 1
    with (project / "environment.yml").open("a") as listed:
        listed.write("  - numpy>=2,<3\n")
    os.utime(project / "environment.yml", (0, 0))  # what was unpacked has old times
    run("make", "test", cwd=project, **variables)
    assert (tmp_path / "record").read_text().count("conda env create") == 2


def test_a_failing_conda_is_one_clear_sentence(project, tmp_path):
    path = bare_path(tmp_path, "conda")
    (tmp_path / "bin/conda").write_text("#!/bin/sh\nmkdir -p .venv/bin\nexit 1\n")
    result = run("python3", "tools/environment.py", cwd=project, PATH=path)
    assert result.stderr == "conda could not make the environment; its reason stands above.\n"
    assert not (project / ".venv").exists()


@pytest.mark.parametrize(
    "fault", ["exit 1", "kill -INT $PPID; sleep 1", "kill -9 $PPID"], ids=["", "stopped", "killed"]
)
def test_an_environment_that_works_stays_until_the_new_one_is_whole(project, tmp_path, fault):
    variables = {"PATH": bare_path(tmp_path, "conda"), "RECORD": str(tmp_path / "record")}
    make = ["python3", "tools/environment.py"]
    run(*make, cwd=project, **variables)
    (project / ".venv/own").touch()
    listed, conda = project / "environment.yml", tmp_path / "bin/conda"
    before, working = listed.read_text(), conda.read_text()
    listed.write_text(f"{before}  - numpy>=2,<3\n")
    conda.write_text(f"{working}{fault}\n")
    assert run(*make, cwd=project, **variables).returncode != 0
    listed.write_text(before)
    assert run(*make, cwd=project, **variables).returncode == 0
    assert (tmp_path / "record").read_text().count("conda env") == 2
    assert (project / ".venv/own").exists() and not (project / ".venv-old").exists()
    listed.write_text(f"{before}  - numpy>=2,<3\n")
    conda.write_text(working)
    assert run(*make, cwd=project, **variables).returncode == 0
    assert not (project / ".venv/own").exists() and not (project / ".venv-old").exists()


def test_a_list_that_changes_while_it_is_read_is_read_again(project, tmp_path):
    variables = {"PATH": bare_path(tmp_path, "conda"), "RECORD": str(tmp_path / "record")}
    conda = tmp_path / "bin/conda"
    conda.write_text(f"{conda.read_text()}echo '  - numpy' >> environment.yml\n")
    run("python3", "tools/environment.py", cwd=project, **variables)
    run("python3", "tools/environment.py", cwd=project, **variables)
    assert (tmp_path / "record").read_text().count("conda env") == 2


@pytest.mark.slow
def test_of_two_runs_at_once_the_second_waits(project, tmp_path):
    variables = {"PATH": bare_path(tmp_path, "conda"), "RECORD": str(tmp_path / "record")}
    conda = tmp_path / "bin/conda"
    conda.write_text(f"{conda.read_text()}{shutil.which('sleep')} 1\n")
    command = ["python3", "tools/environment.py"]
    environment = clean_environment() | variables
    told = {"env": environment, "stdout": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen(command, cwd=project, **told) for _ in range(2)]
    words = [one.communicate()[0] for one in runs]
    assert [one.returncode for one in runs] == [0, 0]
    assert "".join(words).count("Waiting for .venv, which another command is making.") == 1
    assert (tmp_path / "record").read_text().count("conda env") == 1


@pytest.mark.slow
def test_an_active_environment_is_replaced_too(project, tmp_path):
    path = bare_path(tmp_path)
    assert run("make", "environment", cwd=project, PATH=path).returncode == 0
    with (project / "environment.yml").open("a") as listed:
        listed.write("  - toolz\n")
    result = run("make", "environment", cwd=project, PATH=f"{project}/.venv/bin:{path}")
    assert result.returncode == 0, result.stderr
    assert run(str(project / ".venv/bin/python"), "-c", "import toolz", cwd=project).returncode == 0


def pretending(fault: str) -> list[str]:
    """Run environment.py in a Python that has this fault."""
    start = "import runpy; runpy.run_path('tools/environment.py', run_name='__main__')"
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
    result = run(
        sys.executable, "tools/environment.py", cwd=project, PATH=bare_path(tmp_path), **nowhere
    )
    assert result.returncode != 0
    assert (
        result.stderr == "The package index cannot be reached: check the network, then try again.\n"
    )


LISTED = """name: "x"
dependencies:
- python >=3.13, <3.14  # why
- python-dateutil
- flask>=3.1,<4
- "numpy>=2,<3"
- pip
- pip:
    - 'pip-tools>=7; python_version<"3.99"'
    - tides @ https://example.org/tides.zip
channels:
- conda-forge
"""
FLOW = """{name: x, channels: [conda-forge], dependencies: [python, python-dateutil,
  "flask>=3.1,<4", 'numpy>=2,<3', {pip: ['pip-tools>=7; python_version<"3.99"',
  'tides @ https://example.org/tides.zip']}]}
"""


@pytest.mark.parametrize("text", [LISTED, FLOW], ids=["block", "flow"])
def test_pip_reads_what_conda_reads(project, text):
    (project / "environment.yml").write_text(text)
    read = [Requirement(line) for line in tool(project, "packages").listed()]
    assert [requirement.name for requirement in read] == [
        "python-dateutil",
        "flask",
        "numpy",
        "pip-tools",
        "tides",
    ]
    assert [str(read[1].specifier), str(read[3].marker)] == ["<4,>=3.1", 'python_version < "3.99"']


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("dependencies: [a", "is no YAML: while parsing a flow sequence"),
        ("- a", "has no list `dependencies:`"),
        ("dependencies:\n", "has no list `dependencies:`"),
        ("dependencies: [numpy=2.1]", "lists 'numpy=2.1': write it like numpy>=2.1,<3"),
        ("dependencies: ['conda-forge::numpy']", "lists 'conda-forge::numpy': write it like"),
        ("dependencies: [numpy 2.1.*]", "lists 'numpy 2.1.*': write it like"),
        ("dependencies: [2]", "lists 2: write it like"),
        ("dependencies: [numpy>=2.1|<1]", "lists 'numpy>=2.1|<1': write it like"),
        (
            "dependencies: ['numpy[version=\">=2\"]']",
            "lists 'numpy[version=\">=2\"]': write it like",
        ),
        ("dependencies: [numpy: '>=2']", "lists {'numpy': '>=2'}: write it like"),
        ("dependencies: [pip: humanize]", "has `pip:` without a list below it"),
        ("dependencies: [pip: [-r more.txt]]", "lists '-r more.txt': write it like"),
        ("dependencies: [pip: [-r a/more.txt]]", "lists '-r a/more.txt': write it like"),
        ("dependencies: [pip: [numpy=2]]", "lists 'numpy=2': write it like"),
    ],
)
def test_what_is_no_list_for_pip_is_refused_in_a_sentence(project, text, sentence):
    (project / "environment.yml").write_text(text)
    result = run(sys.executable, "tools/packages.py", "--list", cwd=project)
    assert result.returncode == 1 and sentence in result.stderr
    assert result.stderr.count("\n") == 1


def faults(project: Path, source: str, listed: str = "") -> str:
    """What is said of a model that begins with these lines, in the tests' own environment."""
    with (project / "environment.yml").open("a") as lines:
        lines.write(listed)
    face = project / "model/__init__.py"
    face.write_text(f"{source}\n{face.read_text('utf-8')}", "utf-8")
    result = run(sys.executable, "-B", "tools/packages.py", cwd=project)
    assert bool(result.returncode) == bool(result.stderr), result.stderr
    return result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import _pytest.nodes", "model/__init__.py imports _pytest, which no listed package"),
        ("def late():\n    from iniconfig import IniConfig", 'add "- iniconfig>=2'),
        ("import no_such_module_anywhere", "imports no_such_module_anywhere, which is not instal"),
        ("import own", "imports own, which is in model/: import it as model.own."),
        ("from model.own import x", "model/own/__init__.py imports pluggy"),
        ("from .own import x", "model/own/__init__.py imports pluggy"),
        ("from . import own", "model/own/deeper.py imports iniconfig"),
    ],
)
def test_an_import_that_the_list_does_not_bring_is_named(project, source, sentence):
    (project / "model/own").mkdir()
    (project / "model/own/__init__.py").write_text("import pluggy\nfrom .deeper import y\nx = 1\n")
    (project / "model/own/deeper.py").write_text("import iniconfig\ny = 1\n")
    assert sentence in faults(project, source)


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "import json, os.path, pydantic_core\nfrom werkzeug import http",
        "try:\n    import no_such_module\nexcept ImportError:\n    no_such_module = None",
        "import typing\nif typing.TYPE_CHECKING:\n    import pluggy",
        "import pluggy  # listed",
    ],
    ids=["by others", "optional", "for types", "listed"],
)
def test_an_import_that_the_list_brings_is_taken(project, source):
    assert faults(project, source, "  - Pluggy>=1\n" * ("listed" in source)) == ""


def test_a_script_beside_the_model_may_import_what_it_likes(project):
    (project / "model/train.py").write_text("import no_such_module\n")
    assert faults(project, "") == ""


@pytest.mark.slow
def test_make_test_names_an_import_that_is_not_listed(project):
    with (stand_in(project) / "model/square.py").open("a") as model:
        model.write("\n\ndef late():\n    import pluggy\n")
    result = run("make", "test", cwd=project)
    assert result.returncode != 0
    assert "model/square.py imports pluggy, which no listed package brings" in result.stdout
    assert re.search(r"^=+ 1 failed, \d+ passed", result.stdout, re.M), result.stdout


@pytest.mark.slow
def test_make_test_sets_up_and_passes_with_python_alone(project, tmp_path):
    result = run("make", "test", cwd=project, PATH=bare_path(tmp_path), HOME="/nonexistent")
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout


@pytest.mark.parametrize("listed", ["python>=9.9,<10", "python >=9.9", "python==9.9.*"])
def test_a_python_that_is_not_the_listed_one_is_said(project, tmp_path, listed):
    """The fault stops the set-up before it installs anything."""
    path = project / "environment.yml"
    path.write_text(re.sub("python>=.*", listed, path.read_text("utf-8")))
    fault = "import subprocess; sys.version_info = (3, 99); subprocess.run = sys.exit"
    result = run(*pretending(fault), cwd=project, PATH=bare_path(tmp_path))
    assert "Note: environment.yml lists Python 9.9, .venv gets 3.99." in result.stdout


def service_needs() -> list[str]:
    text = (TEMPLATE / PROJECT / "service/packages.txt").read_text("utf-8")
    return re.findall(r"(?m)^\w\S+", text)


def test_the_list_of_a_new_project_has_what_the_service_needs(project):
    assert tool(project, "packages").listed() == service_needs()


@pytest.mark.slow
def test_what_the_service_needs_is_what_it_imports(project):
    packages = tool(project, "packages")
    modules = [path.relative_to(project) for path in project.glob("service/**/*.py")]
    paths = [project / "app.py", project / "gunicorn.conf.py", *map(project.joinpath, modules)]
    trees = [ast.parse(path.read_bytes()) for path in paths]
    found = {name.split(".")[0] for tree in trees for name in packages.names(tree, "service.x")}
    found -= sys.stdlib_module_names | {"service", "model"}
    owners = packages_distributions()
    bring = {packages.name_of(owner) for name in found for owner in owners[name]}
    needed = {packages.name_of(line) for line in service_needs()} - {"packaging"}
    assert (
        needed <= bring <= needed | {"werkzeug", "jinja2", "click", "markupsafe", "pydantic-core"}
    )


@pytest.mark.parametrize("line", sampled(service_needs(), 10))
def test_a_line_that_the_service_needs_and_the_list_lacks_is_named(project, line):
    """An update brought it, or the owner deleted it: every `make` says so at once."""
    listed = stand_in(project) / "environment.yml"
    text = re.sub(rf"(?m)^  - {re.escape(line)}", f"  # - {line}", listed.read_text("utf-8"))
    listed.write_text(f"{text}  - my-{line}\n  - {line.partition('>')[0]}-x\n")
    result = run("make", "test", cwd=project)
    assert result.returncode != 0 and result.stdout == ""
    assert f', which service/ needs: add the line "- {line}".' in result.stderr.splitlines()[0]


@pytest.mark.slow
def test_the_build_names_the_line_too(project):
    (project / "service/packages.txt").write_text("tides>=2,<3\n")
    said = 'environment.yml lacks tides, which service/ needs: add the line "- tides>=2,<3".\n'
    assert faults(project, "") == said


@pytest.mark.slow
def test_the_build_names_a_package_that_is_older_than_the_service_needs(project):
    (project / "service/packages.txt").write_text("flask>=99,<100\npyyaml>=6,<7\n")
    said = faults(project, "")
    assert re.fullmatch(
        r"flask 3\.\S+ is installed, but service/ needs another: "
        r'write "- flask>=99,<100" in environment\.yml\.\n',
        said,
    )


@pytest.mark.slow
def test_a_folder_that_moved_or_is_a_copy_gets_an_environment_of_its_own(project, tmp_path):
    path = {"PATH": bare_path(tmp_path, has_uv=True)}
    assert run("make", "environment", cwd=project, **path).returncode == 0
    copy = Path(shutil.copytree(project, tmp_path / "copy", symlinks=True))
    recorded = run("make", "record", cwd=copy, **path)
    assert recorded.returncode == 0, recorded.stderr
    assert str(copy) in (copy / ".venv/bin/flask").read_text()
    moved = Path(shutil.move(project, tmp_path / "moved"))
    assert run("make", "record", cwd=moved, **path).returncode == 0
    assert str(moved) in (moved / ".venv/bin/flask").read_text()
    assert run("make", "environment", cwd=moved, **path).stdout == ""


def test_conda_makes_the_environment_of_a_copy_anew(project, tmp_path):
    variables = {"PATH": bare_path(tmp_path, "conda"), "RECORD": str(tmp_path / "record")}
    run("make", "environment", cwd=project, **variables)
    copy = Path(shutil.copytree(project, tmp_path / "copy"))
    run("make", "environment", cwd=copy, **variables)
    assert f"conda env create --prefix {copy}" in (tmp_path / "record").read_text()


@pytest.mark.slow
def test_a_package_that_leaves_the_list_leaves_the_environment(project, tmp_path):
    listed, path = project / "environment.yml", {"PATH": bare_path(tmp_path, has_uv=True)}
    before = listed.read_text()
    listed.write_text(f"{before}  - toolz\n")
    assert run("make", "environment", cwd=project, **path).returncode == 0
    python = str(project / ".venv/bin/python")
    assert run(python, "-c", "import toolz, flask", cwd=project).returncode == 0
    listed.write_text(before)
    os.utime(listed, (0, 0))
    assert run("make", "environment", cwd=project, **path).returncode == 0
    assert "No module named 'toolz'" in run(python, "-c", "import toolz", cwd=project).stderr
    assert run(python, "-c", "import flask, pytest", cwd=project).returncode == 0


@pytest.mark.slow
def test_an_environment_of_another_origin_is_only_added_to(project, tmp_path):
    run(sys.executable, "-m", "venv", ".venv", cwd=project)
    (own := project / ".venv/notes.txt").write_text("mine")
    result = run("make", "environment", cwd=project, PATH=bare_path(tmp_path, has_uv=True))
    assert result.returncode == 0 and "did not make .venv" in result.stdout
    assert own.read_text() == "mine"


def test_make_alone_lists_the_targets(project):
    listed = re.findall(r"make (\w+)", run("make", cwd=project).stdout)
    assert listed == "serve try test record reproduce version environment weights".split()


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
