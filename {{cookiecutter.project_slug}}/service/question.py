"""A request on its way to a model process, and the caller who waits for its answer."""

import contextlib
import itertools
import logging
import math
import os
import socket
import time

from werkzeug.exceptions import HTTPException

from service import frames
from service.frames import Frame

logger = logging.getLogger(__name__)

NUMBERS = itertools.count()  # of the requests
FOREVER = 10**6  # seconds
# Seconds of waiting until the service process looks at the caller and asks the keeper: for the
# first time, then, and at the end, by when the keeper knows of a prediction that has just begun.
FIRST_LOOK, LOOK, LAST_LOOK = 0.2, 1, 0.15
WORKER_BOOT_ERROR = 3  # the exit code of a worker at which Gunicorn ends with all workers


class CallerHasGone(HTTPException):
    """The caller has closed the connection; the log shows a status of its own for that."""

    code = 499
    description = "The caller has gone away."


class Question:
    """A request that the pool asks of the next free process."""

    slot: contextlib.ExitStack | None = None  # for a long body

    def __init__(self, pool: object, kind: bytes, body: bytes, note: bytes, caller: object) -> None:
        self.pool, self.kind, self.body, self.caller = pool, kind, body, caller
        # The number of the process, so that no two requests have the same name
        self.name = b"%d-%d %s" % (os.getpid(), next(NUMBERS), note)
        self.seconds = FOREVER if kind == frames.PART else pool.settings["WAIT"]

    def ask(self) -> Frame:
        """Send the request to the queue, and give the frame that answers it.

        A process may end before it begins a request that it has taken. It is sent once more then.
        """
        end = time.monotonic() + self.seconds
        for _ in range(2):
            try:
                with connected(self.pool.queue) as connection:
                    connection.settimeout(self.seconds)
                    frames.send(connection, frames.pack(self.kind, self.body, self.name))
                    return self.answer(connection, end)
            except (TimeoutError, BlockingIOError):  # the time is over, or too many wait
                return frames.BUSY, b"", b""
            except ConnectionError:
                kind, note, body = self.pool.told(frames.ENDED, self.name)
                if body:
                    return kind, note, body
        return frames.ENDED, b"", b"The model's process ended"

    def answer(self, connection: socket.socket, end: float) -> Frame:
        """Wait for the answer.

        :raise TimeoutError: if no process takes the request before the end
        :raise CallerHasGone: if the caller's connection ends before
        """
        is_offered = True
        for pause in itertools.chain([FIRST_LOOK], itertools.repeat(LOOK)):
            connection.settimeout(max(LAST_LOOK, min(pause, end - time.monotonic())))
            try:
                return self.received(connection)
            except TimeoutError:
                self.look()
            except ConnectionError:
                if is_offered or end == math.inf:
                    raise
                raise TimeoutError from None  # a process has seen that it is offered no more
            state = {} if end == math.inf else self.pool.told_state()
            if self.name.decode() in state.get("requests", ()):
                end = math.inf  # the keeper stops the prediction if it takes too long
            elif state.get("reason"):
                return frames.ABSENT, b"", state["reason"].encode()
            elif time.monotonic() >= end:
                if not is_offered:
                    raise TimeoutError
                # No process begins it from now on. The keeper soon knows if one has just begun.
                connection.shutdown(socket.SHUT_WR)
                is_offered = False

    def received(self, connection: socket.socket) -> Frame:
        """Receive the answer; before it comes the news that a long body has been read.

        :raise TimeoutError: if it does not come within the timeout of the connection
        """
        frame = frames.receive(connection)
        if frame[0] != frames.READ:
            return frame
        if self.slot:
            self.slot.close()
        return self.received(connection)

    def look(self) -> None:
        """Let the prediction be stopped if its caller has gone.

        :raise CallerHasGone: if so
        """
        if self.caller is None or getattr(self.caller, "has_left", False):
            return  # there is none to be watched, or this side has closed it
        if frames.has_ended(self.caller):
            self.pool.told(frames.CANCEL, self.name)
            raise CallerHasGone


def connected(address: str | bytes) -> socket.socket:
    """Connect to a listening socket; if it is gone, the service ends.

    :raise BlockingIOError: if too many connections wait there
    """
    connection = socket.socket(socket.AF_UNIX)
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
