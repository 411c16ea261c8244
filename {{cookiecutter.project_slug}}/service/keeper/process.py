"""One model process, as the keeper sees it: its start, its answers, its output and its end."""

import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile

import gevent
from gevent import socket, subprocess
from gevent.os import make_nonblocking, nb_read

from service import frames

logger = logging.getLogger("model")

GRACE = 2  # seconds that a prediction has to end after it was interrupted
LONGEST = 10_000  # bytes of a line of the log; the rest goes into further lines


class NotReady(Exception):
    """A model process has ended while it loaded."""


class Refused(NotReady):
    """The model cannot be loaded, for a reason that a new try would not change."""


class Process:
    """A model process: a fresh interpreter, with a socket to us, its output to us, and no input."""

    def __init__(self, settings: dict) -> None:
        """Start it.

        :raise OSError: if the system does not let us
        """
        self.request, self.line, self.is_ready = b"", b"", False
        self.folder = folder_for_temporary_files()
        self.connection, theirs = socket.socketpair()
        self.output, output = os.pipe()
        words = [str(theirs.fileno()), json.dumps(settings)]
        own = {"TMPDIR": self.folder} if self.folder else {}
        with theirs, os.fdopen(output, "wb"):
            os.set_blocking(theirs.fileno(), True)
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "service.runner", *words],
                env=os.environ | own,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a group of its own, which ends with it
            )
        make_nonblocking(self.output)
        gevent.spawn(self.listen)

    def load(self) -> dict:
        """Wait until the model is loaded, and hear what there is to say of it.

        :raise NotReady: if it cannot be loaded, or has ended
        """
        try:
            kind, _, body = frames.unpack(frames.receive(self.connection))
        except ConnectionError as error:
            raise NotReady(f"{self.end()} while it loaded.") from error
        if kind == frames.REFUSED:
            raise Refused(body.decode().strip())
        self.is_ready = True
        return json.loads(body)

    def ask(self, frame: bytes, note: bytes, seconds: float) -> bytes:
        """Let it answer a request, and stop it after some time."""
        self.request = note
        self.connection.settimeout(seconds)
        try:
            self.connection.sendall(frame)
            return frames.receive(self.connection, seconds)
        except TimeoutError:
            self.interrupt()
            return frames.pack(frames.TIMEOUT)
        except ConnectionError:
            return frames.pack(frames.ENDED, self.end().encode())
        finally:
            self.hear()  # what the model has printed belongs to this request
            self.say_rest()
            self.request = b""

    def interrupt(self) -> None:
        """Stop a prediction: by KeyboardInterrupt, and if that does not help, by SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(signal.SIGINT)
        try:
            frames.receive(self.connection, GRACE)
        except (TimeoutError, ConnectionError):
            self.end(0)

    def cancel(self, request: bytes) -> None:
        """Stop the prediction of a request for which nobody waits any more."""
        if self.request != request:
            return  # it has its answer by now
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(signal.SIGINT)
        gevent.sleep(GRACE)
        if self.request == request:
            self.kill()

    def end(self, seconds: float = 0.5) -> str:
        """Wait a moment for the end of the process, or make it end; say how it did."""
        self.is_ready = False
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)  # at which one that is free ends
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(seconds)
        self.kill()
        code = self.popen.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        return f"The model's process {manner(code)}"

    def kill(self) -> None:
        """Kill the process, and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)

    def listen(self) -> None:
        """Write what the model prints into the log, as long as it lives."""
        while data := nb_read(self.output, 65536):
            self.heard(data)
        self.say_rest()
        os.close(self.output)
        self.output = -1

    def hear(self) -> None:
        """Write into the log what the model has printed by now."""
        with contextlib.suppress(OSError):
            while data := os.read(self.output, 65536):
                self.heard(data)

    def heard(self, data: bytes) -> None:
        """Write whole lines of the model's output into the log."""
        *lines, self.line = (self.line + data).split(b"\n")
        for line in lines:
            self.say(line)
        if len(self.line) > LONGEST:
            self.say_rest()

    def say_rest(self) -> None:
        """Write the line that has not ended yet into the log."""
        line, self.line = self.line, b""
        self.say(line)

    def say(self, line: bytes) -> None:
        """Write a line of the model's into the log, in parts where it is long."""
        _, _, request = self.request.partition(b" ")
        members = {"request_id": request.decode()} if request else {}
        for start in range(0, len(line), LONGEST):
            text = line[start : start + LONGEST].decode(errors="replace")
            logger.info("%s", text, extra={"members": members})


def folder_for_temporary_files() -> str:
    """A new folder that is this process's own, or nothing where none can be made."""
    # Where to is said, or Python would write a file first to try, which a full disk refuses.
    parent = os.environ.get("TMPDIR") or "/tmp"
    with contextlib.suppress(OSError):
        return tempfile.mkdtemp(prefix="model-", dir=parent)
    return ""


def manner(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = ", as when memory runs out" if name == "SIGKILL" else ""
    return f"was ended by the signal {name}{hint}"
