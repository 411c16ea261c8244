"""A Docker engine for the tests: the one that answers, or one of our own, stopped afterwards."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .debian import Archive

# What MODEL_API_ENGINE may name: Debian's release and its packages to unpack. Debian 12 itself has
# the oldest engine that we support, and neither Compose nor buildx.
CLIENT = ["docker-compose", "docker-buildx"]
ENGINES = {
    "oldest": ("trixie", CLIENT),
    "newest": ("forky", [*CLIENT, "docker.io", "docker-cli", "containerd"]),
}


class NoEngine(Exception):
    """Why there is no Docker engine."""


class Engine:
    """The `docker` command, and the engine it speaks to."""

    def __init__(self, docker: str = "docker", **settings: str) -> None:
        self.docker = docker
        self.settings = {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain", **settings}

    def run(self, *arguments: object, **options: object) -> subprocess.CompletedProcess:
        """Run `docker ...`; the answer has its output, standard error included."""
        return subprocess.run(
            [self.docker, *map(str, arguments)],
            env=os.environ | self.settings | options.pop("settings", {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def __call__(self, *arguments: object, **options: object) -> str:
        """Run `docker ...`, which must succeed; the answer is its output."""
        answer = self.run(*arguments, **options)
        assert answer.returncode == 0, f"docker {' '.join(map(str, arguments))}\n{answer.stdout}"
        return answer.stdout.strip()

    def raw(self, *arguments: str) -> bytes:
        """Run `docker ...`, which must succeed; the answer is its bytes."""
        command = [self.docker, *arguments]
        environment = os.environ | self.settings
        return subprocess.run(command, env=environment, check=True, capture_output=True).stdout

    def answers(self) -> bool:
        return bool(shutil.which(self.docker)) and self.run("version").returncode == 0


@contextmanager
def running_engine(cache: Path) -> Iterator[Engine]:
    engine = Engine()
    if engine.answers():
        yield engine
    elif os.environ.get("CI") != "true":
        raise NoEngine("no Docker engine answers (CI=true on Debian as root installs one)")
    elif os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        raise NoEngine("no Docker engine answers, and one is only installed on Debian as root")
    else:
        with own_engine(cache) as engine:
            yield engine


@contextmanager
def own_engine(cache: Path) -> Iterator[Engine]:
    """An engine with its data in the cache: Debian's own, or the newest that Debian has."""
    if not Path("/usr/sbin/dockerd").exists():
        subprocess.run(["apt-get", "update", "--quiet=2"], check=True)
        command = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends"]
        subprocess.run([*command, "docker.io"], check=True, stdout=subprocess.DEVNULL)
    kind = os.environ.get("MODEL_API_ENGINE", "oldest")
    home = cache / kind
    programs = unpacked(cache, *ENGINES[kind], home / "programs")
    path = f"{programs / 'usr/sbin'}:{programs / 'usr/bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
    settings = {"DOCKER_HOST": f"unix://{home}/socket", "DOCKER_CONFIG": str(home / "client")}
    engine = Engine(shutil.which("docker", path=path), **settings)
    with (home / "log").open("w") as log:
        daemon = subprocess.Popen(
            [shutil.which("dockerd", path=path), *daemon_options(home)],
            env=os.environ | {"PATH": path},
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(engine, daemon, home / "log")
        yield engine
        # What builds without a cache leave would fill the disk in a few runs
        engine.run("image", "prune", "--force")
        engine.run("builder", "prune", "--force", "--keep-storage=1GB")
    finally:
        daemon.terminate()
        daemon.wait(timeout=60)


def daemon_options(home: Path) -> list[str]:
    return [
        # No kernel tables are touched: published ports go through Docker's own proxy
        "--iptables=false",
        f"--host=unix://{home}/socket",
        f"--data-root={home / 'data'}",
        f"--exec-root={home / 'run'}",
        f"--pidfile={home / 'pid'}",
    ]


def unpacked(cache: Path, release: str, packages: list[str], target: Path) -> Path:
    """The programs of these packages, and the client's folder with its plug-ins beside them."""
    plugins = target.parent / "client/cli-plugins"
    if not plugins.exists():
        Archive(cache / "debian", release).unpack(packages, target)
        shutil.copytree(target / "usr/libexec/docker/cli-plugins", plugins)
    return target


def wait_for(engine: Engine, daemon: subprocess.Popen, log: Path) -> None:
    for _ in range(100):
        if engine.answers():
            return
        if daemon.poll() is not None:
            break
        time.sleep(0.3)
    raise NoEngine(f"dockerd did not start:\n{log.read_text()[-2000:]}")
