"""What CITATION.cff says: who made the project, its name, version and licence."""

from pathlib import Path

import yaml

CITATION = yaml.safe_load((Path(__file__).parents[1] / "CITATION.cff").read_text("utf-8"))


def authors() -> list[str]:
    """The authors' names as people write them."""
    parts = ("given-names", "family-names", "name")
    return [" ".join(filter(None, map(author.get, parts))) for author in CITATION["authors"]]
