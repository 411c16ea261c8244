"""How many workers there are, and when each loads the model."""

import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import clean_environment, free_port, missing, refused_start, wait_for

pytestmark = pytest.mark.slow

GIBIBYTE = 2**30
NONE = 9223372036854771712  # what version 1 says where there is no limit
TREES = {
    "nothing": ({}, 2),
    "version 2, unlimited": ({"cgroup": "0::/", "cpu.max": "max 100000", "memory.max": "max"}, 2),
    "version 2, one core": ({"cgroup": "0::/", "cpu.max": "100000 100000"}, 1),
    "version 2, half a core": ({"cgroup": "0::/", "cpu.max": "50000 100000"}, 1),
    "version 2, a core and a half": ({"cgroup": "0::/", "cpu.max": "150000 100000"}, 2),
    "version 2, eight cores": ({"cgroup": "0::/", "cpu.max": "800000 100000"}, 8),
    "version 2, eight cores and 1 GiB": (
        {"cgroup": "0::/", "cpu.max": "800000 100000", "memory.max": f"{GIBIBYTE}"},
        4,
    ),
    "version 2, less than a worker": ({"cgroup": "0::/", "memory.max": f"{2**27}"}, 1),
    "version 2, a group in a group": (
        {
            "cgroup": "0::/kubepods/pod1/container",
            "kubepods/pod1/cpu.max": "300000 100000",
            "kubepods/pod1/container/cpu.max": "max 100000",
            "kubepods/memory.max": f"{64 * GIBIBYTE}",
        },
        3,
    ),
    "version 2, a path that only the host knows": (
        {"cgroup": "0::/docker/0123abcd", "cpu.max": "300000 100000"},
        3,
    ),
    "version 2, a path above the container": (
        {"cgroup": "0::/../other", "cpu.max": "300000 100000"},
        3,
    ),
    "version 1": (
        {
            "cgroup": "7:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/docker/1",
            "cpu,cpuacct/docker/1/cpu.cfs_quota_us": "250000",
            "cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000",
            "memory/docker/1/memory.limit_in_bytes": f"{NONE}",
        },
        3,
    ),
    "version 1, unlimited": (
        {
            "cgroup": "4:cpu:/\n7:memory:/",
            "cpu/cpu.cfs_quota_us": "-1",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": f"{NONE}",
        },
        2,
    ),
    "version 1, in a container that sees only itself": (
        {
            "cgroup": "4:cpuacct,cpu:/docker/1\n7:memory:/docker/1",
            "cpu/cpu.cfs_quota_us": "600000",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": f"{GIBIBYTE}",
        },
        4,
    ),
    "both versions": (
        {
            "cgroup": "4:cpu:/a\n0::/a",
            "cpu/a/cpu.cfs_quota_us": "500000",
            "cpu/a/cpu.cfs_period_us": "100000",
            "memory.max": f"{GIBIBYTE}",
        },
        4,
    ),
    "files of another kind": (
        {"cgroup": "0::/", "cpu.max": "many", "memory.max": "", "cpu.cfs_quota_us": "0 0"},
        2,
    ),
}


@pytest.fixture(scope="module")
def settings(bake) -> dict:
    """The names of gunicorn.conf.py."""
    return runpy.run_path(str(bake() / "gunicorn.conf.py"))


def recorded(folder: Path, tree: dict[str, str]) -> Path:
    """A root with the files that the kernel would show."""
    for name, text in tree.items():
        path = folder / ("proc/self/cgroup" if name == "cgroup" else f"sys/fs/cgroup/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return folder


@pytest.mark.parametrize(("tree", "expected"), TREES.values(), ids=TREES)
def test_the_workers_fit_into_the_container(settings, tmp_path, tree, expected):
    root = recorded(tmp_path, tree)
    assert settings["workers_that_fit"](root, usable=64, existing=64) == expected


def test_cores_that_a_container_is_bound_to_are_a_limit(settings, tmp_path):
    assert settings["workers_that_fit"](tmp_path, usable=3, existing=64) == 3


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({}, 600),
        ({"cgroup": "0::/", "pids.max": "max"}, 600),
        ({"cgroup": "0::/", "pids.max": "2048"}, 256),
        ({"cgroup": "8:pids:/docker/1", "pids/docker/1/pids.max": "400"}, 50),
        ({"cgroup": "0::/", "pids.max": "10"}, 8),
    ],
)
def test_the_threads_fit_into_the_container(settings, tmp_path, tree, expected):
    """A worker that is refused a thread ends."""
    assert settings["threads_that_fit"](recorded(tmp_path, tree), workers=4) == expected


