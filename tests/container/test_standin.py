"""Each call of micromamba that a Dockerfile makes does here what its documentation says.

The sentences hold for the public image too: where it is reachable, it is what these tests run.
Options are described in micromamba's `--help`, whose words stand in its sources,
https://github.com/mamba-org/mamba/blob/2.6.1/: `libmamba/src/api/configuration.cpp` (CONFIGURATION
below) and `micromamba/src/common_options.cpp`; the rest is cited where it is tested.
"""

import json
import subprocess
from collections.abc import Callable

import pytest

from .bases import names

CREATE = "micromamba create --yes --prefix /tmp/new"
DRY_RUN = "micromamba create --dry-run --json --prefix /tmp/new"
CHANNEL = "--channel conda-forge --override-channels"


@pytest.fixture
def shell(engine, bases, project) -> Callable[[str], subprocess.CompletedProcess]:
    image = names(project / "Dockerfile")["MICROMAMBA"]

    def shell(script: str) -> subprocess.CompletedProcess:
        return engine.run("run", "--rm", "--entrypoint=/bin/bash", image, "-c", script)

    return shell


@pytest.fixture
def solution(shell) -> Callable[[str], dict]:
    def solution(options: str) -> dict:
        answer = shell(f"{DRY_RUN} {options} 2>/dev/null")
        assert answer.returncode == 0, answer.stdout
        return json.loads(answer.stdout)

    return solution


def linked(answer: dict) -> dict[str, dict]:
    return {package["name"]: package for package in answer["actions"]["LINK"]}


@pytest.mark.parametrize("option", ["--freeze-installed=maybe", "--no-such-option", "--dry"])
def test_an_unknown_option_is_refused(shell, option):
    answer = shell(f"{CREATE} {CHANNEL} {option} click")
    assert answer.returncode != 0
    assert "Transaction finished" not in answer.stdout


@pytest.mark.parametrize("command", ["install", "env", "run", "clean"])
def test_the_stand_in_knows_create_alone(shell, bases, command):
    if bases == "public":
        pytest.skip("the public micromamba knows them all")
    assert shell(f"micromamba {command}").returncode == 2


def test_prefix_is_where_the_environment_is(shell):
    """`create -p /tmp/env`: https://mamba.readthedocs.io/en/latest/user_guide/micromamba.html"""
    answer = shell(f"{CREATE} {CHANNEL} click && ls /tmp/new/conda-meta && /tmp/new/bin/python -V")
    assert "click-" in answer.stdout and "Python 3" in answer.stdout


def test_channel_and_override_channels_name_the_only_source(shell, bases):
    """`--override-channels`: https://mamba.readthedocs.io/en/latest/user_guide/troubleshooting.html"""
    answer = shell(f"{CREATE} --channel no-such-channel-5f1d0c --override-channels click")
    assert answer.returncode != 0


def test_yes_asks_nothing(shell):
    """CONFIGURATION, always_yes: answers yes to each question."""
    assert shell(f"{CREATE} {CHANNEL} click < /dev/null").returncode == 0


def test_dry_run_changes_nothing(shell):
    """CONFIGURATION, dry_run: only shows what would have been done."""
    answer = shell(f"{DRY_RUN} {CHANNEL} click > /dev/null && ls /tmp/new")
    assert "No such file or directory" in answer.stdout


def test_json_names_what_a_lock_needs(solution):
    """`log_json` in libmamba/src/core/transaction.cpp, `to_json` in specs/package_info.cpp."""
    packages = linked(solution(f"{CHANNEL} flask"))
    for package in packages.values():
        assert package["url"].startswith("https://conda.anaconda.org/conda-forge/")
        assert len(package["sha256"]) == 64
        assert package["depends"] is None or isinstance(package["depends"], list)
    assert {"flask", "python", "werkzeug"} <= packages.keys()


def test_json_puts_dependencies_first(solution):
    """The solution is sorted topologically: libmamba/include/mamba/solver/solution.hpp."""
    order = list(linked(solution(f"{CHANNEL} flask")))
    assert order.index("python") < order.index("werkzeug") < order.index("flask")


def test_json_says_why_there_is_no_solution(shell):
    """`solver_problems` in libmamba/src/api/utils.cpp."""
    answer = shell(f"{DRY_RUN} {CHANNEL} 'flask>=99' 2> /dev/null")
    assert answer.returncode != 0
    assert "flask" in str(json.loads(answer.stdout)["solver_problems"])


@pytest.mark.parametrize("platform", ["linux-64", "linux-aarch64"])
def test_platform_solves_for_another_machine(solution, platform):
    """CONFIGURATION, platform: says which channel folders are searched."""
    packages = linked(solution(f"{CHANNEL} --platform {platform} markupsafe"))
    assert f"/{platform}/markupsafe-" in packages["markupsafe"]["url"]


def test_python_brings_pip(solution):
    """`create_install_request` in libmamba/src/api/install.cpp, since 2.6.0."""
    assert "pip" in linked(solution(f"{CHANNEL} python"))


def test_a_file_of_yaml_names_channels_and_packages(shell):
    """`-f`: https://mamba.readthedocs.io/en/latest/user_guide/micromamba.html"""
    yaml = "channels: [conda-forge, nodefaults]\\ndependencies: [\\'click>=8,<9\\']\\n"
    answer = shell(
        f"printf $'{yaml}' > /tmp/e.yml; {CREATE} --file /tmp/e.yml; ls /tmp/new/conda-meta"
    )
    assert "click-8" in answer.stdout


def explicit(solution, change: Callable[[str], str] = str) -> str:
    """A script that writes an @EXPLICIT file of click alone."""
    package = linked(solution(f"{CHANNEL} click"))["click"]
    line = f"{package['url']}#{change(package['sha256'])}"
    return f"printf '@EXPLICIT\\n{line}\\n' > /tmp/new.lock; {CREATE} --file /tmp/new.lock"


def test_an_explicit_file_is_installed_without_a_solver(shell, solution):
    """https://mamba.readthedocs.io/en/latest/user_guide/mamba.html, and CEP 23: no solver."""
    answer = shell(
        f"{explicit(solution)} --no-pyc --always-copy; ls /tmp/new/conda-meta /tmp/new/bin"
    )
    assert "click-" in answer.stdout
    assert "python-3" not in answer.stdout


def test_an_explicit_file_with_another_hash_is_refused(shell, solution):
    """`validate_checksum` in libmamba/src/core/package_fetcher.cpp."""
    answer = shell(explicit(solution, lambda sha256: sha256[::-1]))
    assert answer.returncode != 0
    assert "SHA256" in answer.stdout


def test_no_pyc_leaves_no_byte_code(shell):
    """CONFIGURATION, compile_pyc: whether byte code is compiled."""
    answer = shell(
        f"{CREATE} {CHANNEL} --no-pyc click && find /tmp/new -path '*click*' -name '*.pyc'"
    )
    assert answer.returncode == 0 and ".pyc" not in answer.stdout


def test_always_copy_makes_no_links(shell):
    """CONFIGURATION, always_copy: copies instead of hard links."""
    script = "find /tmp/new/lib -path '*/click/*.py' -links +1"
    answer = shell(f"{CREATE} {CHANNEL} --always-copy click && {script}")
    assert answer.returncode == 0 and "/click/" not in answer.stdout
