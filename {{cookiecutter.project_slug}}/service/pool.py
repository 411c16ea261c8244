"""The model processes, as a service process sees them: something to ask."""

import atexit
import contextlib
import itertools
import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from werkzeug.exceptions import HTTPException

from service import frames

logger = logging.getLogger(__name__)

PROJECT = Path(__file__).parents[1]
KEPT = 100  # connections to the keeper that a process keeps for the next requests
LOOK = 1  # seconds, after which it is seen whether the caller still waits
WORKER_BOOT_ERROR = 3  # the exit code of a worker at which Gunicorn ends with all workers


class CallerHasGone(HTTPException):
    """Nobody waits for the answer any more; the log shows a status of its own for that."""

    code = 499
    description = "The caller has gone away."


class Pool:
    """Asks the keeper, which hands each request to a free model process."""

    def __init__(self, settings: dict) -> None:
        self.idle: list[socket.socket] = []
        self.numbers = itertools.count()  # of the requests
        # Each connection is one end of a socket pair, whose other end goes through the door. So
        # there is no address, which would need a folder to write in and could be called by others.
        self.door, inside = socket.socketpair()
        words = [str(inside.fileno()), json.dumps(settings)]
        self.keeper = subprocess.Popen(
            [sys.executable, "-m", "service.keeper", *words],
            cwd=PROJECT,
            stdin=subprocess.PIPE,  # which ends when this process does, however it does
            pass_fds=[inside.fileno()],
            start_new_session=True,  # or it would hear the Ctrl-C that is meant for us
        )
        inside.close()
        atexit.register(self.close)  # so that nothing of the service outlives this process
        # A worker that Gunicorn forks shares the keeper, but neither the connections nor the pipe.
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Leave to the parent, after a fork, what is the parent's."""
        atexit.unregister(self.close)
        self.idle.clear()
        self.keeper.stdin.close()

    def facts(self) -> dict:
        """What the first model process says of the model, once it is ready.

        :raise SystemExit: if the model cannot be served, with the reason
        """
        kind, _, body = self.ask(frames.FACTS)
        if kind != frames.READY:
            self.close()
            sys.exit(body.decode() or "The model processes could not be started.")
        return json.loads(body)

    def state(self) -> dict:
        """How many processes are ready and how many predictions wait, and why if none is taken."""
        return json.loads(self.ask(frames.STATE)[2])

    def ask(
        self,
        kind: bytes,
        body: bytes = b"",
        note: bytes = b"",
        caller: socket.socket | None = None,
    ) -> tuple[bytes, bytes, bytes]:
        """Send a request, and give the frame that answers it; the note names the request.

        :raise CallerHasGone: if the caller's connection ends before the answer comes
        """
        connection = self.idle.pop() if self.idle else self.connected()
        note = b"%d-%d %s" % (os.getpid(), next(self.numbers), note)  # so that no two are the same
        try:
            connection.sendall(frames.pack(kind, body, note))
            frame = self.answer(connection, note, caller)
        except ConnectionError:
            connection.close()
            return frames.ENDED, b"", b"The keeper of the model processes ended"
        except BaseException:
            connection.close()
            raise
        if len(self.idle) < KEPT:
            self.idle.append(connection)
        else:
            connection.close()
        return frames.unpack(frame)

    def answer(self, connection: socket.socket, note: bytes, caller: socket.socket | None) -> bytes:
        """Wait for an answer, as long as the caller does.

        :raise CallerHasGone: if the caller's connection ends before
        """
        while True:
            try:
                return frames.receive(connection, LOOK)
            except TimeoutError:
                if has_gone(caller):
                    self.ask(frames.CANCEL, note)
                    raise CallerHasGone from None

    def connected(self) -> socket.socket:
        """A new connection to the keeper; where it has ended, the service ends too."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self.door, [b"c"], [theirs.fileno()])
            except OSError:
                logger.critical("The keeper of the model processes has ended; so does the service.")
                os._exit(WORKER_BOOT_ERROR)
        return ours

    def close(self) -> None:
        """End the keeper, and with it the model processes."""
        self.keeper.stdin.close()
        self.keeper.wait()


class InProcess:
    """Asks the model in this very process, where a debugger can stop it; one request at a time."""

    def __init__(self, settings: dict) -> None:
        from service.runner.__main__ import load  # a service process has no model otherwise

        self.lock = threading.Lock()
        self.model, self.told = load(settings)

    def facts(self) -> dict:
        """What there is to say of the model."""
        return self.told | {"processes": 1}

    def state(self) -> dict:
        """It is ready whenever it answers."""
        return {"ready": 1, "waiting": 0, "reason": ""}

    def ask(
        self, kind: bytes, body: bytes = b"", note: bytes = b"", caller: object = None
    ) -> tuple[bytes, bytes, bytes]:
        """Let the model answer."""
        with self.lock:
            return self.model.answer(kind, note, body)

    def close(self) -> None:
        """Leave the model as it is."""


def started(settings: dict) -> Pool | InProcess:
    """What answers requests, by MODEL_PROCESSES."""
    return InProcess(settings) if settings["PROCESSES"] == 0 else Pool(settings)


@contextlib.contextmanager
def opened(settings: dict) -> Iterator[Pool | InProcess]:
    """The model, ready to be asked, until the end of the block."""
    pool = started(settings)
    try:
        pool.facts()
        yield pool
    finally:
        pool.close()


def has_gone(caller: socket.socket | None) -> bool:
    """Whether the caller's connection has ended."""
    if caller is None:
        return False
    try:
        return bool(select.select([caller], [], [], 0)[0]) and not caller.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True
