"""`flask reproduce`: whether a service still gives the recorded answers, asked over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress

import click
from flask import render_template
from flask.cli import with_appcontext

from service import logs
from service.about.provenance import PROJECT, identity
from service.proof.examples import NONE, recorded
from service.proof.replay import CODES, PATIENCE, Ended, ask, replay


@click.command("reproduce")
@click.option("--image", metavar="REF", help="Ask a container of this image.")
@click.option("--url", help="Ask the service at this address.")
@click.option("--local", is_flag=True, help="Ask this project, served here without Docker.")
@with_appcontext
def reproduce(image: str | None, url: str | None, local: bool) -> None:
    """Replay the recorded examples over HTTP, and compare the answers.

    Without an option, in a container of the image, built anew from the lock.
    """
    if "" in (image, url) or sum(map(bool, (image, url, local))) > 1:
        raise click.UsageError("Choose one of --image REF, --url URL and --local.")
    if url and "://" not in url:
        raise click.UsageError(f"Write the address as --url http://{url} or https://{url}.")
    if not recorded():
        sys.exit(NONE)
    if not (url or local or docker("version")):
        sys.exit("Start Docker, or type: .venv/bin/python -m flask reproduce --local")
    identity()  # stops at missing weights before the build, not after it
    on_stop(lambda *_: sys.exit("Stopped."))
    try:
        with ExitStack() as started:
            address = url or serve(started, None if local else image or build(started))
            report = replay(address.rstrip("/"))
    except Ended as end:
        report = {"outcome": end.args[0], "reason": end.args[1]}
    tell({"date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())} | report)
    sys.exit(CODES[report["outcome"]])


def tell(report: dict) -> None:
    """Print the report for people, in ten lines at most, and write it for programs."""
    print(logs.printable(render_template("reproduction.txt", **report)))
    try:
        text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        (PROJECT / "reproduction.json").write_text(text, "utf-8")
        print("All of it stands in reproduction.json.")
    except OSError as error:
        print(f"reproduction.json could not be written here: {error.strerror}.")


def on_stop(handler: object) -> None:
    """Set the handler of every signal that asks this command to end."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), handler)


def docker(*words: str) -> bool:
    """Run a command of Docker, and say whether it succeeds."""
    with suppress(OSError):
        return not subprocess.run(["docker", *words], capture_output=True).returncode
    return False


def build(started: ExitStack) -> str:
    """Build an image of this project anew; it is removed at the end."""
    tag = f"reproduce:{os.getpid()}"
    started.callback(remove, tag)
    options = ["--no-cache", "--build-arg", "CHECK=false", "--tag", tag]
    if subprocess.run(["docker", "build", *options, PROJECT], stdout=sys.stderr).returncode:
        raise Ended("BUILD", "Without Docker, type: .venv/bin/python -m flask reproduce --local")
    return tag


def remove(tag: str) -> None:
    """Remove an image; try for 10 s after a stop, as Docker may still be exporting the image."""
    on_stop(signal.SIG_IGN)
    tries = 20 if isinstance(sys.exception(), SystemExit) else 1
    while not docker("rmi", tag) and (tries := tries - 1):
        time.sleep(0.5)


def serve(started: ExitStack, image: str | None) -> str:
    """Start a container of an image, or else this project, until the end; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    address, name = f"http://127.0.0.1:{port}", f"reproduce-{port}"
    command = [sys.executable, *(["app.py"] if sys.platform == "win32" else ["-m", "gunicorn"])]
    if image:
        options = ["--publish", f"127.0.0.1:{port}:{port}", "--env=PORT", "--env=MODEL_CHECK"]
        command = ["docker", "run", "--name", name, *options, image]
    environment = {"PYTHONHASHSEED": "0"} | os.environ  # as make and the image set it
    environment |= {"PORT": port, "LISTEN": "127.0.0.1", "MODEL_CHECK": "false"}
    print(f"Starting {image or 'this project'}", end="", file=sys.stderr, flush=True)
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        started.callback(process.wait)  # the stack calls these in reverse order
        if image:
            started.callback(docker, "rm", "--force", name)
        started.callback(process.terminate)
        started.callback(on_stop, signal.SIG_IGN)
        is_there = answers(address, process)
        print(file=sys.stderr)
        if not is_there:
            log.seek(0)
            raise Ended("START", f"The service does not start. It says:\n{log.read()}")
    return address


def answers(address: str, process: subprocess.Popen) -> bool:
    """Wait for a service, and say whether it answers."""
    os.environ["no_proxy"] = "127.0.0.1"  # a proxy would look for this address on its own machine
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with suppress(Ended):
            return bool(ask(f"{address}/healthz"))
        print(".", end="", file=sys.stderr, flush=True)
        time.sleep(0.5)
    return False