def test_no_workers_is_one_clear_sentence(bake):
    said = refused_start(bake(), WEB_CONCURRENCY="0")
    assert said == "WEB_CONCURRENCY='0' is no number of workers: write one such as 2.\n"


@pytest.mark.parametrize("number", ["-1", "many", "1.5"])
def test_another_bad_number_of_workers_is_named_by_gunicorn_itself(bake, number):
    """Which reads it before gunicorn.conf.py can, and says it in fewer words."""
    assert number in refused_start(bake(), WEB_CONCURRENCY=number).splitlines()[-1]


def test_preload_is_true_or_false(bake):
    said = refused_start(bake(), PRELOAD="no")
    assert said == "PRELOAD='no' is neither true nor false.\n"


LOADS = """
import os
from pathlib import Path
from model.square import Input, Output, predict

IMPORTED = os.getpid()

def load():
    with Path("loaded").open("a") as file:
        print(IMPORTED, os.getpid(), file=file)
"""


def project_with(cookies, source: str) -> Path:
    project = cookies.bake().project_path
    (project / "model/__init__.py").write_text(source)
    return project


def loads(project: Path, count: int) -> list[list[str]]:
    """Who imported the model and who loaded it, as soon as so many did."""
    end = time.monotonic() + 30
    while True:
        text = (project / "loaded").read_text() if (project / "loaded").exists() else ""
        if text.count("\n") >= count:
            return [line.split() for line in text.splitlines()]
        assert time.monotonic() < end, text
        time.sleep(0.05)


def test_the_model_is_loaded_once_before_the_workers(cookies, serve):
    project = project_with(cookies, LOADS)
    with serve(project, WEB_CONCURRENCY="2") as server:
        assert server.get("/api?value=3").status == 200
        master = str(server.process.pid)
    assert loads(project, 1) == [[master, master]]


def test_one_setting_loads_in_each_worker_and_not_in_the_master(cookies, serve):
    project = project_with(cookies, LOADS)
    with serve(project, WEB_CONCURRENCY="2", PRELOAD="false") as server:
        assert server.get("/api?value=3").status == 200
        wait_for(server.log, "once the workers have loaded")
        found = loads(project, 2)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=15) == 0
    assert all(importer == loader for importer, loader in found)
    assert len({loader for _, loader in found} - {str(server.process.pid)}) == 2
    assert not re.findall(r"ERROR|WARNING|Traceback", server.log.read_text())


BEGINS = """
import os
import time
from pathlib import Path
from model.square import Input, Output, predict

def begin():
    Path("begun").touch()
    time.sleep({seconds})

{when}
"""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    ("preload", "seconds", "when"),
    [
        ("true", 1, "os.register_at_fork(after_in_child=begin)"),
        ("false", 60, "load = begin"),
    ],
    ids=["at its birth", "at its load"],
)
def test_a_stop_in_the_first_moments_of_a_worker_is_not_forgotten(
    cookies, serve, preload, seconds, when, stop
):
    project = project_with(cookies, BEGINS.format(seconds=seconds, when=when))
    with serve(project, WEB_CONCURRENCY="1", PRELOAD=preload) as server:
        wait_for(project / "begun")
        server.process.send_signal(stop)
        assert server.process.wait(timeout=7) == 0  # the master would kill it after 9 seconds
    assert not re.findall(r"ERROR|WARNING|Traceback", server.log.read_text())


def test_a_stop_is_heard_while_process_1_loads_the_model(cookies):
    """To which the system brings no signal that it has not asked for."""
    if not shutil.which("unshare"):
        missing("unshare")
    project = project_with(cookies, BEGINS.format(seconds=60, when="load = begin"))
    alone = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    environment = clean_environment() | {"PORT": str(free_port())}
    command = [*alone, sys.executable, "-m", "gunicorn"]
    with subprocess.Popen(command, cwd=project, env=environment) as process:
        try:
            wait_for(project / "begun")
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            os.kill(int(children), signal.SIGTERM)
            assert process.wait(timeout=7) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("preload", ["true", "false"])
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def load():\n    raise RuntimeError('the weights are missing')\n", "weights are missing"),
        ("del predict\n", "must export predict"),
    ],
)
def test_a_load_that_fails_stops_the_start_with_its_reason(cookies, preload, source, reason):
    project = project_with(cookies, LOADS + source)
    assert reason in refused_start(project, PRELOAD=preload)
