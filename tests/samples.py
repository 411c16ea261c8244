"""The models in examples/, each put in the place of the square as the README says to do it."""

import json
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from conftest import TEMPLATE, missing
from packaging.requirements import Requirement

SAMPLES = sorted(path.parent.name for path in (TEMPLATE / "examples").glob("*/model"))


def put_in(project: Path, name: str) -> Path:
    """The project with a sample for its model; nothing else changes but what is the owner's."""
    sample = TEMPLATE / "examples" / name
    shutil.rmtree(project / "model")
    shutil.copytree(sample / "model", project / "model")
    shutil.copy(sample / "test_model.py", project / "tests")
    with (project / "environment.yml").open("a", encoding="utf-8") as listed:
        listed.writelines(f"  - {package}\n" for package in packages(name))
    return project


def packages(name: str) -> list[str]:
    """What a sample needs besides the service."""
    listed = TEMPLATE / "examples" / name / "packages.txt"
    return listed.read_text("utf-8").splitlines() if listed.exists() else []


def need(name: str) -> None:
    """Skip, or in CI fail, without the packages of a sample."""
    for package in map(Requirement, packages(name)):
        try:
            assert version(package.name) in package.specifier
        except PackageNotFoundError:
            missing(package.name)


def recorded(name: str) -> dict[str, dict]:
    """The recorded examples of a sample, by name."""
    paths = sorted((TEMPLATE / "examples" / name / "model/examples").glob("*.json"))
    return {path.stem: json.loads(path.read_text("utf-8")) for path in paths}
