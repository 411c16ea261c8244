"""A connection from a service process, with one request at a time."""

import time
from typing import TYPE_CHECKING

from service import frames
from service.keeper.link import Link

if TYPE_CHECKING:
    from service.keeper.__main__ import Keeper
    from service.keeper.process import Process


class Caller(Link):
    """Who asks, and waits for the answer."""

    def __init__(self, keeper: "Keeper", connection: object) -> None:
        super().__init__(keeper.selector, connection)
        self.keeper = keeper
        self.process: Process | None = None  # which answers
        self.head = b""  # what has come of a frame that no process has yet
        self.left = 0  # bytes of the frame that have yet to come
        self.kind = self.request = b""
        self.since = 0.0  # when it began to wait

    def received(self, data: bytes) -> None:
        """Begin a request, or pass on more of it; what no process takes any more is thrown away."""
        if self.left:
            self.left -= len(data)
            if self.process:
                self.process.write(data)
            return
        self.head += data
        if len(self.head) < frames.HEADER.size:
            return
        self.kind, noted, length = frames.HEADER.unpack_from(self.head)
        start = frames.HEADER.size + noted
        if len(self.head) >= start:
            self.request = self.head[frames.HEADER.size : start]
            self.left = start + length - len(self.head)
            self.keeper.take(self)

    def wait(self) -> None:
        """Wait for a process; the service process holds the body meanwhile, which it has anyway."""
        self.since = time.monotonic()
        if self.left:
            self.read(False)

    def reply(self, kind: bytes, body: bytes = b"") -> None:
        """Answer in the place of a model process."""
        self.head = b""
        self.write(frames.pack(kind, body))
        self.read(True)

    def lost(self) -> None:
        """Nobody waits for the answer any more: let the process be free for others."""
        self.close()
        self.keeper.forget(self)
        if self.process:
            self.process.interrupt()
