"""Writes the locks: the exact packages of environment.yml, one file per platform.

Run by `docker build --no-cache --target lock --output locks .`, where micromamba is.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

COMMAND = "docker build --no-cache --target lock --output locks ."
# Docker's name: conda's name, and the plainest processor, so that every machine can run the lock
PLATFORMS = {"amd64": ("linux-64", "x86_64"), "arm64": ("linux-aarch64", "aarch64")}
# micromamba adds pip to every Python, and pip brings these: the image installs nothing
INSTALLERS = ("pip", "wheel", "setuptools")


def requested(environment: dict) -> set[str]:
    """The names in environment.yml; stops at a pip section, which a lock would drop unsaid."""
    for dependency in environment["dependencies"]:
        if isinstance(dependency, dict):
            sys.exit(
                "environment.yml has a pip: section, which a conda lock cannot hold: name those"
                " packages as conda-forge has them, or delete locks/*.lock and build unlocked."
            )
    return {package_name(dependency) for dependency in environment["dependencies"]}


def package_name(specification: str) -> str:
    return re.split(r"[\s=<>!~\[]", specification.split("::")[-1].strip())[0].lower()


def solve(platform: str, processor: str) -> list[dict]:
    """The packages to install, each after those it depends on."""
    command = ["micromamba", "create", "--dry-run", "--json", "--prefix", "/opt/none"]
    command += ["--platform", platform, "--file", "environment.yml"]
    settings = {
        "CONDA_OVERRIDE_ARCHSPEC": processor,
        "MAMBA_ADD_PIP_AS_PYTHON_DEPENDENCY": "false",
    }
    answer = subprocess.run(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True)
    if answer.returncode:
        sys.exit(f"environment.yml has no solution for {platform}: {answer.stdout}")
    return json.loads(answer.stdout)["actions"]["LINK"]


def without_installers(packages: list[dict], wanted: set[str]) -> list[dict]:
    """The packages without pip and its own, unless something else asks for them."""
    for name in INSTALLERS:
        # micromamba writes null for an empty list
        lines = [line for package in packages for line in package["depends"] or []]
        needed = {package_name(line) for line in lines}
        if name not in needed and (name == "pip" or name not in wanted):
            packages = [package for package in packages if package["name"] != name]
    return packages


def lock(packages: list[dict], platform: str, environment_hash: str) -> str:
    header = [
        f"# Written by: {COMMAND}",
        f"# platform: {platform}",
        f"# environment.yml sha256: {environment_hash}",
        "@EXPLICIT",
    ]
    return "\n".join(header + [f"{p['url']}#{p['sha256']}" for p in packages]) + "\n"


def main() -> None:
    text = Path("environment.yml").read_bytes().replace(b"\r", b"")
    wanted = requested(yaml.safe_load(text))
    for architecture, (platform, processor) in PLATFORMS.items():
        packages = without_installers(solve(platform, processor), wanted)
        written = lock(packages, platform, hashlib.sha256(text).hexdigest())
        Path(f"linux-{architecture}.lock").write_text(written)
        print(f"locks/linux-{architecture}.lock: {len(packages)} packages")


if __name__ == "__main__":
    main()
