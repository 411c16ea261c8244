"""GET /service-info: which code, environment and weights stand behind an answer (GA4GH 1.0.0)."""

import contextlib
import functools
import glob
import hashlib
import json
import logging
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app

from service import weights
from service.citation import CITATION, authors

bp = Blueprint("provenance", __name__)

PROJECT = Path(__file__).parents[1]
UNKNOWN = "unknown"
# Longer files are no text, and no file that git takes without a warning is longer than HEAVY.
TEXT, HEAVY = 10_000_000, 50_000_000  # bytes
# What changes the last digits of an answer, or the order of a set.
SWITCHES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED")


@bp.get("/service-info")
def show() -> dict:
    """Say what is really there, and whether the start has checked the recorded examples."""
    return identity() | {"check": bool(current_app.config.get("CHECK"))}


@bp.after_app_request
def sign(response: Response) -> Response:
    """Tell with every answer which service gave it."""
    response.headers["Model-Fingerprint"] = identity()["fingerprint"]
    return response


@functools.cache
def identity() -> dict:
    """Everything about this service, read once: when it starts."""
    model, lock, base = model_files(), locked(), os.environ.get("IMAGE_BASE", UNKNOWN)
    hashes = {name: facts["sha256"] for name, facts in model.items()}
    plumbing = {name: digest(name) for name in names("service/**", "app.py", "gunicorn.conf.py")}
    named = {"model": hashes, "service": plumbing, "lock": lock, "base": base}
    parts = {name: short(part) for name, part in named.items()}
    found = {"fingerprint": short(parts), "parts": parts, "lock": lock, "files": model}
    return described() | found | built(base) | surroundings()


def short(part: object) -> str:
    """The first 16 hexadecimal digits of the sha256 of a part, written as JSON."""
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]


def names(*patterns: str) -> list[str]:
    """The files that an image takes too: none that are hidden, notebooks or byte code."""
    # Other than pathlib's, this glob leaves out what is hidden and follows links to folders.
    every = (glob.glob(one, root_dir=PROJECT, recursive=True) for one in patterns)  # noqa: PTH207
    paths = [Path(name) for found in every for name in found]
    kept = [path for path in paths if path.suffix != ".ipynb" and "__pycache__" not in path.parts]
    return sorted(path.as_posix() for path in kept if (PROJECT / path).is_file())


def digest(name: str) -> str:
    """The sha256 of a file; of a text as if its lines ended in LF, however git checked it out."""
    path = PROJECT / name
    if path.stat().st_size > TEXT:
        return weights.sha256(path)
    content = path.read_bytes()
    with contextlib.suppress(UnicodeDecodeError):
        if "\0" not in content.decode():
            content = content.replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest()


def model_files() -> dict[str, dict]:
    """The files of model/ but for examples/ and data/; stop at weights that are not as listed."""
    listed, found = weights.checked(), {}
    for name in names("model/**"):
        size, weight = (PROJECT / name).stat().st_size, listed.get(name.removeprefix("model/"))
        if weight:
            found[name] = weight.model_dump(include={"sha256", "bytes", "url", "license"})
        elif name.split("/")[1] not in ("examples", "data"):
            found[name] = {"sha256": digest(name), "bytes": size}
            if size > HEAVY:
                logging.warning("%s is large for git: list it in model/weights.json.", name)
    return found


def locked() -> str:
    """The sha256 of the lock that the environment was made from, if it was."""
    path = Path(sys.prefix) / "environment.lock"
    if path.exists() and b"@EXPLICIT" in path.read_bytes():
        return digest(path)
    return "not locked: another day may bring other packages"


def described() -> dict:
    """What GA4GH asks of every service, from CITATION.cff."""
    source = CITATION.get("repository-code", "about:blank")
    place = urlsplit(source)
    path = [part for part in place.path.removesuffix(".git").split("/") if part] or ["model"]
    name = ".".join([*reversed((place.hostname or UNKNOWN).split(".")), *path])
    version = {"version": str(CITATION["version"])}
    return {
        "id": name,
        "name": CITATION["title"],
        "type": {"group": name, "artifact": "model-api"} | version,
        "description": CITATION.get("abstract", ""),
        "organization": {"name": ", ".join(authors()), "url": source},
    } | version


def built(base: str) -> dict:
    """What the image was built from: the build says it, or git where the checkout runs."""
    changes = git("status", "--porcelain")
    dirty = os.environ.get("IMAGE_DIRTY") or {None: UNKNOWN, "": "false"}.get(changes, "true")
    name, _, found = base.partition("@")
    return {
        "revision": os.environ.get("IMAGE_REVISION") or git("rev-parse", "HEAD") or UNKNOWN,
        "dirty": {"true": True, "false": False}.get(dirty, UNKNOWN),
        "base": {"name": name, "digest": found or UNKNOWN},
    }


def git(*words: str) -> str | None:
    """What git says of the project, unless there is no git or the repository is another's."""
    try:
        (PROJECT / ".git").stat()
        command = ["git", "-C", str(PROJECT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def surroundings() -> dict:
    """The Python, the packages and the machine; a switch that is not set is null."""
    records = Path(sys.prefix).glob("conda-meta/*-*-*.json")  # name-version-build
    conda = [path.stem.rsplit("-", 2)[:2] for path in records]
    pip = [[found.metadata["Name"], found.version] for found in metadata.distributions()]
    versions = {name.lower().replace("_", "-"): version for name, version in conda + pip if name}
    return {
        "python": platform.python_version(),
        "packages": dict(sorted(versions.items())),
        "platform": platform.system(),
        "architecture": platform.machine(),
        "threads": {name: os.environ.get(name) for name in SWITCHES},
    }
