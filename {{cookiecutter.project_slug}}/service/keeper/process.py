"""One model process as the keeper sees it: its start, its output and its end."""

import contextlib
import json
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Container
from pathlib import Path

from service import frames

logger = logging.getLogger("model")

LONGEST = 10_000  # bytes of a line of the log; the rest goes into further lines
PIPE, READS = 2**16, 4  # bytes that a pipe holds; reads at once, which empty it for certain
GRACE = 2  # seconds that a prediction has to end after it was interrupted


class NotReady(Exception):
    """A model process does not get ready, and why."""


class Refused(NotReady):
    """The model cannot be loaded, for a reason that a new try would not change."""


class Process:
    """A model process: a fresh interpreter without input, whose output comes to the keeper."""

    def __init__(self, settings: dict, queue: int, door: str) -> None:
        """Start it; it takes requests from a queue, and reaches the keeper at a door.

        :raise OSError: if the system does not allow it
        """
        self.settings, self.is_ready, self.lock = settings, False, threading.Lock()
        self.request, self.since = "", 0.0  # the request at hand, and when it came (s)
        self.done, self.is_late, self.stopped = "", False, 0.0
        # A line that starts with the mark names the request that the model has at hand.
        self.mark, self.rest = f"{secrets.token_hex(8)} ".encode(), b""
        self.folder = ""  # for its temporary files
        with contextlib.suppress(OSError):  # where none can be made, it shares one with others
            # The parent is named: without one Python tries it by a file, which a full disk refuses.
            parent = os.environ.get("TMPDIR") or "/tmp"
            self.folder = tempfile.mkdtemp(prefix="model-", dir=parent)
        # The process ends when this connection does, and so with the keeper.
        self.connection, theirs = socket.socketpair()
        told = json.dumps({"settings": settings, "mark": self.mark.decode(), "door": door})
        with theirs:
            self.popen = self.born(told, queue, theirs.fileno())
        self.output = self.popen.stdout.fileno()
        os.set_blocking(self.output, False)

    def born(self, told: str, *files: int) -> subprocess.Popen:
        """Start the process; it inherits two sockets."""
        own = {"TMPDIR": self.folder} if self.folder else {}
        popen = subprocess.Popen(
            [sys.executable, "-m", "service.runner", *map(str, files), told],
            env={"PYTHONHASHSEED": "0"} | os.environ | own,  # so that sets have one order
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=files,
            start_new_session=True,  # a group of its own, which ends with it
        )
        # Where memory runs out, the kernel kills one process: this one, which is replaced.
        with contextlib.suppress(OSError):
            Path(f"/proc/{popen.pid}/oom_score_adj").write_text("500")
        return popen

    def load(self) -> dict:
        """Wait until the model is loaded, and return the facts about it.

        :raise NotReady: if it cannot be loaded, or the process has ended
        """
        try:
            while not frames.is_readable(self.connection, seconds=0.1):
                if self.popen.poll() is not None:  # but a process that it has forked lives on
                    raise ConnectionError
            kind, _, body = frames.receive(self.connection)
        except ConnectionError as error:
            raise NotReady(f"{self.manner()} while it loaded.") from error
        if kind == frames.REFUSED:
            raise Refused(body.decode().strip())
        self.is_ready = True
        return json.loads(body)

    def finish(self, request: str) -> bytes:
        """Take notice that a long prediction is over, which may not be stopped from now on.

        Say whether it was stopped because it took too long, or because nobody waits any more.
        """
        with self.lock:
            self.done = request
            stopped = frames.TIMEOUT if self.is_late else frames.CANCEL
            return stopped if self.stopped else frames.DONE

    def look(self, cancelled: Container[str]) -> None:
        """Write what it says into the log; stop a prediction that takes too long or is cancelled.

        KeyboardInterrupt comes first, and if that does not help, SIGKILL.
        """
        with self.lock:
            self.hear()
            now = time.monotonic()
            age = now - self.since
            if self.request in ("", self.done) or age < 2 * frames.BRIEF:
                return
            self.is_late = age > self.settings["TIMEOUT"]
            if self.stopped and now > self.stopped + GRACE:
                self.kill()
            elif not self.stopped and (self.is_late or self.request in cancelled):
                self.stopped = now
                self.popen.send_signal(signal.SIGINT)

    def manner(self) -> str:
        """How the process ended, in words."""
        code = self.popen.wait()
        if code >= 0:
            return f"The model's process ended with exit code {code}"
        known = {one.value: one.name for one in signal.Signals}
        hint = ", as when memory runs out" if -code == signal.SIGKILL else ""
        return f"The model's process was ended by the signal {known.get(-code, -code)}{hint}"

    def end(self, seconds: float = 0) -> None:
        """Let the process end, or make it end, and all that it has started."""
        self.is_ready = False
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(seconds)
        self.kill()
        with self.lock:
            self.hear()
            self.popen.stdout.close()
            self.say(self.rest)
            self.rest = b""
        self.connection.close()

    def tidy_up(self) -> None:
        """Remove its temporary files, which may take a while."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """Kill the process, and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)

    def hear(self) -> None:
        """Take the lines that are there by now."""
        data = b""
        with contextlib.suppress(BlockingIOError, ValueError):  # there is no more, or it is closed
            for _ in range(READS):  # more may come without end
                data += os.read(self.popen.stdout.fileno(), PIPE)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.take(line)
        if len(self.rest) > LONGEST:
            self.say(self.rest)
            self.rest = b""

    def take(self, line: bytes) -> None:
        """Write a line into the log, or learn from it which request is at hand."""
        if line.startswith(self.mark):
            self.request = line.removeprefix(self.mark).decode()
            self.since, self.stopped, self.is_late = time.monotonic(), 0.0, False
        else:
            self.say(line)

    def say(self, line: bytes) -> None:
        """Write a line of the model's into the log, in parts where it is long."""
        _, _, request = self.request.partition(" ")
        members = {"request_id": request} if request else {}
        for start in range(0, len(line), LONGEST):
            text = line[start : start + LONGEST].decode(errors="replace")
            logger.info("%s", text, extra={"members": members})
