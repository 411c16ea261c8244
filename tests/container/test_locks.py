"""The locks: written by Docker alone, followed to the letter, and refused when they do not fit."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from .bases import names
from .test_image import not_cached

LOCK = ["build", "--no-cache", "--target=lock", "--output=locks", "."]
LOCKS = {"amd64": "linux-64", "arm64": "linux-aarch64"}
PACKAGE = re.compile(r"https://conda\.anaconda\.org/conda-forge/\S+#[0-9a-f]{64}")
PIP_SECTION = "  - pip:\n      - prometheus-client\n"


@pytest.fixture(scope="session")
def locked(engine, bases, project, tmp_path_factory) -> Path:
    """The project with fresh locks, and what the lock command said in `said`."""
    folder = Path(shutil.copytree(project, tmp_path_factory.mktemp("locked") / "square"))
    (folder.parent / "said").write_text(engine(*LOCK, cwd=folder))
    return folder


@pytest.fixture
def with_locks(workspace, locked) -> Path:
    shutil.copytree(locked / "locks", workspace / "locks", dirs_exist_ok=True)
    return workspace


def packages(lock: Path) -> list[str]:
    lines = lock.read_text().splitlines()
    return lines[lines.index("@EXPLICIT") + 1 :]


def environment_lock(engine, image: str) -> str:
    program = "print(open('/opt/env/environment.lock').read(), end='')"
    return engine("run", "--rm", "--entrypoint=python", image, "-c", program) + "\n"


@pytest.mark.parametrize("architecture", LOCKS)
def test_every_line_of_a_lock_has_its_hash(locked, architecture):
    lock = locked / f"locks/linux-{architecture}.lock"
    assert f"# platform: {LOCKS[architecture]}\n" in lock.read_text()
    assert packages(lock)
    assert [line for line in packages(lock) if not PACKAGE.fullmatch(line)] == []
    platforms = {line.split("/")[4] for line in packages(lock)}
    assert platforms == {"noarch", LOCKS[architecture]}


@pytest.mark.parametrize("architecture", LOCKS)
def test_a_package_stands_after_those_it_depends_on(engine, project, locked, architecture):
    depends = solved_depends(engine, project, locked, LOCKS[architecture])
    seen = set()
    for line in packages(locked / f"locks/linux-{architecture}.lock"):
        name = line.split("/")[-1].rsplit("-", 2)[0]
        needed = {spec.split(" ")[0] for spec in depends[name]}
        assert needed & depends.keys() <= seen
        seen.add(name)


def solved_depends(engine, project, folder, platform) -> dict[str, list[str]]:
    command = f"micromamba create --dry-run --json --prefix /tmp/none --platform {platform}"
    image = names(project / "Dockerfile")["MICROMAMBA"]
    mount = f"--volume={folder}:/project:ro"
    options = ["--rm", mount, "--user=0", "--entrypoint=/bin/bash"]
    answer = engine("run", *options, image, "-c", f"{command} --file /project/environment.yml")
    link = json.loads(answer[answer.index("{") :])["actions"]["LINK"]
    return {package["name"]: package["depends"] or [] for package in link}


def test_a_lock_holds_no_installer(locked):
    for architecture in LOCKS:
        text = (locked / f"locks/linux-{architecture}.lock").read_text()
        assert not re.search(r"/(pip|wheel)-\d", text)


def test_locking_twice_solves_twice_and_agrees(engine, locked, with_locks):
    first = engine(*LOCK, cwd=with_locks)
    second = engine(*LOCK, cwd=with_locks)
    for output in (first, second):
        assert "locks/linux-arm64.lock: " in not_cached(output)
    for architecture in LOCKS:
        name = f"locks/linux-{architecture}.lock"
        assert (with_locks / name).read_text() == (locked / name).read_text()


def test_without_locks_the_build_says_so(build, engine, workspace):
    built = build(workspace, "--no-cache")
    assert built.succeeded, built.output
    assert "# not locked: " in built.output
    assert environment_lock(engine, built.image).startswith("# not locked: ")


def test_a_locked_build_installs_exactly_the_lock(build, engine, with_locks):
    built = build(with_locks, "--no-cache")
    assert built.succeeded, built.output
    assert "# not locked: " not in [line.split(" ", 2)[-1] for line in built.output.splitlines()]
    lock = with_locks / "locks/linux-amd64.lock"
    assert environment_lock(engine, built.image) == lock.read_text()
    installed = engine(
        *["run", "--rm", "--entrypoint=python", built.image, "-c"],
        "import os; print(*os.listdir('/opt/env/conda-meta'), sep='\\n')",
    )
    expected = {
        re.split(r"\.(?:tar\.bz2|conda)#", line.split("/")[-1])[0] for line in packages(lock)
    }
    assert {name.removesuffix(".json") for name in installed.split()} == expected


def test_the_lock_is_a_part_of_the_identity(build, image, serve, with_locks):
    built = build(with_locks)
    assert built.succeeded, built.output
    locked, other = (json.loads(serve(i).get("/service-info")[1]) for i in (built.image, image))
    lock = (with_locks / "locks/linux-amd64.lock").read_bytes()
    assert locked["lock"] == hashlib.sha256(lock).hexdigest() != other["lock"]
    assert {name for name, part in locked["parts"].items() if part != other["parts"][name]} == {
        "lock"
    }
    assert locked["fingerprint"] != other["fingerprint"]


def test_a_locked_build_runs_no_solver(build, engine, with_locks):
    """A solver would bring back what is missing from the lock."""
    lock = with_locks / "locks/linux-amd64.lock"
    kept = [line for line in lock.read_text().splitlines() if "/blinker-" not in line]
    lock.write_text("\n".join(kept) + "\n")
    built = build(with_locks, "--build-arg", "CHECK=false")  # which would notice
    assert built.succeeded, built.output
    command = ["run", "--rm", "--entrypoint=python", built.image, "-c", "import blinker"]
    assert "No module named 'blinker'" in engine.run(*command).stdout


def test_a_checkout_with_carriage_returns_is_the_same(build, engine, with_locks):
    for name in ("environment.yml", "locks/linux-amd64.lock"):
        path = with_locks / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    built = build(with_locks)
    assert built.succeeded, built.output
    assert "\r" not in environment_lock(engine, built.image)


def refused(built, *words: str) -> None:
    assert not built.succeeded
    told = [line for line in built.output.splitlines() if all(word in line for word in words)]
    assert [line for line in told if "RUN" not in line], built.output


def test_a_lock_older_than_the_environment_stops_the_build(build, with_locks):
    with (with_locks / "environment.yml").open("a") as environment:
        environment.write("  - prometheus-client>=0.20\n")
    sentence = "locks/linux-amd64.lock is older than environment.yml; run: docker build "
    refused(build(with_locks), sentence)


def test_a_missing_platform_stops_the_build(build, with_locks):
    (with_locks / "locks/linux-amd64.lock").unlink()
    sentence = "locks/ has no linux-amd64.lock, the lock of this platform; run: docker build "
    refused(build(with_locks), sentence)


@pytest.mark.parametrize("warm", [True, False], ids=["packages in the cache", "fresh"])
def test_a_hash_that_differs_stops_the_build(build, with_locks, warm):
    if warm:
        assert build(with_locks).succeeded
    lock = with_locks / "locks/linux-amd64.lock"
    line = next(line for line in packages(lock) if "/flask-" in line)
    changed = line[:-1] + ("0" if line[-1] != "0" else "1")
    lock.write_text(lock.read_text().replace(line, changed))
    refused(build(with_locks), "flask-", "SHA256")


def test_a_pip_section_stops_the_locking_and_leaves_the_locks(engine, with_locks):
    with (with_locks / "environment.yml").open("a") as environment:
        environment.write(PIP_SECTION)
    before = (with_locks / "locks/linux-amd64.lock").read_text()
    answer = engine.run(*LOCK, cwd=with_locks)
    assert answer.returncode != 0
    assert "environment.yml has a pip: section, which a conda lock cannot hold" in answer.stdout
    assert (with_locks / "locks/linux-amd64.lock").read_text() == before


def test_a_pip_section_is_built_unlocked(build, engine, workspace):
    with (workspace / "environment.yml").open("a") as environment:
        environment.write(PIP_SECTION)
    built = build(workspace)
    assert built.succeeded, built.output
    command = ["run", "--rm", "--entrypoint=python", built.image, "-c"]
    engine(*command, "import prometheus_client, flask")
    assert engine.run(*command, "import pip").returncode == 1


def test_an_environment_without_a_solution_says_which_platform(engine, bases, workspace):
    text = (workspace / "environment.yml").read_text()
    (workspace / "environment.yml").write_text(text.replace("flask>=3.1,<4", "flask>=99"))
    answer = engine.run(*LOCK, cwd=workspace)
    assert answer.returncode != 0
    assert "environment.yml has no solution for linux-64" in answer.stdout
    assert "flask" in answer.stdout.partition("no solution for linux-64")[2]
