"""What is served: the code, environment and weights behind an answer (GA4GH service-info)."""

import contextlib
import functools
import hashlib
import json
import logging
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import quote, urlsplit

from service.about.citation import cited
from service.files import PROJECT, names
from service.proof import weights

UNKNOWN = "unknown"
LARGE = 50_000_000  # bytes; git warns of a longer file, and none is a text
# These change the last digits of an answer, or the order of a set.
SWITCHES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED")


@functools.cache
def identity() -> dict:
    """Describe this service; the files are read once, at the start."""
    model, lock = model_files(), Path(sys.prefix) / "environment.lock"
    is_locked = lock.exists() and b"@EXPLICIT" in lock.read_bytes()
    base = os.environ.get("IMAGE_BASE", UNKNOWN)
    locked = digest(lock) if is_locked else "not locked: another day may bring other packages"
    plumbing = ["app.py", "gunicorn.conf.py", *names("service")]
    parts = {
        "model": short({name: facts["sha256"] for name, facts in model.items()}),
        "service": short({name: digest(PROJECT / name) for name in plumbing}),
        "lock": short(locked),
        "base": short(base),
    }
    return {
        **described(),
        "fingerprint": short(parts),
        "parts": parts,
        "lock": locked,
        "base": {"name": base.partition("@")[0], "digest": base.partition("@")[2] or UNKNOWN},
        "files": model,
        **source(),
        **surroundings(),
    }


def described() -> dict:
    """What GA4GH asks of every service, from CITATION.cff."""
    project = cited()
    address, version = project.code or "about:blank", project.version or UNKNOWN
    place = urlsplit(quote(address, ":/@?#"))  # some addresses cannot be split as they stand
    path = re.findall("[^/]+", place.path.removesuffix(".git")) or ["model"]
    name = ".".join([*reversed((place.hostname or UNKNOWN).split(".")), *path])
    return {
        "id": name,
        "name": project.title,
        "type": {"group": name, "artifact": "model-api", "version": version},
        "description": project.abstract,
        "organization": {"name": ", ".join(project.authors), "url": address},
        "version": version,
    }


def source() -> dict:
    """The revision of the code, and whether it was changed since: from the build, or from git."""
    changes = git("status", "--porcelain", "--untracked-files=normal")
    dirty = UNKNOWN if changes is None else bool(changes)
    return {
        "revision": os.environ.get("IMAGE_REVISION") or git("rev-parse", "HEAD") or UNKNOWN,
        "dirty": {"true": True, "false": False}.get(os.environ.get("IMAGE_DIRTY"), dirty),
    }


def surroundings() -> dict:
    """The Python, the packages of conda and of Python, and the machine."""
    conda = Path(sys.prefix).glob("conda-meta/*-*-*.json")  # name-version-build
    found = [path.stem.rsplit("-", 2)[:2] for path in conda]
    found += [[package.name, package.version] for package in metadata.distributions()]
    packages = {name.lower().replace("_", "-"): version for name, version in found if name}
    return {
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items())),
        "platform": platform.system(),
        "architecture": platform.machine(),
        "threads": {name: os.environ.get(name) for name in SWITCHES},  # null if not set
    }


def git(*words: str) -> str | None:
    """The output of git for this project; None without git, or in the repository of another."""
    command = ["git", f"--git-dir={PROJECT / '.git'}", f"--work-tree={PROJECT}", *words]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def model_files() -> dict[str, dict]:
    """The files of model/, and the origin of those in model/weights.json, which are checked."""
    found = {f"model/{one.file}": one.model_dump(exclude={"file"}) for one in weights.checked()}
    for name in set(names("model")) - set(found):
        size = (PROJECT / name).stat().st_size
        if size > LARGE:
            logging.warning("%s is large for git: list it in model/weights.json.", name)
        said = os.fsencode(name).decode(errors="backslashreplace")  # it may be no UTF-8
        found[said] = {"sha256": digest(PROJECT / name), "bytes": size}
    return dict(sorted(found.items()))


def digest(path: Path) -> str:
    """The sha256 of a file; of a text as if its lines ended in LF, since git may change them."""
    if path.stat().st_size > LARGE:
        return weights.sha256(path)
    content = path.read_bytes()
    with contextlib.suppress(UnicodeDecodeError):
        if "\0" not in content.decode():
            content = content.replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest()


def short(part: object) -> str:
    """The first 16 hexadecimal digits of the sha256 of a part, written as JSON."""
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]
