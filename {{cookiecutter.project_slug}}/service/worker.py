"""How a service process serves: Gunicorn's gevent worker, its log and its sign of life."""

import atexit
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from socket import SHUT_RD, SHUT_WR
from types import SimpleNamespace

import gevent
import gevent.builtins
import gevent.events
import gevent.signal
import gevent.ssl
import gevent.subprocess
import gevent.threading
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import socket
from gunicorn.glogging import Logger
from gunicorn.http import errors, parser
from gunicorn.sock import ssl_context
from gunicorn.workers import base, workertmp
from gunicorn.workers.ggevent import GeventWorker

from service.heads import REFUSED, Request

LONG = 2**16  # bytes; a shorter answer is sent at once with its head
HELD = 100_000_000  # bytes of slow requests and answers, besides ten of the longest bodies
EARLY = (signal.SIGTERM, signal.SIGINT)
BRIEF = 0.5  # seconds in which a new connection brings its request, also at the stop
LINGER = 5  # seconds in which a client that still sends may read that it is refused


class Client:
    """The connection of a client, for which the worker waits so long only, and holds so much."""

    def __init__(self, connection: socket, worker: "Worker") -> None:
        self.connection, self.worker, self.settings = connection, worker, worker.wsgi.config
        self.parts, self.has_left = [], False  # the parts of an answer; whether leave() was called
        self.rest(self.settings["SILENCE"])

    def rest(self, seconds: float) -> None:
        """Wait for a request."""
        self.end, self.is_asking = time.monotonic() + seconds, False
        self.held = 0  # bytes of the request, or of the answer

    def wait(self, way: int, act: Callable, *arguments: object) -> object:
        """Receive or send, which the client may keep waiting; the way says what to shut then."""
        self.way, self.began = way, time.monotonic()
        silent = self.began + self.settings["SILENCE"]
        self.late = min(self.end, silent) if self.is_asking else self.end
        self.worker.waiting[self] = None
        try:
            return act(*arguments)
        finally:
            self.worker.waiting.pop(self, None)

    def recv(self, *arguments: int) -> bytes:
        """Receive a part of a request; its headers have a time of their own."""
        data = self.wait(SHUT_RD, self.connection.recv, *arguments)
        if not (self.held or self.is_asking):
            self.end = time.monotonic() + self.settings["SILENCE"]
        self.held += len(data)
        if self.held > LONG:
            gevent.sleep(0)  # others have their turn, also if more has come already
        return data

    def sendall(self, data: bytes) -> None:
        """Keep a short part of the answer, so that head and body go together."""
        self.parts.append(data)
        if len(data) > LONG:
            self.flush()

    def flush(self) -> None:
        """Send what is kept, of which a long part is not copied."""
        parts, self.parts = self.parts, []
        self.end = time.monotonic() + self.settings["TRANSFER"]
        whole = parts if sum(map(len, parts)) > LONG else [b"".join(parts)]
        for part in map(memoryview, whole):
            while part:
                self.held = len(part)
                part = part[self.wait(SHUT_WR, self.connection.send, part) :]

    def skip(self, reader: object) -> None:
        """Read what is left of a body before its answer, as long as it goes on coming.

        A proxy loses an answer that comes while it sends, and many clients read none before.
        """
        # Parts of 8 KB (LONG // 8), and ten times the longest body in all
        for _ in range(80 * self.settings["MAX_CONTENT_LENGTH"] // LONG):
            self.held = 0
            gevent.sleep(0)  # others have their turn
            with contextlib.suppress(Exception), gevent.Timeout(BRIEF, False):
                if reader.read(LONG // 8):
                    continue
            return

    def leave(self) -> None:
        """End the wait, as if the client had gone; gevent itself would raise an error there."""
        self.worker.waiting.pop(self, None)
        self.has_left = True
        with contextlib.suppress(OSError):
            self.connection._sock.shutdown(self.way)

    def close(self) -> None:
        """Close the connection; a client that still sends would else lose the answer (RST)."""
        self.rest(LINGER)
        with contextlib.suppress(OSError):
            self.connection.shutdown(SHUT_WR)
            while self.wait(SHUT_RD, self.connection.recv, LONG):
                pass
        self.connection.close()

    def __getattr__(self, name: str) -> object:
        """Be the socket in everything else."""
        return getattr(self.connection, name)


class Worker(GeventWorker):
    """A service process: slow and idle clients hold no thread, since none of the model runs here.

    When there are too many connections, or too much is held for slow clients, those go that have
    kept the service waiting for longest. A stop waits for no connection on which nothing is asked.
    """

    def patch(self) -> None:
        """Let all that waits wait in gevent, which need not look for plug-ins in all packages."""
        gevent.events.notify_and_call_entry_points = gevent.events.notify
        super().patch()

    timeout_ctx = contextlib.nullcontext  # which look() does without

    def run(self) -> None:
        """Serve until the stop, and then answer what is asked already.

        Gunicorn's own loop sees a stop after up to a second, and each later look takes another.
        """
        self.waiting: dict[Client, None] = {}  # the longest wait first
        pool, servers = Pool(self.worker_connections), []
        secure = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        for listener in self.sockets:
            name = listener.getsockname()  # which Gunicorn asks for also when it is closed
            named = SimpleNamespace(getsockname=lambda name=name: name)
            server = StreamServer(listener, partial(self.handle, named), spawn=pool, **secure)
            server.max_accept = 1  # connection at once, or one process would take all
            server.start()
            servers.append(server)
        while self.alive:
            self.look()
        self.look()  # who has come by now is answered
        for server in servers:
            server.close()
        end = time.monotonic() + self.cfg.graceful_timeout
        while len(pool) and time.monotonic() < end:
            self.look()
        if len(pool):
            self.log.warning("%s requests took longer than graceful_timeout.", len(pool))

    def look(self) -> None:
        """Let the clients go that take too long, or too much; at the stop also the idle ones."""
        gevent.sleep(0.1)
        self.notify()
        most = HELD + 10 * self.wsgi.config["MAX_CONTENT_LENGTH"]
        now, held = time.monotonic(), sum(client.held for client in self.waiting)
        for client in list(self.waiting):
            is_idle = not (client.is_asking or self.alive) and now > client.began + BRIEF
            if now > client.late or is_idle or (held > most and client.held > LONG):
                held -= client.held
                client.leave()

    def handle(self, listener, connection, address) -> None:
        """Answer the requests of a connection, for which another one may have to leave."""
        while len(self.waiting) > 0.8 * self.worker_connections:
            next(iter(self.waiting)).leave()
        super().handle(listener, Client(connection, self), address)

    def handle_request(self, listener, request, client, address) -> bool:
        """Answer a request, and then wait for the next one as long as a connection is kept."""
        client.is_asking, client.end = True, time.monotonic() + self.wsgi.config["TRANSFER"]
        try:
            return super().handle_request(listener, request, client, address)
        finally:
            if getattr(request.body.reader, "length", True):
                client.skip(request.body.reader)
            client.flush()
            client.rest(self.cfg.keepalive)

    def handle_error(self, req, client, addr, exc) -> None:
        """Let the service answer in the words of Gunicorn, which then closes the connection."""
        if isinstance(exc, gevent.GreenletExit):
            return
        if not isinstance(exc, errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        refused = REFUSED.get(type(exc), 400), f"{exc}."
        environ = {"REQUEST_METHOD": getattr(exc, "method", None), "PATH_INFO": ""}
        environ["service.refused"] = refused

        def respond(status: str, headers: list, error: object = None) -> None:
            lines = [f"{name}: {value}\r\n" for name, value in headers]
            head = "".join([f"HTTP/1.1 {status}\r\n", *lines, "Connection: close\r\n\r\n"])
            client.sendall(head.encode("latin-1"))

        client.sendall(b"".join(self.wsgi(environ, respond)))
        with contextlib.suppress(OSError):  # who has gone away gets no answer
            client.flush()


class Log(Logger):
    """Gunicorn's log, without a second line for each request, which is made up also if unread."""

    def access(self, *_: object) -> None:
        """Leave the line of a request to the service."""


class Heartbeat(workertmp.WorkerTmp):
    """A worker's sign of life: a file in memory, in no folder, since none may be writable."""

    def __init__(self, cfg) -> None:
        """Make the file."""
        self._tmp = os.fdopen(os.memfd_create("heartbeat"), "w+b", 0)


def end_early() -> None:
    """End in good order at a stop that comes before Gunicorn listens to stops.

    An exception, which Python raises by default, can get lost in an import.
    """

    def end(*_: object) -> None:
        for one in EARLY:  # a second stop would end this one half done
            signal.signal(one, signal.SIG_IGN)
        atexit._run_exitfuncs()  # which end the model processes
        os._exit(0)

    for number in EARLY:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, end)


parser.RequestParser.mesg_class = Request
if sys.platform == "linux":
    base.WorkerTmp = Heartbeat
