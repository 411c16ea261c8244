"""Which code, environment and weights stand behind an answer: fingerprint, GET /service-info."""

import hashlib
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, url_for

from service.citation import CITATION, authors

bp = Blueprint("provenance", __name__)

PROJECT = Path(__file__).parents[1]
# Neither code nor weights, or kept out of the image by .dockerignore; examples are the proof.
LEFT_OUT = re.compile(r"(.*/)?(\.[^/]*|__pycache__|[^/]*\.ipynb)(/.*)?|model/(examples|data)/.*")
# What changes the order or the grouping of sums, and so their last digits.
THREADS = ["MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED"]


def digests(*names: str) -> dict[str, str]:
    """The sha256 of every file in these files and folders, by its path in the project."""
    found = [path for name in names for path in [PROJECT / name, *(PROJECT / name).rglob("*")]]
    paths = {path.relative_to(PROJECT).as_posix(): path for path in found if path.is_file()}
    return {name: digest(paths[name]) for name in sorted(paths) if not LEFT_OUT.fullmatch(name)}


def digest(path: Path) -> str:
    """The sha256 of a file, of a text with the line ends of Linux, wherever it was checked out."""
    with path.open("rb") as file:
        if b"\0" in file.read(8000):  # as git tells a text from anything else
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        found = hashlib.sha256()
        for line in file:
            found.update(line[:-2] + b"\n" if line.endswith(b"\r\n") else line)
        return found.hexdigest()


def combined(found: dict[str, str]) -> str:
    """One hash for many files: that of the list which sha256sum would print of them."""
    lines = "".join(f"{value}  {name}\n" for name, value in found.items())
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def lock() -> str:
    """The hash of the lock that this environment was made from, if it was."""
    path = Path(sys.prefix) / "environment.lock"
    is_locked = path.exists() and "@EXPLICIT" in path.read_text("utf-8")
    return digest(path)[:16] if is_locked else "not locked"


def revision() -> str:
    """The commit, with -dirty where files differ from it, as told to the build or asked of git."""
    if "REVISION" in os.environ or not (PROJECT / ".git").exists():
        return os.environ.get("REVISION", "unknown")
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        asked = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    except OSError:  # no git here
        return "unknown"
    return asked.stdout.strip() or "unknown"


MODEL = digests("model")
PARTS = {
    "model": combined(MODEL),
    "service": combined(digests("service", "app.py", "gunicorn.conf.py")),
    "lock": lock(),
    "base": os.environ.get("BASE_IMAGE", "unknown"),
}
FINGERPRINT = hashlib.sha256(repr(PARTS).encode()).hexdigest()[:16]
REVISION = revision()


@bp.after_app_request
def sign(response: Response) -> Response:
    """Say in every answer what it comes from."""
    response.headers["Model-Fingerprint"] = FINGERPRINT
    return response


@bp.get("/service-info")
def show() -> dict:
    """Say what this service is (GA4GH service-info 1.0.0), and what stands behind its answers."""
    repository = urlsplit(CITATION.get("repository-code", ""))
    host = reversed((repository.hostname or "unknown").split("."))
    group = ".".join([*host, *repository.path.strip("/").split("/")[:-1]])
    artifact = repository.path.strip("/").rpartition("/")[2] or "model"
    version = str(CITATION["version"])
    return {
        "id": f"{group}.{artifact}",
        "name": CITATION["title"],
        "description": CITATION.get("abstract", ""),
        "type": {"group": group, "artifact": artifact, "version": version},
        "organization": {"name": ", ".join(authors()), "url": repository.geturl()},
        "documentationUrl": url_for("pages.index", _external=True),
        "version": version,
        "fingerprint": FINGERPRINT,
        "parts": PARTS,
        **state(),
    }


def state() -> dict:
    """What the fingerprint does not hold, but may explain a difference."""
    commit = REVISION.removesuffix("-dirty")
    sizes = {name: (PROJECT / name).stat().st_size for name in MODEL}
    return {
        "revision": commit,
        "dirty": "unknown" if commit == "unknown" else commit != REVISION,
        "files": {name: {"sha256": MODEL[name], "bytes": sizes[name]} for name in MODEL},
        "packages": {found.name: found.version for found in distributions()},
        "python": platform.python_version(),
        "platform": platform.machine(),
        "threads": {name: os.environ.get(name, "not set") for name in THREADS},
        "check": current_app.config["CHECK"],
    }
