"""The keeper: it starts the model processes and hands requests to them, first come first served.

The service starts it: `python -m service.keeper 5 '{…}'`. It imports neither the model nor Flask,
holds the one queue for all service processes, and passes frames on without reading them.
"""

import json
import logging
import selectors
import socket
import sys
import time
from collections import deque

from service import frames, logs, machine
from service.keeper.caller import Caller
from service.keeper.process import Process

logger = logging.getLogger("service")

WAITING = 1000  # requests that may wait for a process
PAUSES = (0.5, 1, 2, 4, 8)  # seconds between the tries to start a process that ends while it loads
TICK = 0.25  # seconds between looks at the clock
LEAVING = 0.01  # the same, where a process is about to end


class Place:
    """A place for one model process, and what is known of the tries to fill it."""

    def __init__(self) -> None:
        self.process: Process | None = None
        self.failures = 0
        self.next: float | None = 0.0  # when to try again; None where it was given up


class Keeper:
    """The model processes, those of them that are free, and the requests that wait for one."""

    def __init__(self, settings: dict, door: socket.socket) -> None:
        self.settings, self.door = settings, door
        self.selector = selectors.DefaultSelector()
        self.selector.register(door, selectors.EVENT_READ, lambda _: self.accept())
        # Nothing comes there but the end, when the service has ended.
        self.selector.register(sys.stdin, selectors.EVENT_READ, lambda _: self.leave())
        self.places = [Place()]
        self.free: list[Process] = []
        self.waiting: deque[Caller] = deque()
        self.asking: list[Caller] = []  # those who wait for the facts
        self.facts: dict | None = None
        self.reason = ""  # why the last process did not get ready
        self.is_leaving = False
        self.next = 0.0  # when to look at the clock

    def run(self) -> None:
        """Keep the model processes until the service ends."""
        while not self.is_leaving or self.processes():
            now = time.monotonic()
            if now >= self.next:
                self.look(now)
                is_leaving = any(process.is_leaving for process in self.processes())
                self.next = now + (LEAVING if is_leaving else TICK)
            for key, events in self.selector.select(self.next - now):
                key.data(events)

    def processes(self) -> list[Process]:
        """The model processes, whatever they do."""
        return [place.process for place in self.places if place.process]

    def look(self, now: float) -> None:
        """Do what is due by now."""
        for place in self.places:
            if place.process:
                place.process.look(now)
            elif place.next is not None and now >= place.next and not self.is_leaving:
                self.fill(place)
        while self.waiting and now > self.waiting[0].since + self.settings["WAIT"]:
            self.waiting.popleft().reply(frames.BUSY)

    def fill(self, place: Place) -> None:
        """Start a model process."""
        try:
            place.process = Process(self)
        except OSError as error:
            self.failed(place, f"A model process could not be started: {error}.")

    def accept(self) -> None:
        """Take the other end of a socket pair through the door."""
        _, found, _, _ = socket.recv_fds(self.door, 1, 1)
        for number in found:
            Caller(self, socket.socket(fileno=number))

    def leave(self) -> None:
        """End, and let the model processes end."""
        self.is_leaving = True
        self.selector.unregister(sys.stdin)
        self.selector.unregister(self.door)
        for process in self.processes():
            if not process.is_leaving:
                process.lost()

    def ready(self, process: Process, facts: dict) -> None:
        """Take a process into service; by the size of the first it is known how many there are."""
        self.reason = ""
        if not self.facts:
            size = facts["size"]
            wanted = self.settings["PROCESSES"] or machine.fitting(size)
            words = (wanted, machine.cores(), machine.memory() // 10**6, size // 10**6)
            text = "The number of model processes is %d (cores: %d; memory: %d MB; each: %d MB)."
            logger.info(text, *words)
            self.facts = facts | {"processes": wanted}
            self.places += [Place() for _ in range(wanted - 1)]
            while self.asking:
                self.tell(self.asking.pop())
        self.freed(process)

    def freed(self, process: Process) -> None:
        """Give a process that is free to the caller who has waited longest."""
        if self.waiting:
            process.answer(self.waiting.popleft())
        else:
            self.free.append(process)

    def left(self, process: Process) -> None:
        """Give no more requests to a process that is about to end."""
        self.next = 0.0
        if process in self.free:
            self.free.remove(process)

    def buried(self, process: Process) -> None:
        """Fill the place of a process that has ended; give up after a few failures."""
        (place,) = (place for place in self.places if place.process is process)
        place.process = None
        if process.was_ready:
            place.failures, place.next, self.next = 0, 0.0, 0.0
        else:
            self.failed(place, process.reason, process.is_refused and not self.facts)

    def failed(self, place: Place, reason: str, is_final: bool = False) -> None:
        """Try again a little later, or give up; send all away who wait where nobody can answer."""
        self.reason = reason
        pause = None if is_final or place.failures >= len(PAUSES) else PAUSES[place.failures]
        place.failures += 1
        place.next = None if pause is None else time.monotonic() + pause
        if pause:
            logger.warning("%s It is tried again in %s s.", reason, pause)
        while self.waiting and not self.is_answering():
            self.waiting.popleft().reply(frames.ABSENT, reason.encode())
        while self.asking and pause is None and not self.facts:
            self.asking.pop().reply(frames.ABSENT, reason.encode())

    def is_answering(self) -> bool:
        """Whether a process is there that answers requests."""
        return any(process.is_ready for process in self.processes())

    def take(self, caller: Caller) -> None:
        """Answer a request, hand it to a free process, or let it wait."""
        if self.free and caller.kind not in (frames.STATE, frames.FACTS):
            self.free.pop().answer(caller)
        elif caller.kind == frames.STATE:
            caller.reply(frames.STATE, json.dumps(self.state()).encode())
        elif caller.kind == frames.FACTS:
            self.tell(caller)
        elif refusal := self.refusal():
            caller.reply(*refusal)
        else:
            caller.wait()
            self.waiting.append(caller)

    def tell(self, caller: Caller) -> None:
        """Say what the model is, as soon as that is known."""
        if self.facts:
            caller.reply(frames.READY, json.dumps(self.facts).encode())
        else:
            self.asking.append(caller)

    def state(self) -> dict:
        """How many processes are ready and how many requests wait, and why if none is taken."""
        kind, reason = self.refusal() or (b"", b"")
        reason = "too many predictions wait" if kind == frames.BUSY else reason.decode()
        ready = sum(process.is_ready for process in self.processes())
        return {"ready": ready, "waiting": len(self.waiting), "reason": reason}

    def refusal(self) -> tuple[bytes, bytes] | None:
        """Why a request that no process is free for cannot wait."""
        if self.reason and not self.is_answering():
            return frames.ABSENT, self.reason.encode()
        return (frames.BUSY, b"") if len(self.waiting) >= WAITING else None

    def forget(self, caller: Caller) -> None:
        """Take a caller who has gone away out of the queue."""
        for queue in (self.waiting, self.asking):
            if caller in queue:
                queue.remove(caller)


if __name__ == "__main__":
    logs.configure()
    outside = socket.socket(fileno=int(sys.argv[1]))
    Keeper(json.loads(sys.argv[2]), outside).run()
