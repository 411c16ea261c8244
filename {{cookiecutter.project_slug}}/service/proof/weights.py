"""model/weights.json: files too large for git; `python service/proof/weights.py` fetches them.

A program of its own, since the service does not start without the model's weights.
"""

import hashlib
import sys
from pathlib import Path

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

MODEL = Path(__file__).parents[2] / "model"


class Weight(BaseModel, extra="forbid"):
    """A file of model/: where it is published, what it is, and on which terms."""

    file: str = Field(pattern=r"^[^./\\:][^/\\:]*(/[^./\\:][^/\\:]*)*$")
    url: str  # https://…, or doi:10.5281/zenodo.…/name
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int
    license: str


def checked(fetches: bool = False) -> dict[str, Weight]:
    """What model/weights.json lists, by file; stop if one is missing, or is another."""
    listed = MODEL / "weights.json"
    try:
        weights = TypeAdapter(list[Weight]).validate_json(listed.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        sys.exit(f"model/weights.json: {place}: {error.errors()[0]['msg']}.")
    for weight in weights:
        path, way_out = MODEL / weight.file, "run: python service/proof/weights.py"
        if fetches and not path.exists():
            fetch(weight, path)
        if not path.is_file():
            sys.exit(f"model/{weight.file} is missing; {way_out}")
        found = sha256(path), path.stat().st_size
        if found != (weight.sha256, weight.bytes):
            lists = f"model/weights.json lists {weight.sha256} ({weight.bytes} bytes)"
            mend = f"correct the list, or move the file away and {way_out}"
            is_there = f"model/{weight.file} has the sha256 {found[0]} ({found[1]} bytes)"
            sys.exit(f"{is_there}, and {lists}: {mend}")
    return {weight.file: weight for weight in weights}


def fetch(weight: Weight, path: Path) -> None:
    """Put a file into its place once it is whole and the one that is listed."""
    try:
        import pooch  # which a model without such files does not need

        pooch.retrieve(weight.url, f"sha256:{weight.sha256}", path.name, path.parent)
        path.chmod(0o644)  # pooch keeps it from all others
    except ImportError:
        sys.exit("model/weights.json lists files to fetch: add pooch>=1.8,<2 to environment.yml.")
    except (OSError, ValueError) as error:  # among them those of the network and of the hash
        way_out = "Correct model/weights.json, or try again"
        sys.exit(f"model/{weight.file} could not be fetched from {weight.url}. {error}. {way_out}.")


def sha256(path: Path) -> str:
    """The sha256 of a file as it stands, however large."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    checked(fetches=True)
