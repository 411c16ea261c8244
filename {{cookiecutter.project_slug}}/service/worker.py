"""How a service process serves: Gunicorn's gevent worker, its log and its sign of life."""

import contextlib
import os
import sys
from collections.abc import Iterator

import gevent
import gevent.builtins
import gevent.events
import gevent.signal
import gevent.ssl
import gevent.subprocess
import gevent.threading
from gevent.socket import socket
from gunicorn.glogging import Logger
from gunicorn.http import errors
from gunicorn.workers import base, workertmp
from gunicorn.workers.ggevent import GeventWorker

# What a request that cannot be read is answered with; anything else in it, with 400.
REFUSED = {
    errors.ForbiddenProxyRequest: 403,
    errors.LimitRequestLine: 414,
    errors.ExpectationFailed: 417,
    errors.LimitRequestHeaders: 431,
    errors.UnsupportedTransferCoding: 501,
}


class Answer:
    """The socket of a client, for one answer, whose head and body it sends at once."""

    def __init__(self, client: socket) -> None:
        self.client, self.parts, self.size = client, [], 0

    def sendall(self, data: bytes) -> None:
        """Keep a part of the answer, or send what there is of a long one."""
        self.parts.append(data)
        self.size += len(data)
        if self.size > 2**16:
            self.flush()

    def flush(self) -> None:
        """Send what is kept."""
        parts, self.parts, self.size = self.parts, [], 0
        if parts:
            self.client.sendall(b"".join(parts))

    def __getattr__(self, name: str) -> object:
        """Be the socket in everything else."""
        return getattr(self.client, name)


class Worker(GeventWorker):
    """A service process: slow and idle clients hold no thread, since none of the model runs here.

    What is too long or no HTTP is refused as the service refuses, counted and logged. A stop does
    not wait for connections on which nothing is asked.
    """

    def patch(self) -> None:
        """Let all that waits wait in gevent, which need not look for plug-ins in all packages."""
        gevent.events.notify_and_call_entry_points = gevent.events.notify
        super().patch()

    def run(self) -> None:
        """Serve until the stop."""
        self.idle = set()
        gevent.spawn(self.release)
        super().run()

    def release(self) -> None:
        """Close the idle connections at the stop."""
        while True:
            gevent.sleep(0.1)
            for connection in () if self.alive else list(self.idle):
                connection.kill(block=False)

    @contextlib.contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Wait for a request as long as a connection is kept."""
        greenlet = gevent.getcurrent()
        self.idle.add(greenlet)
        try:
            with super().timeout_ctx():
                yield
        finally:
            self.idle.discard(greenlet)

    def handle_request(self, listener, request, client, address) -> bool:
        """Send the head and the body of an answer together, which is one system call less."""
        answer = Answer(client)
        try:
            return super().handle_request(listener, request, answer, address)
        finally:
            answer.flush()

    def handle_error(self, req, client, addr, exc) -> None:
        """Let the service answer in the words of Gunicorn, which then closes the connection."""
        if isinstance(exc, gevent.GreenletExit):
            return
        if not isinstance(exc, errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        refused = REFUSED.get(type(exc), 400), f"{exc}."
        environ = {"REQUEST_METHOD": "", "PATH_INFO": "", "service.refused": refused}

        def respond(status: str, headers: list, error: object = None) -> None:
            lines = [f"{name}: {value}\r\n" for name, value in headers]
            head = "".join([f"HTTP/1.1 {status}\r\n", *lines, "Connection: close\r\n\r\n"])
            client.sendall(head.encode("latin-1"))

        with contextlib.suppress(OSError):  # who has gone away gets no answer
            client.sendall(b"".join(self.wsgi(environ, respond)))


class Log(Logger):
    """Gunicorn's log, without a second line for each request, which is made up also if unread."""

    def access(self, *_: object) -> None:
        """Leave the line of a request to the service."""


class Heartbeat(workertmp.WorkerTmp):
    """A worker's sign of life: a file in memory, in no folder, since none may be writable."""

    def __init__(self, cfg) -> None:
        """Make the file."""
        number = os.memfd_create("heartbeat")
        os.fchown(number, cfg.uid, cfg.gid)  # whom the worker becomes
        self._tmp = os.fdopen(number, "w+b", 0)


if sys.platform == "linux":
    base.WorkerTmp = Heartbeat
