"""The cores and the memory are those of the container, and as many model processes fit in."""

import os
import sys
from pathlib import Path

import pytest

from service import machine

GIBIBYTE = 2**30
NONE = 9223372036854771712  # what version 1 says where there is no limit
# The files that the kernel shows, the cores and the memory (GiB) that these leave of 64 and 64.
TREES = {
    "nothing": ({}, 64, 64),
    "version 2, unlimited": (
        {"cgroup": "0::/", "cpu.max": "max 100000", "memory.max": "max"},
        64,
        64,
    ),
    "version 2, one core": ({"cgroup": "0::/", "cpu.max": "100000 100000"}, 1, 64),
    "version 2, half a core": ({"cgroup": "0::/", "cpu.max": "50000 100000"}, 1, 64),
    "version 2, a core and a half": ({"cgroup": "0::/", "cpu.max": "150000 100000"}, 2, 64),
    "version 2, eight cores": ({"cgroup": "0::/", "cpu.max": "800000 100000"}, 8, 64),
    "version 2, eight cores and 1 GiB": (
        {"cgroup": "0::/", "cpu.max": "800000 100000", "memory.max": f"{GIBIBYTE}"},
        8,
        1,
    ),
    "version 2, an eighth of a GiB": ({"cgroup": "0::/", "memory.max": f"{2**27}"}, 64, 0.125),
    "version 2, a group in a group": (
        {
            "cgroup": "0::/kubepods/pod1/container",
            "kubepods/pod1/cpu.max": "300000 100000",
            "kubepods/pod1/container/cpu.max": "max 100000",
            "kubepods/memory.max": f"{16 * GIBIBYTE}",
        },
        3,
        16,
    ),
    "version 2, a path that only the host knows": (
        {"cgroup": "0::/docker/0123abcd", "cpu.max": "300000 100000"},
        3,
        64,
    ),
    "version 2, a path above the container": (
        {"cgroup": "0::/../other", "cpu.max": "300000 100000"},
        3,
        64,
    ),
    "version 1": (
        {
            "cgroup": "7:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/docker/1",
            "cpu,cpuacct/docker/1/cpu.cfs_quota_us": "250000",
            "cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000",
            "memory/docker/1/memory.limit_in_bytes": f"{NONE}",
        },
        3,
        64,
    ),
    "version 1, unlimited": (
        {
            "cgroup": "4:cpu:/\n7:memory:/",
            "cpu/cpu.cfs_quota_us": "-1",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": f"{NONE}",
        },
        64,
        64,
    ),
    "version 1, in a container that sees only itself": (
        {
            "cgroup": "4:cpuacct,cpu:/docker/1\n7:memory:/docker/1",
            "cpu/cpu.cfs_quota_us": "600000",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": f"{GIBIBYTE}",
        },
        6,
        1,
    ),
    "both versions": (
        {
            "cgroup": "4:cpu:/a\n0::/a",
            "cpu/a/cpu.cfs_quota_us": "500000",
            "cpu/a/cpu.cfs_period_us": "100000",
            "memory.max": f"{GIBIBYTE}",
        },
        5,
        1,
    ),
    "files of another kind": (
        {"cgroup": "0::/", "cpu.max": "many", "memory.max": "", "cpu.cfs_quota_us": "0 0"},
        64,
        64,
    ),
}


@pytest.fixture
def computer(monkeypatch) -> None:
    """A machine with 64 cores and 64 GiB."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * GIBIBYTE // 4096}
    monkeypatch.setattr(os, "sysconf", pages.get, raising=False)


def shown(folder: Path, tree: dict[str, str]) -> Path:
    """A root with the files that the kernel would show."""
    for name, text in tree.items():
        path = folder / ("proc/self/cgroup" if name == "cgroup" else f"sys/fs/cgroup/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return folder


@pytest.mark.parametrize(("tree", "cores", "memory"), TREES.values(), ids=TREES)
def test_the_share_of_a_container_is_known(computer, tmp_path, tree, cores, memory):
    root = shown(tmp_path, tree)
    assert (machine.cores(root), machine.memory(root)) == (cores, memory * GIBIBYTE)


def test_cores_that_a_process_is_bound_to_are_a_limit(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    assert machine.cores(tmp_path) == 3


def test_without_a_mask_all_cores_count(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert machine.cores(tmp_path) == 12


@pytest.mark.parametrize(
    ("cores", "memory", "size", "expected"),
    [
        (8, 64 * GIBIBYTE, 10**8, 8),
        (8, 10**9, 10**8, 8),
        (8, 9 * 10**8, 10**8, 7),
        (8, 10**9, 3 * 10**8, 2),
        (8, 10**8, 10**8, 1),
        (1, 64 * GIBIBYTE, 10**8, 1),
        (2, 64 * GIBIBYTE, 0, 2),
    ],
)
def test_there_is_a_process_a_core_as_far_as_they_fit(monkeypatch, cores, memory, size, expected):
    """150 MB are kept for the service itself."""
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(machine, "memory", lambda: memory)
    assert machine.fitting(size) == expected


@pytest.mark.skipif(os.name == "nt", reason="Windows says no sizes so.")
def test_the_size_of_a_process_is_in_bytes():
    assert 10**7 < machine.size() < 10**9


def test_where_no_size_is_known_the_service_starts_all_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    assert machine.size() == 0
