"""model/weights.json: files too large for git; `make weights` fetches them.

This is a program of its own, since the service does not start without the model's weights.
"""

import hashlib
import sys
from pathlib import Path

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

MODEL = Path(__file__).parents[2] / "model"
WAY_OUT = "type: make weights"


class Weight(BaseModel, extra="forbid"):
    """A file of model/: its address, its contents and its licence."""

    file: str = Field(pattern=r"^[^./\\:][^/\\:]*(/[^./\\:][^/\\:]*)*$")
    url: str  # https://…, or doi:10.5281/zenodo.…/name
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int
    license: str


def checked(fetches: bool = False) -> list[Weight]:
    """Read model/weights.json; stop if a file is missing or is not the listed one."""
    try:
        weights = TypeAdapter(list[Weight]).validate_json((MODEL / "weights.json").read_bytes())
    except FileNotFoundError:
        return []
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        reason = f"{place}: {error.errors()[0]['msg']}; docs/model.md shows how to write it"
        sys.exit(f"model/weights.json: {reason}.")
    for weight in weights:
        path = MODEL / weight.file
        if fetches and not path.exists():
            fetch(weight, path)
        if not path.is_file():
            sys.exit(f"model/{weight.file} is missing; {WAY_OUT}")
        found = f"{sha256(path)} ({path.stat().st_size} bytes)"
        if found != (listed := f"{weight.sha256} ({weight.bytes} bytes)"):
            is_other = f"model/{weight.file} has the sha256 {found}, but model/weights.json lists"
            sys.exit(f"{is_other} {listed}: correct it, or move the file away and {WAY_OUT}")
    return weights


def fetch(weight: Weight, path: Path) -> None:
    """Download a file; it takes its place only when its hash is right."""
    try:
        import pooch  # a model without such files does not need it

        pooch.retrieve(weight.url, f"sha256:{weight.sha256}", path.name, path.parent)
        path.chmod(0o644)  # pooch lets nobody else read it
    except ImportError:
        sys.exit("model/weights.json lists files to fetch: add pooch>=1.8,<2 to environment.yml.")
    except (OSError, ValueError) as error:  # of the network, of the disk, or another hash
        failed = f"model/{weight.file} could not be fetched from {weight.url}. {error}."
        sys.exit(f"{failed} Correct model/weights.json, or try again.")


def sha256(path: Path) -> str:
    """Hash a file in parts, however large it is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    checked(fetches=True)
