"""The faults of benchmarks/faults.py, and the service on the oldest packages that it admits."""

import re
import subprocess
import sys

import pytest
import yaml
from conftest import TEMPLATE, clean_environment
from faults import FAULTS

# The faults that depend on Gunicorn and gevent: connections, and the life of service processes
SERVER = """
slow_clients half_headers half_bodies idle_clients few_files unclosed_connections
broken_bodies kept_connections vanishing_clients killed_service killed_keeper killed_master
reloaded stopped
""".split()


@pytest.fixture(scope="session")
def oldest(bake, tmp_path_factory) -> str:
    """A Python with the oldest packages of environment.yml, such as Gunicorn 25.1."""
    listed = yaml.safe_load((bake() / "environment.yml").read_text("utf-8"))["dependencies"]
    wanted = [entry for entry in listed if not entry.startswith("python>")]
    oldest = [re.sub(r">=([0-9.]+),.*", r"==\1.*", entry) for entry in wanted]
    python = tmp_path_factory.mktemp("oldest") / "bin/python"
    subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *oldest], check=True)
    return str(python)


def run(python: str, *command: str) -> subprocess.CompletedProcess:
    """Run a command that serves the project with this Python."""
    # Other tests run beside this one. The table has the figures of a quiet machine.
    variables = clean_environment() | {"SERVICE_PYTHON": python, "BUSY": "4"}
    return subprocess.run(
        [sys.executable, *command], cwd=TEMPLATE, env=variables, capture_output=True, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "name"),
    [("newest", fault.__name__) for fault in FAULTS] + [("oldest", name) for name in SERVER],
)
def test_the_service_stands_the_fault(request, version, name):
    python = request.getfixturevalue("oldest") if version == "oldest" else sys.executable
    result = run(python, "benchmarks/faults.py", name)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_the_service_is_the_same_on_the_oldest_packages(oldest):
    names = ("service", "workers", "limits", "observe", "models")
    tests = [f"tests/test_{name}.py" for name in names]
    chosen = ["-m", "slow or not slow", "-k", "not plumbings_own"]  # which this Python runs
    result = run(oldest, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, *tests)
    assert result.returncode == 0, result.stdout


def test_the_table_has_every_fault():
    text = (TEMPLATE / "benchmarks/README.md").read_text("utf-8")
    table = text.partition("<!-- faults")[2]
    found = re.findall(r"^\| (.+?) \| ", table, re.M)[2:]
    assert found == [fault.__doc__ for fault in FAULTS]
