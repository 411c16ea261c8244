"""The Dockerfile as text: understood by old engines and Podman, and by a linter."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from container.bases import names

# DL3002: a build stage may be root's, and the last stage is not
# DL4006: the image of micromamba has a shell that minds its pipes
ACCEPTED = ["--ignore=DL3002", "--ignore=DL4006"]


@pytest.mark.parametrize("newer", ["# syntax=", "<<", "--link", "--parents", "--start-interval"])
def test_it_needs_nothing_that_docker_20_has_not(bake, newer):
    assert newer not in (bake() / "Dockerfile").read_text()


def test_its_bases_are_arguments_with_a_version_or_a_digest(bake):
    bases = names(bake() / "Dockerfile")
    assert bases.keys() == {"MICROMAMBA", "RUNTIME"}
    version = re.search(r":(\d+)\.(\d+)\.\d+-debian13-slim", bases["MICROMAMBA"])
    assert (int(version[1]), int(version[2])) >= (2, 6)
    assert re.fullmatch(r"gcr.io/.+:nonroot@sha256:[0-9a-f]{64}", bases["RUNTIME"])


def test_the_linter_finds_no_fault(bake):
    hadolint = Path(sys.executable).parent / "hadolint"
    command = [hadolint, "--no-color", *ACCEPTED, bake() / "Dockerfile"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert answer.returncode == 0, answer.stdout
