"""`flask reproduce`: whether a service still gives the recorded answers, asked over HTTP."""

import contextlib
import json
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
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPException
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import click
from flask import Blueprint

from service.comparison import Deviation
from service.errors import shorten
from service.examples import EXAMPLES, NONE, RECORDED, worst
from service.provenance import PROJECT, UNKNOWN, digest, identity, short

bp = Blueprint("reproduce", __name__, cli_group=None)

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
    if not RECORDED:
        sys.exit(NONE)
    if not (url or local or shutil.which("docker")):
        sys.exit("Docker is not here: install it, or try --local, or --url of a service.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # so that all is cleaned up
    report = {"date": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        with contextlib.ExitStack() as started:
            if not (image or url or local):
                image = started.enter_context(built())
            address = url or started.enter_context(served(image))
            report |= replay(address.rstrip("/"))
    except Ended as end:
        report |= {"outcome": end.args[0], "reason": end.args[1]}
    tell(report)
    sys.exit(OUTCOMES[report["outcome"]][0])


@contextlib.contextmanager
def built() -> Iterator[str]:
    """An image of this project, built anew and removed at the end."""
    tag = f"reproduce:{secrets.token_hex(8)}"
    build = ["docker", "build", "--no-cache", "--build-arg", "CHECK=false", "--tag", tag]
    try:
        if subprocess.run([*build, str(PROJECT)], stdout=sys.stderr).returncode:
            raise Ended("BUILD", "Its last words stand above; --local needs no Docker.")
        yield tag
    finally:
        subprocess.run(["docker", "rmi", tag], capture_output=True)


@contextlib.contextmanager
def served(image: str | None) -> Iterator[str]:
    """The address of a container of an image, or else of this project, served until the end."""
    # Or a proxy would be asked for what is on this machine.
    os.environ["no_proxy"] = f"127.0.0.1,{os.environ.get('no_proxy', '')}"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    address, name = f"http://127.0.0.1:{port}", f"reproduce-{secrets.token_hex(8)}"
    if image:
        options = ["--publish", f"127.0.0.1:{port}:{port}", "--env=PORT", "--env=MODEL_CHECK"]
        command = ["docker", "run", "--name", name, *options, image]
    elif sys.platform == "win32":
        command = [sys.executable, "app.py"]
    else:
        command = [sys.executable, "-m", "gunicorn"]
    environment = os.environ | {"PORT": port, "LISTEN": "127.0.0.1", "MODEL_CHECK": "false"}
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        try:
            wait(address, process, log)
            yield address
        finally:
            process.terminate()
            if image:
                subprocess.run(["docker", "rm", "--force", name], capture_output=True)
            process.wait()


def wait(address: str, process: subprocess.Popen, log: IO[str]) -> None:
    """Wait until a started service answers."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(Ended):
            if ask(f"{address}/healthz")[0] == 200:
                return
        time.sleep(0.2)
    log.seek(0)
    raise Ended("START", f"The service does not start. It says:\n{log.read()}")


def ask(address: str, request: dict | None = None) -> tuple[int, object]:
    """The status of an answer, and its content: what JSON says, or the text of an error."""
    body = None if request is None else json.dumps(request).encode()
    headers = {"Content-Type": "application/json"}
    try:
        with urlopen(Request(address, body, headers), timeout=PATIENCE) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (OSError, HTTPException, ValueError) as error:  # nobody there, half an answer, no JSON
        raise Ended("START", f"{address} does not answer with JSON: {error}.") from error


def replay(address: str) -> dict:
    """Ask for every recorded example, and report what came and who answered."""
    status, info = ask(f"{address}/service-info")
    if not (isinstance(info, dict) and "fingerprint" in info):
        reason = f"{address} is no service of this kind: its /service-info answers {status}."
        raise Ended("START", reason)
    differs = differences(info)
    answers = {name: play(address, name) for name in RECORDED}
    came = [value.outcome for value in answers.values()]
    came.append("IDENTITY" if {"model", "service"} & differs.keys() else "OK")
    lines = [f"{name} differs: {how}." for name, how in differs.items()][:3]
    wrong = {name: value for name, value in answers.items() if value.outcome != "OK"}
    lines += [f"model/examples/{name}.json: {value}." for name, value in wrong.items()][:3]
    sizes = [value.size or 0 for value in answers.values() if value.outcome == "OK"]
    off = f", off by {max(sizes):.2e} of the scale at most" if sizes else ""
    lines.append(f"{len(sizes)} of {len(answers)} answers fit{off}.")
    return {
        "outcome": min(came, key=list(OUTCOMES).index),
        "reason": "\n".join([*lines, f"Fingerprint {info['fingerprint']}."]),
        "differs": differs,
        "examples": {name: value._asdict() for name, value in answers.items()},
        "service": info,
    }


def play(address: str, name: str) -> Deviation:
    """Ask for one example; the value of the answer that is the furthest from the recorded one."""
    status, got = ask(f"{address}/api", EXAMPLES[name].request)
    print(f"{name}: answered with {status}", file=sys.stderr)
    if status == 200:
        return worst(name, got)
    text = shorten(" ".join(str(got).split()), 300)
    return Deviation("the status", "200", f"{status}, with {text}", "CONTRACT")


def differences(info: dict) -> dict[str, str]:
    """What stands behind the answers but not here: parts of the fingerprint, locked packages."""
    here = {name: identity()["parts"][name] for name in ("model", "service")}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(info["architecture"])
    dockerfile, lock = PROJECT / "Dockerfile", PROJECT / f"locks/linux-{machine}.lock"
    if dockerfile.exists() and info["base"]["name"] != UNKNOWN:  # an image answers
        for base in re.findall("(?m)^ARG RUNTIME=(.+)$", dockerfile.read_text("utf-8")):
            here["base"] = short(base)
    if lock.exists():
        here["lock"] = short(digest(lock))
        # https://conda.anaconda.org/conda-forge/linux-64/numpy-2.1.0-py313h_0.conda#…
        packages = re.findall("(?m)^http.*/(.+)-(.+)-.+$", lock.read_text("utf-8"))
        here |= {name.lower().replace("_", "-"): version for name, version in packages}
    there = info["parts"] | info["packages"]
    return {
        name: f"{there[name]} answers, {part} is here"
        for name, part in here.items()
        if there.get(name, part) != part
    }


def tell(report: dict) -> None:
    """Print the report for people, in ten lines at most, and write it for programs."""
    print(f"{report['outcome']}: {OUTCOMES[report['outcome']][1]}")
    print(*report["reason"].splitlines()[-8:], sep="\n")
    try:
        (PROJECT / "reproduction.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        print("All of it stands in reproduction.json.")
    except OSError as error:
        print(f"reproduction.json could not be written here: {error.strerror}.")
