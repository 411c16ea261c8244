"""One model process, as the keeper sees it: its start, its frames, its output and its end."""

import contextlib
import json
import logging
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING

from service import frames
from service.keeper.link import Link

if TYPE_CHECKING:
    from service.keeper.__main__ import Keeper
    from service.keeper.caller import Caller

logger = logging.getLogger("model")

GRACE = 2  # seconds that a prediction has to end after it was interrupted
LEAVE = 0.5  # seconds that a process has to end by itself once its connection has
LONGEST = 10_000  # bytes of a line of the log; the rest goes into further lines


class Process(Link):
    """A model process; it answers one request at a time."""

    def __init__(self, keeper: "Keeper") -> None:
        """Start a fresh interpreter, with a socket to us, its output to us, and no input.

        :raise OSError: if the system does not let us
        """
        self.keeper = keeper
        self.caller: Caller | None = None
        self.request = self.head = self.line = b""
        self.left = 0  # bytes of an answer that have yet to come
        self.is_ready = self.is_refused = self.was_ready = False
        self.reason = ""  # why it did not get ready
        self.end: float | None = None  # when to interrupt it, or then to kill it
        self.is_interrupted = self.is_leaving = False
        self.folder = folder_for_temporary_files()
        self.output, output = os.pipe()
        ours, theirs = socket.socketpair()
        own = {"TMPDIR": self.folder} if self.folder else {}
        words = [str(theirs.fileno()), json.dumps(keeper.settings)]
        try:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "service.runner", *words],
                env=os.environ | own,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a group of its own, which ends with it
            )
        finally:
            theirs.close()
            os.close(output)
        os.set_blocking(self.output, False)
        keeper.selector.register(self.output, selectors.EVENT_READ, lambda _: self.listen())
        super().__init__(keeper.selector, ours)

    def answer(self, caller: "Caller") -> None:
        """Pass a request on, and wait for its answer as long as MODEL_TIMEOUT says."""
        self.caller, self.request, caller.process = caller, caller.request, self
        self.end = time.monotonic() + self.keeper.settings["TIMEOUT"]
        self.write(caller.head)
        caller.head = b""
        if caller.left:
            caller.read(True)

    def received(self, data: bytes) -> None:
        """Pass an answer on as it comes."""
        if not self.left:
            data = self.head + data
            if not self.is_ready or len(data) < frames.HEADER.size:
                self.head = data
                self.begin()
                return
            _, noted, length = frames.HEADER.unpack_from(data)
            self.left, self.head = frames.HEADER.size + noted + length, b""
        self.left -= len(data)
        if self.caller:
            self.caller.write(data)
        if not self.left:
            self.finish()

    def begin(self) -> None:
        """Hear whether the model is loaded, or why it cannot be."""
        if self.is_ready or len(self.head) < frames.HEADER.size:
            return
        kind, _, length = frames.HEADER.unpack_from(self.head)
        body = self.head[frames.HEADER.size :]
        if len(body) < length:
            return
        self.head = b""
        if kind == frames.READY:
            self.is_ready = self.was_ready = True
            self.keeper.ready(self, json.loads(body))
        else:
            self.is_refused, self.reason = True, body.decode().strip()

    def finish(self) -> None:
        """Be free for the next request."""
        self.listen()  # what the model printed belongs to this one
        self.say_rest()
        if self.caller:
            self.caller.process = self.caller = None
        self.request, self.end, self.is_interrupted = b"", None, False
        self.keeper.freed(self)

    def interrupt(self, kind: bytes = b"") -> None:
        """Stop a prediction: by KeyboardInterrupt, and if that does not help, by SIGKILL."""
        caller, self.caller = self.caller, None
        caller.process = None
        if kind and self.left:
            caller.lost()  # half an answer is none
        elif kind:
            caller.reply(kind)
        # A process that still waits for the rest of its request would not be interrupted.
        self.end = time.monotonic() + (0 if caller.left else GRACE)
        self.is_interrupted = True
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(signal.SIGINT)

    def lost(self) -> None:
        """It has ended, or is about to; or we end, at which one that waits for a request does."""
        self.close()
        self.is_ready, self.is_leaving = False, True
        self.end = time.monotonic() + LEAVE
        self.keeper.left(self)
        self.look(time.monotonic())

    def look(self, now: float) -> None:
        """See whether the process has ended, or has to be interrupted or killed by now."""
        if self.popen.poll() is not None:
            if not self.is_leaving:  # its children hold its socket open
                self.lost()
                return
            self.bury()
        elif self.end is None or now < self.end:
            return
        elif self.is_leaving or self.is_interrupted:
            self.kill()
        else:
            self.interrupt(frames.TIMEOUT)

    def kill(self) -> None:
        """Kill the process, and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)

    def bury(self) -> None:
        """Clear up behind a process that has ended, and say how it did."""
        self.kill()
        self.listen()
        self.say_rest()
        self.close_output()
        if self.folder:  # by a thread, for it may hold much
            words = {"ignore_errors": True}
            threading.Thread(target=shutil.rmtree, args=[self.folder], kwargs=words).start()
        how = f"The model's process {manner(self.popen.returncode)}"
        self.reason = self.reason or f"{how} while it loaded."
        if self.caller and self.left:
            self.caller.process = None
            self.caller.lost()
        elif self.caller:
            self.caller.process = None
            self.caller.reply(frames.ENDED, how.encode())
        self.keeper.buried(self)

    def listen(self) -> None:
        """Take what the model has printed, and write whole lines of it into the log."""
        while True:
            try:
                data = os.read(self.output, 65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.close_output()
                return
            *lines, self.line = (self.line + data).split(b"\n")
            for line in lines:
                self.say(line)
            if len(self.line) > LONGEST:
                self.say_rest()

    def close_output(self) -> None:
        """Listen no more."""
        if self.output >= 0:
            self.keeper.selector.unregister(self.output)
            os.close(self.output)
            self.output = -1

    def say_rest(self) -> None:
        """Write the line that has not ended yet into the log."""
        line, self.line = self.line, b""
        self.say(line)

    def say(self, line: bytes) -> None:
        """Write a line of the model's into the log, in parts where it is long."""
        members = {"request_id": self.request.decode()} if self.request else {}
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
