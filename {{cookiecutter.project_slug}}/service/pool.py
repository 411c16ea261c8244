"""The pool of model processes: how a service process asks them.

All model processes share one listening socket, the queue. A request is a connection to this
socket. It waits in the queue of the system, first come first served, until a process accepts it.
"""

import atexit
import contextlib
import itertools
import json
import logging
import math
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from werkzeug.exceptions import HTTPException

from service import frames
from service.frames import Connection, Frame
from service.inprocess import InProcess

logger = logging.getLogger(__name__)

PROJECT = Path(__file__).parents[1]
WAITING = 1000  # requests that may wait for a process
FOREVER = 10**6  # seconds
LARGE = 100_000  # bytes; a longer body counts for what may wait
HELD = 50_000_000  # bytes of large bodies that a service process holds for the model processes
# Seconds of waiting until the service process looks at the caller and asks the keeper: for the
# first time, then, and at the end, by when the keeper knows of a prediction that has just begun.
FIRST_LOOK, LOOK, LAST_LOOK = 0.2, 1, 0.15
WORKER_BOOT_ERROR = 3  # the exit code of a worker at which Gunicorn ends with all workers


class CallerHasGone(HTTPException):
    """The caller has closed the connection; the log shows a status of its own for that."""

    code = 499
    description = "The caller has gone away."


