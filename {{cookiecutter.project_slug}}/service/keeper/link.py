"""A connection of the keeper's: it reads what comes, and never waits for the other side."""

import selectors
import socket

CHUNK = 2**18  # bytes read at once


class Link:
    """One end of a socket pair, watched by a selector."""

    def __init__(self, selector: selectors.BaseSelector, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.selector, self.connection = selector, connection
        self.unsent = b""
        self.events = selectors.EVENT_READ
        selector.register(connection, self.events, self.happened)

    def happened(self, events: int) -> None:
        """Read what has come, and send on what is left to send."""
        if events & selectors.EVENT_WRITE:
            unsent, self.unsent = self.unsent, b""
            self.write(unsent)
        if events & selectors.EVENT_READ:
            try:
                data = self.connection.recv(CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                self.received(data)
            else:
                self.lost()

    def write(self, data: bytes) -> None:
        """Send as much as the other side takes now, and the rest later."""
        if not self.unsent:
            try:
                data = data[self.connection.send(data) :]
            except BlockingIOError:
                pass
            except OSError:
                return  # it has gone away, and the next reading will tell
        self.unsent += data
        if bool(self.unsent) != bool(self.events & selectors.EVENT_WRITE):
            self.watch(self.events ^ selectors.EVENT_WRITE)

    def read(self, is_wanted: bool) -> None:
        """Read on, or leave what comes where it is."""
        if is_wanted != bool(self.events & selectors.EVENT_READ):
            self.watch(self.events ^ selectors.EVENT_READ)

    def watch(self, events: int) -> None:
        """Let the selector watch for these events from now on."""
        if self.events:
            self.selector.unregister(self.connection)
        self.events = events
        if events:
            self.selector.register(self.connection, events, self.happened)

    def close(self) -> None:
        """End the connection."""
        self.watch(0)
        self.connection.close()

    def received(self, data: bytes) -> None:
        """Take what has come."""
        raise NotImplementedError

    def lost(self) -> None:
        """Hear that the other side has gone away."""
        raise NotImplementedError
