"""model/weights.json: files too large for git; `python service/weights.py` fetches them.

A program of its own, since the service does not start without the model's weights.
"""

import hashlib
import sys
import tempfile
from pathlib import Path

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

MODEL = Path(__file__).parents[1] / "model"
PROGRAM = "python service/weights.py"


class Weight(BaseModel, extra="forbid"):
    """A file of model/: where it is published, what it is, and on which terms."""

    file: str = Field(pattern=r"^[^./\\:][^/\\:]*(/[^./\\:][^/\\:]*)*$")
    url: str  # https://…, or doi:10.5281/zenodo.…/name
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int
    license: str


def listed() -> dict[str, Weight]:
    """What model/weights.json lists, by file."""
    path = MODEL / "weights.json"
    try:
        found = TypeAdapter(list[Weight]).validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        sys.exit(f"model/weights.json: {place}: {error.errors()[0]['msg']}.")
    return {weight.file: weight for weight in found}


def checked() -> dict[str, Weight]:
    """The list, unless a file is missing or not the one that is listed: then stop."""
    weights = listed()
    for name, weight in weights.items():
        if not (MODEL / name).is_file():
            sys.exit(f"model/{name} is missing; run: {PROGRAM}")
        if (found := sha256(MODEL / name)) != weight.sha256:
            lists = f"model/weights.json lists {weight.sha256}: correct the list"
            away = f"or move the file away and run: {PROGRAM}"
            sys.exit(f"model/{name} has the sha256 {found}, and {lists}, {away}")
    return weights


def sha256(path: Path) -> str:
    """The sha256 of a file as it stands, however large."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(weight: Weight) -> None:
    """Put a file into its place once it is whole and the one that is listed."""
    path = MODEL / weight.file
    try:
        import pooch  # which a model without such files does not need
    except ImportError:
        sys.exit("model/weights.json lists files to fetch: add pooch>=1.8,<2 to environment.yml.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, to move at once; hidden, so that no image takes what a kill left
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as folder:
            part = Path(pooch.retrieve(weight.url, f"sha256:{weight.sha256}", "part", folder))
            part.chmod(0o644)
            part.replace(path)
    except (OSError, ValueError) as error:  # among them those of the network and of the hash
        sys.exit(f"model/{weight.file} could not be fetched from {weight.url}. {error}")


if __name__ == "__main__":
    for weight in listed().values():
        if not (MODEL / weight.file).exists():
            fetch(weight)
    checked()
