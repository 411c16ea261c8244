"""`flask reproduce`: whether a service still gives the recorded answers, asked over HTTP."""

import contextlib
import json
import math
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import click
from flask import Blueprint

from service import provenance
from service.errors import shorten
from service.examples import EXAMPLES, deviations

bp = Blueprint("reproduce", __name__, cli_group=None)

PROJECT = Path(__file__).parents[1]
# What came of it, the gravest first, with the exit code; 1 and 2 say that the command failed.
OUTCOMES = {
    "BUILD": (3, "The image does not build."),
    "START": (4, "Nothing answers."),
    "CONTRACT": (5, "An answer has another form than the recorded one."),
    "VALUE": (6, "An answer has another value than the recorded one."),
    "IDENTITY": (7, "The recorded answers are given, by another version than this."),
    "OK": (0, "The recorded answers are given."),
}
PATIENCE = 600  # seconds that a model may take to load, or to answer
NO_DOCKER = "No docker command is here: install Docker, or try --local, or --url of a service."


class Ended(Exception):
    """The outcome where there is nothing to compare, and the reason."""


@bp.cli.command("reproduce")
@click.option("--image", metavar="REF", help="Ask a container of this image.")
@click.option("--url", help="Ask the service at this address.")
@click.option("--local", is_flag=True, help="Ask this project, served here without Docker.")
def reproduce(image: str | None, url: str | None, local: bool) -> None:
    """Replay the recorded examples over HTTP, and compare the answers.

    Without an option, in a container of the image, built anew from the lock.
    """
    if sum(map(bool, (image, url, local))) > 1:
        raise click.UsageError("Choose one of --image, --url and --local.")
    if not (url or local or shutil.which("docker")):
        sys.exit(NO_DOCKER)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # so that all is cleaned up
    report = {"date": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        with target(image, url, local) as address:
            report |= replay(address)
    except Ended as end:
        report |= {"outcome": end.args[0], "reason": end.args[1]}
    print("\n".join(summary(report)))
    keep(report)
    sys.exit(OUTCOMES[report["outcome"]][0])


def target(image: str | None, url: str | None, local: bool):
    """What is asked, as a context that gives its address."""
    if url:
        return contextlib.nullcontext(url.rstrip("/"))
    if local:
        return process()
    return container(image) if image else rebuilt()


@contextlib.contextmanager
def process() -> Iterator[str]:
    """This project, served on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = ["gunicorn"] if sys.platform != "win32" else ["flask", "run", "--port", port]
    settings = {"PORT": port, "LISTEN": "127.0.0.1", "MODEL_CHECK": "false"}
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=PROJECT,
            env=os.environ | settings,
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait(address, lambda: server.poll() is None, lambda: said(log))
            yield address
        finally:
            server.terminate()
            server.wait()


@contextlib.contextmanager
def rebuilt() -> Iterator[str]:
    """A container of an image that is built for it, and removed with it."""
    tag = f"reproduce:{secrets.token_hex(8)}"
    build = ["docker", "build", "--no-cache", "--build-arg", "CHECK=false", "--tag", tag]
    try:
        if subprocess.run([*build, str(PROJECT)], stdout=sys.stderr).returncode:
            raise Ended("BUILD", "Its last words stand above.")
        with container(tag) as address:
            yield address
    finally:
        docker("rmi", tag)


@contextlib.contextmanager
def container(image: str) -> Iterator[str]:
    """A container of an image, on a free port."""
    name = f"reproduce-{secrets.token_hex(8)}"
    options = ["--publish-all", "--env", "MODEL_CHECK=false", "--env", "LISTEN=0.0.0.0"]
    try:
        started = docker("run", "--detach", "--name", name, *options, image)
        if started.returncode:
            raise Ended("START", started.stdout.strip())
        port = docker("port", name).stdout.partition("\n")[0].rpartition(":")[2]
        address = f"http://127.0.0.1:{port}"
        is_up = ["ps", "--quiet", "--filter", f"name={name}"]
        log = ["logs", "--tail", "20", name]
        wait(address, lambda: docker(*is_up).stdout, lambda: docker(*log).stdout)
        yield address
    finally:
        docker("rm", "--force", name)


def docker(*words: str) -> subprocess.CompletedProcess:
    """Run a docker command."""
    return subprocess.run(
        ["docker", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def said(log: IO[str]) -> str:
    """What a log holds."""
    log.seek(0)
    return log.read()


def wait(address: str, is_up: Callable[[], object], log: Callable[[], str]) -> None:
    """Wait until a started service answers."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and is_up():
        with contextlib.suppress(Ended):
            if ask(f"{address}/healthz")[0] == 200:
                return
        time.sleep(0.2)
    raise Ended("START", f"The service does not start. It says:\n{log()}")


def ask(address: str, request: dict | None = None) -> tuple[int, str]:
    """The status and the text of an answer."""
    body = None if request is None else json.dumps(request).encode()
    headers = {"Content-Type": "application/json"}
    try:
        with urlopen(Request(address, body, headers), timeout=PATIENCE) as response:
            return response.status, response.read().decode(errors="replace")
    except HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (OSError, HTTPException, ValueError) as error:  # nobody there, half an answer, no URL
        raise Ended("START", f"{address} does not answer: {error}.") from error


def replay(address: str) -> dict:
    """Ask for every recorded example, and report what came and who answered."""
    status, text = ask(f"{address}/service-info")
    try:
        info = json.loads(text)
        differs = differences(info)
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{address} is no service of this kind: its /service-info answers {status}."
        raise Ended("START", reason) from error
    answers = {
        name: play(address, name)
        for name, example in EXAMPLES.items()
        if example.response is not None
    }
    came = {answer["outcome"] for answer in answers.values()} | {"OK"}
    if {"model", "service"} & set(differs):
        came.add("IDENTITY")
    outcome = next(name for name in OUTCOMES if name in came)
    return {"outcome": outcome, "differs": differs, "examples": answers, "service": info}


def play(address: str, name: str) -> dict:
    """Ask for one example."""
    status, text = ask(f"{address}/api", EXAMPLES[name].request)
    print(f"{name}: answered with {status}", file=sys.stderr)
    try:
        worst = deviations(name, json.loads(text))[0]
    except ValueError:
        worst = None
    if status != 200 or not worst:
        reason = f"the answer has status {status} instead of 200: {shorten(text)}"
        return {"outcome": "CONTRACT", "reason": reason}
    outcome = "OK" if worst.fits else "CONTRACT" if worst.breaks_contract else "VALUE"
    by_how_much = worst.relative if math.isfinite(worst.relative) else None
    values = {"path": worst.path, "expected": worst.expected, "got": worst.got}
    return {"outcome": outcome, "reason": str(worst), "worst": values, "deviation": by_how_much}


def differences(info: dict) -> dict[str, str]:
    """What stands behind the answers but not here: parts of the fingerprint, locked packages."""
    ours, versions = expected(info)
    pairs = {name: (info["parts"][name], part) for name, part in ours.items()}
    installed = {normal(name): version for name, version in info["packages"].items()}
    pairs |= {name: (installed.get(name, version), version) for name, version in versions.items()}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    return {name: f"{they} answers, {we} is here" for name, (they, we) in differing.items()}


def expected(info: dict) -> tuple[dict[str, str], dict[str, str]]:
    """The parts that this project asks for, and the versions in its lock for that machine."""
    here = provenance.identity()["parts"]
    parts, versions = {"model": here["model"], "service": here["service"]}, {}
    base = re.search(r"^ARG RUNTIME=(.+)$", text_of("Dockerfile"), re.MULTILINE)
    if base and info["base"]["name"] != provenance.UNKNOWN:  # an image answers
        parts["base"] = provenance.short(base[1])
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(info["architecture"])
    name = f"locks/linux-{machine}.lock"
    if lock := text_of(name):
        parts["lock"] = provenance.short(provenance.digest(name))
        # https://conda.anaconda.org/conda-forge/linux-64/numpy-2.1.0-py313h_0.conda#…
        files = re.findall(r"^http.*/(.+)-(.+)-.+$", lock, re.MULTILINE)
        versions = {normal(name): version for name, version in files}
    return parts, versions


def text_of(name: str) -> str:
    """A file of the project, empty where there is none; the image has neither of these."""
    path = PROJECT / name
    return path.read_text("utf-8") if path.exists() else ""


def normal(name: str) -> str:
    """The name of a package, as conda and pip agree on it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def summary(report: dict) -> list[str]:
    """The report for people, in ten lines at most."""
    outcome = report["outcome"]
    lines = [f"{outcome}: {OUTCOMES[outcome][1]}"]
    lines += [f"{name} differs: {how}." for name, how in report.get("differs", {}).items()][:3]
    if "reason" in report:
        return [*lines, *report["reason"].splitlines()[-6:]]
    answers = report["examples"]
    wrong = {name: found["reason"] for name, found in answers.items() if found["outcome"] != "OK"}
    lines += [f"{name}: {reason}." for name, reason in wrong.items()][:3]
    sizes = {name: found["deviation"] for name, found in answers.items() if "deviation" in found}
    worst = max(sizes, key=lambda name: sizes[name] or 0, default=None)
    if worst and None not in sizes.values():
        size = f"{sizes[worst]:.1e} ({worst})"
        lines.append(f"The worst deviation of {len(sizes)} answers is {size}.")
    return [*lines, f"Fingerprint {report['service']['fingerprint']}."]


def keep(report: dict) -> None:
    """Write the report for programs."""
    try:
        Path("reproduction.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    except OSError as error:
        print(f"reproduction.json could not be written here: {error.strerror}.")
    else:
        print("All of it stands in reproduction.json.")
