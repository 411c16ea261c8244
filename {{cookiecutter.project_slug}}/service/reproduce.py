"""`flask reproduce`: whether a service still gives the recorded answers, asked over HTTP."""

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.client import HTTPException
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import click
from flask import Blueprint
from pydantic import BaseModel, ValidationError

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


class Info(BaseModel):
    """What is used of the /service-info of a service of this kind."""

    fingerprint: str
    parts: dict[str, str]
    packages: dict[str, str]
    base: dict[str, str]
    architecture: str


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
    if "" in (image, url) or sum(map(bool, (image, url, local))) > 1:
        raise click.UsageError("Choose one of --image REF, --url URL and --local.")
    if not RECORDED:
        sys.exit(NONE)
    if not (url or local or answers("docker", "version")):
        sys.exit("Docker does not answer: start or install it, or try --local or --url.")
    identity()  # which stops at weights that are missing, and not only after the build
    answer_stops(lambda *_: sys.exit("Stopped."))
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


def answer_stops(handler: Callable | int) -> None:
    """Do this at every signal that asks for the end."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), handler)


def answers(*command: str) -> bool:
    """Whether a command is there, and succeeds."""
    with contextlib.suppress(OSError):
        return not subprocess.run(command, capture_output=True).returncode
    return False


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
        answer_stops(signal.SIG_IGN)
        tries = 1
        if isinstance(sys.exception(), SystemExit):
            # An engine that exports already ends that, and names the image only then.
            print("\nWaiting for up to 10 s for an image to remove.", file=sys.stderr)
            tries = 20
        while not answers("docker", "rmi", tag) and (tries := tries - 1):
            time.sleep(0.5)


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
    environment = {"PYTHONHASHSEED": "0"} | os.environ  # as make and the image set it
    environment |= {"PORT": port, "LISTEN": "127.0.0.1", "MODEL_CHECK": "false"}
    print(f"Starting {image or 'this project'}", end="", file=sys.stderr, flush=True)
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        try:
            wait(address, process, log)
            yield address
        finally:
            answer_stops(signal.SIG_IGN)
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
                print(file=sys.stderr)
                return
        print(".", end="", file=sys.stderr, flush=True)
        time.sleep(0.5)
    log.seek(0)
    raise Ended("START", f"The service does not start. It says:\n{log.read()}")


def ask(address: str, request: dict | None = None) -> tuple[int, object, str]:
    """The status of an answer, what its JSON or the text of an error says, and who gave it."""
    body = None if request is None else json.dumps(request).encode()
    headers = {"Content-Type": "application/json"}
    try:
        with urlopen(Request(address, body, headers), timeout=PATIENCE) as response:
            return response.status, json.load(response), response.url
    except HTTPError as error:
        return error.code, error.read().decode(errors="replace"), address
    # Nobody there, half an answer, no JSON, or too deep.
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise Ended("START", f"{address} does not answer with JSON: {error}.") from error


def replay(address: str) -> dict:
    """Ask for every recorded example, and report what came and who answered."""
    status, info, found_at = ask(f"{address}/service-info")
    try:
        Info.model_validate(info)
    except ValidationError as error:
        reason = f"{address} is no service of this kind: its /service-info answers {status}."
        raise Ended("START", reason) from error
    address = found_at.removesuffix("/service-info")  # a redirect would lose what is posted
    differs = differences(info)
    replies = {name: play(address, name) for name in RECORDED}
    came = [value.outcome for value in replies.values()]
    came.append("IDENTITY" if {"model", "service"} & differs.keys() else "OK")
    lines = summary(differs, info["parts"])
    wrong = {name: value for name, value in replies.items() if value.outcome != "OK"}
    faults = [f"model/examples/{name}.json: {value}." for name, value in wrong.items()]
    lines += faults[: 6 - len(lines)]
    sizes = [value.size or 0 for value in replies.values() if value.outcome == "OK"]
    off = f", off by {max(sizes):.2e} of the scale at most" if sizes else ""
    lines.append(f"{len(sizes)} of {len(replies)} answers fit{off}.")
    return {
        "outcome": min(came, key=list(OUTCOMES).index),
        "reason": "\n".join([*lines, f"Fingerprint {info['fingerprint']}."]),
        "differs": differs,
        "examples": {name: value._asdict() for name, value in replies.items()},
        "service": info,
    }


def play(address: str, name: str) -> Deviation:
    """Ask for one example; the value of the answer that is the furthest from the recorded one."""
    print(name, end=": ", file=sys.stderr, flush=True)
    status, got, _ = ask(f"{address}/api", EXAMPLES[name].request)
    print(f"answered with {status}", file=sys.stderr)
    if status == 200:
        return worst(name, got)
    if status in (502, 503, 504):
        raise Ended("START", f"{address} takes no predictions now, but answers with {status}.")
    text = shorten(" ".join(str(got).split()), 300)
    return Deviation("the status", "200", f"{status}, with {text}", "CONTRACT")


def differences(info: dict) -> dict[str, str]:
    """What stands behind the answers but not here: parts of the fingerprint, locked packages."""
    here = {name: identity()["parts"][name] for name in ("model", "service")}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(info["architecture"])
    dockerfile, lock = PROJECT / "Dockerfile", PROJECT / f"locks/linux-{machine}.lock"
    is_image = info["base"].get("name", UNKNOWN) != UNKNOWN
    here["lock"] = short(digest(lock)) if lock.exists() else identity()["parts"]["lock"]
    if dockerfile.exists() and is_image:
        for base in re.findall("(?m)^ARG RUNTIME=(.+)$", dockerfile.read_text("utf-8")):
            here["base"] = short(base)
    if lock.exists():
        # https://conda.anaconda.org/conda-forge/linux-64/numpy-2.1.0-py313h_0.conda#…
        packages = re.findall("(?m)^http.*/(.+)-(.+)-.+$", lock.read_text("utf-8"))
        here |= {name.lower().replace("_", "-"): version for name, version in packages}
    there = info["parts"] | info["packages"]
    # An image has nothing but what its lock lists; outside of one, conda's own are not there.
    found = {name: there.get(name, "none" if is_image else part) for name, part in here.items()}
    return {
        name: f"{found[name]} answers, {part} is here"
        for name, part in here.items()
        if found[name] != part
    }


def summary(differs: dict[str, str], parts: dict[str, str]) -> list[str]:
    """Say what differs: a line for each part of the fingerprint, and one for all packages."""
    lines = [f"{name} differs: {differs[name]}." for name in differs if name in parts]
    packages = [f"{name}: {how}" for name, how in differs.items() if name not in parts]
    if packages:
        more = f"; {len(packages) - 3} more" if len(packages) > 3 else ""
        lines.append(f"packages differ: {'; '.join(packages[:3])}{more}.")
    return lines


def tell(report: dict) -> None:
    """Print the report for people, in ten lines at most, and write it for programs."""
    print(f"{report['outcome']}: {OUTCOMES[report['outcome']][1]}")
    print(*report["reason"].splitlines()[-8:], sep="\n")
    try:
        (PROJECT / "reproduction.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        print("All of it stands in reproduction.json.")
    except OSError as error:
        print(f"reproduction.json could not be written here: {error.strerror}.")
