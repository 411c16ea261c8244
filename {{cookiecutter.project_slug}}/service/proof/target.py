"""What `flask reproduce` asks: an image built anew, a container, or this project, served here."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import IO

from service.about.provenance import PROJECT
from service.proof.replay import PATIENCE, Ended, ask


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