class Pool:
    """The model processes, which the keeper starts and replaces."""

    def __init__(self, settings: dict) -> None:
        self.settings, self.large = settings, []
        self.numbers = itertools.count()  # of the requests
        queue, door = listener(), listener()
        self.queue, self.door = queue.getsockname(), door.getsockname()
        files = queue.fileno(), door.fileno()
        with queue, door:
            self.keeper = subprocess.Popen(
                [sys.executable, "-m", "service.keeper", *map(str, files), json.dumps(settings)],
                cwd=PROJECT,
                stdin=subprocess.PIPE,  # it ends when this process does, in whatever way
                pass_fds=files,
                start_new_session=True,  # Ctrl-C in a terminal is for this process alone
            )
        atexit.register(self.close)  # so that no model process outlives this process
        # A worker that Gunicorn forks asks the keeper too, but does not end it.
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Leave the keeper to the parent, after a fork."""
        atexit.unregister(self.close)
        self.keeper.stdin.close()

    def facts(self) -> dict:
        """Wait until the first process is ready, and give the facts about the model.

        :raise SystemExit: if the model cannot be served, with the reason
        """
        kind, _, body = self.told(frames.FACTS)
        if kind != frames.READY:
            self.close()
            sys.exit(body.decode() or "The model processes could not be started.")
        return json.loads(body)

    def state(self) -> dict:
        """Count the processes that are ready, name the requests, and say why none is taken."""
        state = json.loads(self.told(frames.STATE)[2])
        try:
            connected(self.queue).close()
        except BlockingIOError:
            state["reason"] = state["reason"] or "too many predictions wait"
        return state

    def told(self, kind: bytes, note: bytes = b"") -> Frame:
        """Ask the keeper a question."""
        with contextlib.closing(connected(self.door)) as connection:
            try:
                connection.sendall(frames.pack(kind, note=note))
                return frames.receive(connection)
            except ConnectionError:
                return frames.ENDED, b"", b""

    def ask(
        self,
        kind: bytes,
        body: bytes = b"",
        note: bytes = b"",
        caller: socket.socket | None = None,
    ) -> Frame:
        """Let the next free process answer a request; the note names it in the log.

        :raise CallerHasGone: if the caller's connection ends before the answer comes
        """
        if kind == frames.PART and has_gone(caller):  # between the parts of a batch
            raise CallerHasGone
        if len(body) < LARGE:
            return self.asked(kind, body, note, caller)
        if self.large and sum(map(len, self.large)) + len(body) > HELD:
            return frames.BUSY, b"", b""
        self.large.append(body)
        try:
            return self.asked(kind, body, note, caller)
        finally:
            self.large.remove(body)

    def asked(self, kind: bytes, body: bytes, note: bytes, caller: socket.socket | None) -> Frame:
        """Send a request to the queue, and give the frame that answers it."""
        name = b"%d-%d %s" % (os.getpid(), next(self.numbers), note)  # so that no two are the same
        seconds = FOREVER if kind == frames.PART else self.settings["WAIT"]
        try:
            with contextlib.closing(connected(self.queue)) as connection:
                connection.settimeout(seconds)
                connection.sendall(frames.pack(kind, body, name))
                return self.answer(connection, name, time.monotonic() + seconds, caller)
        except (TimeoutError, BlockingIOError):  # the time is over, or too many wait
            return frames.BUSY, b"", b""
        except ConnectionError:
            return self.told(frames.ENDED, name)

    def answer(
        self, connection: Connection, name: bytes, end: float, caller: socket.socket | None
    ) -> Frame:
        """Wait for the answer.

        :raise TimeoutError: if no process takes the request before the end
        :raise CallerHasGone: if the caller's connection ends before
        """
        is_offered = True
        for pause in itertools.chain([FIRST_LOOK], itertools.repeat(LOOK)):
            connection.settimeout(max(LAST_LOOK, min(pause, end - time.monotonic())))
            try:
                return frames.receive(connection)
            except TimeoutError:
                self.look(name, caller)
            except ConnectionError:
                if is_offered or end == math.inf:
                    raise
                raise TimeoutError from None  # a process has seen that it is offered no more
            state = {} if end == math.inf else json.loads(self.told(frames.STATE)[2])
            if name.decode() in state.get("requests", ()):
                end = math.inf  # the keeper stops the prediction if it takes too long
            elif state.get("reason"):
                return frames.ABSENT, b"", state["reason"].encode()
            elif time.monotonic() >= end:
                if not is_offered:
                    raise TimeoutError
                # No process begins it from now on. The keeper soon knows if one has just begun.
                connection.shutdown(socket.SHUT_WR)
                is_offered = False

    def look(self, name: bytes, caller: socket.socket | None) -> None:
        """Let a prediction be stopped if its caller has gone.

        :raise CallerHasGone: if so
        """
        if has_gone(caller):
            self.told(frames.CANCEL, name)
            raise CallerHasGone

    def close(self) -> None:
        """End the keeper, and with it the model processes."""
        self.keeper.stdin.close()
        self.keeper.wait()


def started(settings: dict) -> Pool | InProcess:
    """Start the model processes, or load the model in this process, by MODEL_PROCESSES."""
    return InProcess(settings) if settings["PROCESSES"] == 0 else Pool(settings)


@contextlib.contextmanager
def opened(settings: dict) -> Iterator[Pool | InProcess]:
    """Keep a model ready to be asked until the end of the block."""
    pool = started(settings)
    try:
        pool.facts()
        yield pool
    finally:
        pool.close()


def listener() -> socket.socket:
    """Open a listening socket; on Linux without a file, since no folder may be writable."""
    found = socket.socket(socket.AF_UNIX)
    found.bind("" if sys.platform == "linux" else f"{tempfile.mkdtemp()}/socket")
    found.listen(WAITING)
    return found


def connected(address: str | bytes) -> Connection:
    """Connect to a listening socket; if it is gone, the service ends.

    :raise BlockingIOError: if too many connections wait there
    """
    connection = Connection(socket.AF_UNIX)
    connection.setblocking(False)
    try:
        connection.connect(address)
    except ConnectionRefusedError:
        logger.critical("The keeper of the model processes has ended; so does the service.")
        os._exit(WORKER_BOOT_ERROR)
    except BaseException:
        connection.close()
        raise
    return connection


def has_gone(caller: socket.socket | None) -> bool:
    """Check whether the caller's connection has ended."""
    if caller is None or getattr(caller, "has_left", False):  # this side has closed it
        return False
    try:
        watched = select.poll()  # select() fails where more than a thousand files are open
        watched.register(caller, select.POLLIN)
        return bool(watched.poll(0)) and not caller.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True
