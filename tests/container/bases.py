"""The images that the project starts from: the public ones, or stand-ins.

Two are the Dockerfile's, and one is the web server of compose.yaml. A stand-in has the public
image's name, so that Dockerfile and compose.yaml are used as they are.
README.md says what each proves.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from . import channel
from .debian import Archive
from .engine import Engine

HERE = Path(__file__).resolve().parent
PUBLIC = [
    "https://registry-1.docker.io/v2/",
    "https://gcr.io/v2/",
    "https://conda.anaconda.org/conda-forge/noarch/repodata_shards.msgpack.zst",
]
# https://github.com/GoogleContainerTools/distroless: base/ and cc/, debian13
DISTROLESS = [
    "base-files",
    "ca-certificates",
    "gcc-14-base",
    "libc6",
    "libgcc-s1",
    "libgomp1",
    "libssl3t64",
    "libstdc++6",
    "libzstd1",
    "netbase",
    "tzdata",
    "zlib1g",
]
# What the micromamba image's base, debian:13-slim, has of what a build step may call
SLIM = ["base-files", "bash", "coreutils", "dash", "findutils", "grep", "libc-bin", "sed"]
SOLVER = ["py-rattler==0.28.0", "pyyaml==6.0.3"]
PASSWD = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n"
GROUP = "root:x:0:\nnonroot:x:65532:\n"

RUNTIME_RECIPE = """\
FROM scratch
COPY root/ /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532
WORKDIR /home/nonroot
"""
# https://github.com/mamba-org/micromamba-docker: debian.Dockerfile
BUILDER_RECIPE = """\
FROM scratch
COPY root/ /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
    LANG=C.UTF-8 LC_ALL=C.UTF-8 MAMBA_ROOT_PREFIX=/opt/conda MAMBA_EXE=/bin/micromamba
USER 57439
WORKDIR /tmp
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
"""
# https://github.com/caddyserver/caddy-docker: the newest release, with the same rights on the file
CADDY = ["base-files", "ca-certificates", "caddy", "libc6", "libcap2", "libcap2-bin"]
PROXY_RECIPE = """\
FROM scratch
COPY root/ /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
    XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
RUN ["setcap", "cap_net_bind_service=+ep", "/usr/bin/caddy"]
WORKDIR /srv
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
"""
LAUNCHER = """\
#!/bin/sh
exec /usr/local/libexec/standin/python/bin/python -I /usr/local/libexec/standin/micromamba.py "$@"
"""


def names(dockerfile: Path) -> dict[str, str]:
    """The base images that a Dockerfile names, by build argument."""
    pattern = r"^ARG (MICROMAMBA|RUNTIME)=(\S+)$"
    return dict(re.findall(pattern, dockerfile.read_text(), re.MULTILINE))


def unpin(dockerfile: Path) -> None:
    """Take the digest from the base image, since no stand-in has it; change nothing else."""
    text, digest = dockerfile.read_text("utf-8"), r"(?m)^(ARG RUNTIME=\S+)@sha256:[0-9a-f]{64}$"
    changed, count = re.subn(digest, r"\1", text)
    assert count == 1, "The base image has no digest."
    dockerfile.write_text(changed, "utf-8")


def web_server(compose: Path) -> str:
    """The image of the web server that compose.yaml names."""
    return yaml.safe_load(compose.read_text())["services"]["proxy"]["image"]


def public_is_reachable() -> bool:
    return all(map(reachable, PUBLIC))


def reachable(address: str) -> bool:
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except urllib.error.HTTPError as refusal:
        # A registry asks who is there; a proxy that forbids says 403
        return refusal.code == 401
    except OSError:
        return False


@contextmanager
def provided(engine: Engine, project: Path, cache: Path) -> Iterator[str]:
    """Have the images in the engine; the answer says which kind they are.

    A stand-in bears the public name for the tests only: no later build finds it there.
    """
    if public_is_reachable():
        yield "public"
        return
    makers = {
        "MICROMAMBA": (BUILDER_RECIPE, micromamba_root),
        "RUNTIME": (RUNTIME_RECIPE, distroless_root),
        "PROXY": (PROXY_RECIPE, caddy_root),
    }
    wanted = names(project / "Dockerfile") | {"PROXY": web_server(project / "compose.yaml")}
    with ExitStack() as stack:
        for argument, name in wanted.items():
            standin = f"model-api-standin:{argument.lower()}"
            if not is_current(engine, standin):
                build(engine, standin, *makers[argument], cache)
            stack.enter_context(borrowed_name(engine, standin, name))
        yield "stand-in"


@contextmanager
def borrowed_name(engine: Engine, standin: str, name: str) -> Iterator[None]:
    before = engine.run("image", "inspect", "--format", "{{.Id}}", name)
    engine("tag", standin, name)
    try:
        yield
    finally:
        if before.returncode == 0:
            engine("tag", before.stdout.strip(), name)
        else:
            engine("rmi", "--no-prune", name)


def is_current(engine: Engine, name: str) -> bool:
    label = "{{index .Config.Labels `standin`}}"
    answer = engine.run("image", "inspect", "--format", label, name)
    return answer.returncode == 0 and answer.stdout.strip() == version()


def version() -> str:
    """A hash of everything that makes the stand-ins."""
    sources = ["bases.py", "channel.py", "debian.py", "micromamba.py"]
    return hashlib.sha256(b"".join((HERE / name).read_bytes() for name in sources)).hexdigest()


def build(engine: Engine, name: str, recipe: str, root_of, cache: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        folder = Path(scratch)
        (folder / "Dockerfile").write_text(recipe)
        root_of(folder / "root", Archive(cache / "debian"))
        engine("build", "--tag", name, "--label", f"standin={version()}", folder)


def distroless_root(root: Path, archive: Archive) -> None:
    archive.unpack(DISTROLESS, root)
    add_certificates(root)
    add_users(root)
    (root / "home/nonroot").mkdir()


def caddy_root(root: Path, archive: Archive) -> None:
    Archive(archive.folder.parent, "forky").unpack(CADDY, root)
    add_certificates(root)
    add_users(root)


def micromamba_root(root: Path, archive: Archive) -> None:
    archive.unpack(SLIM, root, dependencies=True)
    archive.unpack(["ca-certificates"], root)
    add_certificates(root)
    add_users(root)
    home = root / "usr/local/libexec/standin"
    home.mkdir(parents=True)
    channel.download_wheels(home / "wheels")
    channel.build_channel(home / "channel", home / "wheels", archive)
    install_solver(home)
    shutil.copy(HERE / "micromamba.py", home)
    launcher = root / "usr/bin/micromamba"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
    (root / "opt/conda").mkdir(parents=True)
    (root / "opt/conda").chmod(0o777)


def install_solver(home: Path) -> None:
    """The stand-in's own Python, out of the way: the public image has none."""
    package = next((home / "channel/linux-64").glob("python-*.tar.bz2"))
    (home / "python").mkdir()
    subprocess.run(["tar", "-xjf", package, "-C", home / "python"], check=True)
    with tempfile.TemporaryDirectory() as scratch:
        channel.download_wheels(Path(scratch), SOLVER)
        for wheel in Path(scratch).glob("*.whl"):
            target = home / f"python/lib/python{channel.PYTHON}/site-packages"
            subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, target], check=True)


def add_certificates(root: Path) -> None:
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    bundle = b"".join(path.read_bytes() for path in certificates)
    (root / "etc/ssl/certs/ca-certificates.crt").write_bytes(bundle)


def add_users(root: Path) -> None:
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
