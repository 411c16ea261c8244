"""GET /service-info: which code, environment and weights stand behind an answer (GA4GH 1.0.0)."""

import contextlib
import functools
import glob
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
from urllib.parse import urlsplit

from flask import Flask

from service.about.citation import cited
from service.proof import weights

PROJECT = Path(__file__).parents[2]
UNKNOWN = "unknown"
LARGE = 50_000_000  # bytes; a longer file is no text, and git warns of it
# What no image has, and the examples, which prove the model and are no part of it.
APART = re.compile(r"/__pycache__/|\.ipynb$|^model/(data|examples)/")
# What changes the last digits of an answer, or the order of a set.
SWITCHES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED")


def register(app: Flask, model: object) -> None:
    """Add the route to a service."""

    def service_info() -> dict:
        """Say what is really there, and whether the start has checked the recorded examples."""
        return identity() | {"check": app.config["CHECK"]}

    app.add_url_rule("/service-info", "service_info", service_info, methods=["GET"])


@functools.cache
def identity() -> dict:
    """Everything about this service, read once: when it starts."""
    model, lock = model_files(), Path(sys.prefix) / "environment.lock"
    locked = lock.exists() and b"@EXPLICIT" in lock.read_bytes()
    plumbing = ["app.py", "gunicorn.conf.py", *names("service")]
    found = {
        "model": {name: facts["sha256"] for name, facts in model.items()},
        "service": {name: digest(name) for name in plumbing},
        "lock": digest(lock) if locked else "not locked: another day may bring other packages",
        "base": os.environ.get("IMAGE_BASE", UNKNOWN),
    }
    parts = {name: short(part) for name, part in found.items()}
    name, _, base = found["base"].partition("@")
    return {
        **described(),
        "fingerprint": short(parts),
        "parts": parts,
        "lock": found["lock"],
        "base": {"name": name, "digest": base or UNKNOWN},
        "files": model,
        **surroundings(),
    }


def described() -> dict:
    """What GA4GH asks of every service, from CITATION.cff."""
    project = cited()
    source, version = project.code or "about:blank", project.version
    place = urlsplit(source)
    path = re.findall("[^/]+", place.path.removesuffix(".git")) or ["model"]
    name = ".".join([*reversed((place.hostname or UNKNOWN).split(".")), *path])
    return {
        "id": name,
        "name": project.title,
        "type": {"group": name, "artifact": "model-api", "version": version},
        "description": project.abstract,
        "organization": {"name": ", ".join(project.authors), "url": source},
        "version": version,
    }


def surroundings() -> dict:
    """The revision, as the build says it or git; the Python, the packages and the machine."""
    changes = git("status", "--porcelain")
    dirty = UNKNOWN if changes is None else bool(changes)
    conda = Path(sys.prefix).glob("conda-meta/*-*-*.json")  # name-version-build
    found = [path.stem.rsplit("-", 2)[:2] for path in conda]
    found += [[package.name, package.version] for package in metadata.distributions()]
    packages = {name.lower().replace("_", "-"): version for name, version in found if name}
    return {
        "revision": os.environ.get("IMAGE_REVISION") or git("rev-parse", "HEAD") or UNKNOWN,
        "dirty": {"true": True, "false": False}.get(os.environ.get("IMAGE_DIRTY"), dirty),
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items())),
        "platform": platform.system(),
        "architecture": platform.machine(),
        "threads": {name: os.environ.get(name) for name in SWITCHES},  # null where not set
    }


def git(*words: str) -> str | None:
    """What git says of the project, unless there is no git or the repository is another's."""
    command = ["git", f"--git-dir={PROJECT / '.git'}", f"--work-tree={PROJECT}", *words]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def model_files() -> dict[str, dict]:
    """The files of model/, and where listed weights are from; stop if these are not as listed."""
    listed = weights.checked().values()
    found = {f"model/{weight.file}": weight.model_dump(exclude={"file"}) for weight in listed}
    for name in set(names("model")) - set(found):
        size = (PROJECT / name).stat().st_size
        if size > LARGE:
            logging.warning("%s is large for git: list it in model/weights.json.", name)
        found[name] = {"sha256": digest(name), "bytes": size}
    return dict(sorted(found.items()))


def names(folder: str) -> list[str]:
    """The files of a folder that count."""
    # Other than pathlib's, this glob leaves out what is hidden and follows links to folders.
    found = glob.glob(f"{folder}/**", root_dir=PROJECT, recursive=True)  # noqa: PTH207
    files = [Path(name).as_posix() for name in found if (PROJECT / name).is_file()]
    return [name for name in files if not APART.search(name)]


def digest(name: str) -> str:
    """The sha256 of a file; of a text as if its lines ended in LF, however git checked it out."""
    path = PROJECT / name
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
