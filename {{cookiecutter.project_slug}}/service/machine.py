"""The cores and the memory of this service: the share of its container, not all of the host."""

import contextlib
import gc
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
RESERVE = 150_000_000  # bytes, for the service processes and the keeper


def cores(root: Path = ROOT) -> int:
    """The cores that this process may use at once."""
    shares = limits(root, "cpu.max") + limits(root, "cpu.cfs_quota_us", "cpu.cfs_period_us")
    quotas = [share[0] / share[1] for share in shares if len(share) == 2 and min(share) > 0]
    has_mask = hasattr(os, "sched_getaffinity")
    usable = len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1
    return max(1, math.ceil(min([*quotas, usable])))


def memory(root: Path = ROOT) -> int:
    """The memory that this process and those beside it may take (bytes)."""
    groups = limits(root, "memory.max") + limits(root, "memory.limit_in_bytes")
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *(size for [size] in groups)])


def fitting(size: int) -> int:
    """Give the number of model processes of a size (bytes): one a core, if they fit."""
    return max(1, min(cores(), (memory() - RESERVE) // max(size, 1)))


def size() -> int:
    """The most memory that this process has taken so far (bytes); 0 where that is not known."""
    try:
        import resource
    except ImportError:  # Windows has none
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Python from looking for garbage: it would look through new values again and again."""
    is_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_enabled:
            gc.enable()


def give_back() -> None:
    """Give memory that is free back to the system; the C library of Linux keeps much of it."""
    import ctypes

    with contextlib.suppress(AttributeError, OSError, TypeError):  # where it has no such function
        ctypes.CDLL(None).malloc_trim(0)


def limits(root: Path, *names: str) -> list[list[int]]:
    """Read the limits of each control group from files of these names."""
    found = (numbers(*map(folder.joinpath, names)) for folder in control_groups(root))
    return list(filter(None, found))


def control_groups(root: Path) -> Iterator[Path]:
    """List the folders of the control groups (v1 or v2) of this process, and those above."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return  # macOS has none
    for _, controllers, path in (line.split(":", 2) for line in lines):
        for tree in ("", *controllers.split(","), controllers):
            folder = root / "sys/fs/cgroup" / tree / path.lstrip("/")
            yield from (folder, *folder.parents)


def numbers(*paths: Path) -> list[int]:
    """Read the numbers in files; none if a file is missing or says max."""
    try:
        return [int(word) for path in paths for word in path.read_text().split()]
    except (OSError, ValueError):
        return []
