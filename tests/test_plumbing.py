"""The plumbing from within: the tests of tests/plumbing/, inside a rendered project."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE, clean_environment, swapped
from test_models import MODELS

FOLDER = TEMPLATE / "tests/plumbing"
FILES = [path.name for path in sorted(FOLDER.glob("test_*.py"))]
# Those that ask the model, whatever it is.
ASKING = [f"test_{name}.py" for name in "batch errors openapi page predictions watch".split()]


def within(project: Path, *files: str, option: str = "--quiet") -> subprocess.CompletedProcess:
    """Run tests of the plumbing, or all of them, inside a project beside its own tests."""
    inside = project / "tests/plumbing"
    leftovers = shutil.ignore_patterns("__pycache__")
    shutil.copytree(FOLDER, inside, ignore=leftovers, dirs_exist_ok=True)
    options = ["-W", "error", "-p", "no:cacheprovider", f"--confcutdir={inside}", option]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(inside / name for name in files or [""])],
        cwd=project,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def project(cookies_session) -> Path:
    """A rendered project that no other test sees."""
    return cookies_session.bake().project_path


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_it_does_what_its_own_tests_say(project, name):
    result = within(project, name)
    assert result.returncode == 0, result.stdout
    assert " passed" in result.stdout and "skipped" not in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_it_does_so_for_another_model(cookies, name):
    result = within(swapped(cookies.bake().project_path, MODELS[name]), *ASKING)
    assert result.returncode == 0, result.stdout
