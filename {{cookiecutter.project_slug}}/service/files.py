"""The files of the project that the fingerprint is made of."""

import glob
import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]
# The image has no such files; and the examples prove the model, but are no part of it.
APART = re.compile(r"/__pycache__/|\.ipynb$|^model/(data|examples)/")


def names(folder: str) -> list[str]:
    """The files of a folder that belong to the service."""
    # Unlike pathlib, this glob leaves out hidden files and follows links to folders.
    found = glob.glob(f"{folder}/**", root_dir=PROJECT, recursive=True)  # noqa: PTH207
    files = [Path(name).as_posix() for name in found if (PROJECT / name).is_file()]
    return [name for name in files if not APART.search(name)]
