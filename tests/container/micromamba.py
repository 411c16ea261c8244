"""A stand-in for micromamba 2.6 where conda-forge is out of reach, on top of py-rattler.

It knows the calls that the project's Dockerfile makes, and refuses every other option.
Each option is cited by its test in test_standin.py. conda-forge is a folder of the image.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import rattler
import yaml
from rattler.exceptions import SolverError
from rattler.package.build_string import BuildString

HERE = Path(__file__).resolve().parent
CONDA_FORGE = "https://conda.anaconda.org/conda-forge/"
LOCAL = f"file://{HERE}/channel/"
GLIBC = "2.41"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="micromamba", allow_abbrev=False)
    create = parser.add_subparsers(dest="command", required=True).add_parser(
        "create", allow_abbrev=False
    )
    create.add_argument("specs", nargs="*")
    create.add_argument("-y", "--yes", action="store_true")
    create.add_argument("-p", "--prefix", type=Path, required=True)
    create.add_argument("-f", "--file", type=Path)
    create.add_argument("-c", "--channel", action="append", default=[])
    create.add_argument("--override-channels", action="store_true")
    create.add_argument("--platform", choices=["linux-64", "linux-aarch64"], default="linux-64")
    create.add_argument("--dry-run", action="store_true")
    create.add_argument("--json", action="store_true")
    create.add_argument("--always-copy", action="store_true")
    create.add_argument("--no-pyc", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if not (options.yes or options.dry_run):
        sys.exit("critical libmamba: nobody is here to answer the question: --yes is needed")
    if not (options.no_pyc or options.dry_run):
        print("The stand-in compiles no byte code.", file=sys.stderr)
    pip_specs = []
    if options.file and "@EXPLICIT" in options.file.read_text().splitlines():
        records = explicit(options.file.read_text())
    else:
        specs, channels, pip_specs = requested(options)
        records = solve(specs, channels, options)
    if options.dry_run:
        print(json.dumps(report(records, options), indent=4))
        return
    install(records, options.prefix)
    if options.always_copy:
        copy_links(options.prefix)
    if pip_specs:
        install_with_pip(pip_specs, options.prefix)


def requested(options: argparse.Namespace) -> tuple[list[str], list[str], list[str]]:
    """The conda specs, the channels and the pip specs of the call and its file."""
    specs, channels, pip_specs = list(options.specs), list(options.channel), []
    if options.file:
        environment = yaml.safe_load(options.file.read_text())
        channels += environment["channels"]
        for dependency in environment["dependencies"]:
            if isinstance(dependency, dict):
                pip_specs += dependency["pip"]
            else:
                specs.append(dependency)
    names = {re.split(r"[\s=<>!~\[]", spec)[0] for spec in specs}
    # libmamba asks for pip wherever python or a pip section is asked for
    if ("python" in names or pip_specs) and "pip" not in names:
        specs.append("pip")
    return specs, channels, pip_specs


def solve(specs: list[str], channels: list[str], options: argparse.Namespace) -> list:
    if set(channels) - {"nodefaults"} != {"conda-forge"}:
        sys.exit(f"critical libmamba: the stand-in has conda-forge alone, not {channels}")
    processor = os.environ.get("CONDA_OVERRIDE_ARCHSPEC", "x86_64_v3")
    virtual = [("__glibc", GLIBC, "0"), ("__unix", "0", "0"), ("__linux", "6.1", "0")]
    virtual.append(("__archspec", "1", processor))
    packages = [
        rattler.GenericVirtualPackage(
            rattler.PackageName(name), rattler.Version(version), BuildString(build)
        )
        for name, version, build in virtual
    ]
    answer = rattler.solve(
        sources=[LOCAL],
        # pip's way to write a range is conda's once its comma is not followed by a blank
        specs=[rattler.MatchSpec(spec) for spec in specs],
        platforms=[options.platform, "noarch"],
        virtual_packages=packages,
    )
    try:
        records = asyncio.run(answer)
    except SolverError as error:
        if options.json:
            print(json.dumps({"success": False, "solver_problems": str(error).splitlines()}))
        sys.exit(f"critical libmamba Could not solve for environment specs\n{error}")
    by_name = {record.name: record for record in records}
    return [by_name[record.name] for record in rattler.PackageRecord.sort_topologically(records)]


def explicit(text: str) -> list:
    """The packages of an @EXPLICIT file, each checked against its hash."""
    lines = text[text.index("@EXPLICIT") :].splitlines()[1:]
    return [verified(line.strip()) for line in lines if line.strip() and line[0] != "#"]


def verified(line: str) -> rattler.RepoDataRecord:
    url, _, expected = line.partition("#")
    path = Path(url.replace(CONDA_FORGE, LOCAL).removeprefix("file://"))
    if not path.exists():
        sys.exit(f"critical libmamba Download error: 404 for {url}")
    if expected != hashlib.sha256(path.read_bytes()).hexdigest():
        sys.exit(f"error libmamba {path.name} tarball has incorrect SHA256")
    repodata = json.loads((path.parent / "repodata.json").read_text())
    record = repodata["packages"][path.name]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as index:
        index.write(json.dumps(record))
        index.flush()
        package = rattler.PackageRecord.from_index_json(
            index.name, size=record["size"], sha256=record["sha256"], md5=record["md5"]
        )
    return rattler.RepoDataRecord(package, path.name, f"file://{path}", LOCAL)


def report(records: list, options: argparse.Namespace) -> dict:
    """What `--dry-run --json` prints, with the fields that a lock is made from."""
    link = [
        {
            "name": record.name.normalized,
            "version": str(record.version),
            "build": str(record.build),
            # 2.6 flattens its JSON, and an empty list comes back as null
            "depends": record.depends or None,
            "subdir": record.subdir,
            "fn": record.file_name,
            "url": record.url.replace(LOCAL, CONDA_FORGE),
            "size": record.size,
            "md5": record.md5.hex(),
            "sha256": record.sha256.hex(),
        }
        for record in records
    ]
    actions = {"LINK": link, "FETCH": link, "PREFIX": str(options.prefix)}
    return {"success": True, "dry_run": True, "actions": actions, "prefix": str(options.prefix)}


def install(records: list, prefix: Path) -> None:
    cache = Path(os.environ["MAMBA_ROOT_PREFIX"]) / "pkgs"
    asyncio.run(rattler.install(records, prefix, cache_dir=cache, show_progress=False))
    # micromamba keeps a diary; it is one of the things that make two builds differ
    (prefix / "conda-meta/history").write_text(f"==> {os.times().elapsed} <==\n")
    print(f"Transaction finished: {len(records)} packages")


def copy_links(prefix: Path) -> None:
    """py-rattler links what its cache has; a link becomes a file of its own."""
    for path in prefix.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1:
            copy = path.with_name(path.name + ".copy")
            shutil.copy2(path, copy)
            copy.replace(path)


def install_with_pip(specs: list[str], prefix: Path) -> None:
    command = [prefix / "bin/python", "-m", "pip", "install", "--no-input", "--no-compile"]
    wheels = ["--no-index", "--find-links", HERE / "wheels"]
    subprocess.run([*command, *wheels, *specs], check=True)


if __name__ == "__main__":
    code = 0
    try:
        main()
    except SystemExit as refusal:
        code = refusal.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    sys.stdout.flush()
    # py-rattler's threads may outlive Python's own end, and fall over it
    os._exit(code)
