"""The keeper: it starts the model processes and hands requests to them, first come first served.

The service starts it: `python -m service.keeper 5 '{…}'`. It imports neither the model nor Flask,
and holds the one queue for all service processes. What waits in it is a greenlet of gevent's.
"""

import contextlib
import json
import logging
import os
import sys
from collections import deque
from socket import recv_fds

import gevent
from gevent import socket
from gevent.event import Event
from gevent.os import make_nonblocking, nb_read

from service import frames, logs, machine
from service.keeper.process import NotReady, Process, Refused

logger = logging.getLogger("service")

WAITING = 1000  # requests that may wait for a process
PAUSES = (0.5, 1, 2, 4, 8)  # seconds between the tries to start a process that ends while it loads


class Turn:
    """A request that waits for a process."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.process: Process | None = None
        self.come = Event()


class Keeper:
    """The model processes, those of them that are free, and the requests that wait for one."""

    def __init__(self, settings: dict, door: socket.socket) -> None:
        self.settings, self.door = settings, door
        self.processes: set[Process] = set()
        self.free: list[Process] = []
        self.waiting: deque[Turn] = deque()
        self.facts: dict | None = None
        self.reason = ""  # why the last process did not get ready
        self.is_known = Event()  # whether the model can be served
        self.is_leaving = False

    def run(self) -> None:
        """Keep the model processes until the service ends."""
        gevent.spawn(self.accept)
        gevent.spawn(self.keep)
        make_nonblocking(sys.stdin.fileno())
        while nb_read(sys.stdin.fileno(), 1):  # nothing comes there but the end of the service
            pass
        self.is_leaving = True
        gevent.joinall([gevent.spawn(process.end) for process in self.processes])

    def accept(self) -> None:
        """Take the other ends of socket pairs through the door."""
        while found := recv_fds(self.door, 1, 1)[1]:
            gevent.spawn(self.serve, socket.socket(fileno=found[0]))

    def serve(self, connection: socket.socket) -> None:
        """Answer one request after the other, until the service process goes away."""
        with connection, contextlib.suppress(ConnectionError):
            while True:
                connection.sendall(self.answer(frames.receive(connection)))

    def answer(self, frame: bytes) -> bytes:
        """Answer a request: oneself, or by the process that is free next."""
        kind, note = frames.head(frame)
        if kind == frames.FACTS:
            self.is_known.wait()
            told = json.dumps(self.facts).encode() if self.facts else self.reason.encode()
            return frames.pack(frames.READY if self.facts else frames.ABSENT, told)
        if kind == frames.STATE:
            return frames.pack(frames.STATE, json.dumps(self.state()).encode())
        if kind == frames.CANCEL:
            self.cancel(frames.unpack(frame)[2])
            return frames.pack(kind)
        process = self.next(kind, note)
        while process and process.popen.poll() is not None:  # it has just ended
            process = self.next(kind, note)
        if process is None:
            return frames.pack(*self.refusal() or (frames.BUSY,))
        reply = process.ask(frame, note, self.settings["TIMEOUT"])
        if process.is_ready:
            self.freed(process)
        return reply

    def next(self, kind: bytes, request: bytes) -> Process | None:
        """A process that is free, now or soon; there is none where that takes too long."""
        if self.free:
            return self.free.pop()
        if self.refusal():
            return None
        turn = Turn(request)
        self.waiting.append(turn)
        turn.come.wait(None if kind == frames.PART else self.settings["WAIT"])
        if turn in self.waiting:
            self.waiting.remove(turn)
        return turn.process

    def freed(self, process: Process) -> None:
        """Give a process to the request that has waited longest."""
        if self.waiting:
            turn = self.waiting.popleft()
            turn.process = process
            turn.come.set()
        else:
            self.free.append(process)

    def cancel(self, request: bytes) -> None:
        """Stop the prediction of a request for which nobody waits any more."""
        for process in self.processes:
            if process.request == request:
                gevent.spawn(process.cancel, request)
        for turn in list(self.waiting):
            if turn.request == request:
                self.waiting.remove(turn)
                turn.come.set()

    def refusal(self) -> tuple[bytes, bytes] | None:
        """Why a request cannot wait."""
        if self.reason and not any(process.is_ready for process in self.processes):
            return frames.ABSENT, self.reason.encode()
        return (frames.BUSY, b"") if len(self.waiting) >= WAITING else None

    def state(self) -> dict:
        """How many processes are ready and how many requests wait, and why if none is taken."""
        kind, reason = self.refusal() or (b"", b"")
        reason = "too many predictions wait" if kind == frames.BUSY else reason.decode()
        ready = sum(process.is_ready for process in self.processes)
        return {"ready": ready, "waiting": len(self.waiting), "reason": reason}

    def keep(self) -> None:
        """Start a model process, and another when it has ended; give up after a few failures."""
        pauses = iter(PAUSES)
        while not self.is_leaving:
            try:
                self.live()
                pauses = iter(PAUSES)
            except (NotReady, OSError) as error:
                if self.is_leaving:
                    break
                is_known = isinstance(error, NotReady)
                self.reason = str(error) if is_known else f"No process could be started: {error}."
                is_final = isinstance(error, Refused) and not self.facts
                pause = None if is_final else next(pauses, None)
                self.turn_away()
                if pause is None:
                    break
                logger.warning("%s It is tried again in %s s.", self.reason, pause)
                gevent.sleep(pause)
        self.is_known.set()

    def live(self) -> None:
        """Start a model process, and let it answer until it ends.

        :raise NotReady: if it does not get ready
        :raise OSError: if it cannot be started
        """
        process = Process(self.settings)
        self.processes.add(process)
        try:
            self.ready(process.load())
            self.freed(process)
            process.popen.wait()
        finally:
            process.end()
            self.processes.discard(process)
            if process in self.free:
                self.free.remove(process)

    def ready(self, facts: dict) -> None:
        """Learn of the first process what the model is, and how many processes fit by its size."""
        self.reason = ""
        if self.facts:
            return
        size = facts["size"]
        wanted = self.settings["PROCESSES"] or machine.fitting(size)
        words = (wanted, machine.cores(), machine.memory() // 10**6, size // 10**6)
        text = "The number of model processes is %d (cores: %d; memory: %d MB; each: %d MB)."
        logger.info(text, *words)
        self.facts = facts | {"processes": wanted}
        self.is_known.set()
        for _ in range(wanted - 1):
            gevent.spawn(self.keep)

    def turn_away(self) -> None:
        """Send all away who wait, where no process can answer."""
        while self.waiting and self.refusal():
            self.waiting.popleft().come.set()


if __name__ == "__main__":
    logs.configure()
    outside = socket.socket(fileno=int(sys.argv[1]))
    Keeper(json.loads(sys.argv[2]), outside).run()
    os._exit(0)
