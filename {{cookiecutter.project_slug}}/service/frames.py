"""The messages between the processes: frames, each of a kind, a short note and a body."""

import os
import select
import socket
import struct
from itertools import accumulate, pairwise

BRIEF = 0.1  # seconds; only a prediction that takes longer is ever interrupted

poll = getattr(select, "poll", None)  # as it is before gevent puts its own in the place

STALL = 5  # seconds without a byte, after which half a frame is given up
LONGEST, SHORT = 2**30, 2**16  # bytes of a frame; of a question for the keeper
LARGE = 100_000  # bytes; of a longer body a process says when it has read it

Frame = tuple[bytes, bytes, bytes]  # kind, note and body
HEADER = struct.Struct("!cHI")  # kind; length of the note and of the body (bytes)
PEER = struct.Struct("3i")  # the ids of a process, of its user and of its group

# Questions for the keeper.
FACTS, STATE = b"f", b"s"
CANCEL = b"c"  # nobody waits any more for the request named in the note
# Requests for a model process.
PREDICT, BATCH = b"p", b"b"
ROWS = b"r"  # a batch of which each row is answered by itself
PART = b"q"  # rows of a batch, joined, which wait as long as it takes
APART = b"t"  # two lists of names and a batch, joined: the batch is only taken apart
END = b"e"  # the service ends
# Answers of a model process.
DONE = b"D"  # to the keeper: a long prediction is over; it is answered by DONE or TIMEOUT
READY = b"R"  # it takes requests; the body has the facts about the model
REFUSED = b"X"  # it cannot start; the body has the reason
READ = b"H"  # the body has been read; an answer follows
ANSWER = b"A"  # an answer as JSON; the note has the seed, or how many rows are answered
MIXED = b"M"  # joined for each row of a batch, or the first of them: the kind and body of a frame
INVALID = b"I"  # the faults that `Input` finds, their number and what was sent, as JSON
DECLINED = b"U"  # the words with which the model itself refuses the input
MALFORMED = b"J"  # the body is no JSON, and why
FAULT = b"F"  # the traceback of an exception in the model
# Outcomes without an answer.
BUSY = b"B"  # no process was free in time
TIMEOUT = b"T"  # the prediction took too long
ENDED = b"E"  # how the process ended; as a question, the one with the request in the note
ABSENT = b"N"  # no process can answer, and why


class Connection(socket.SocketType):
    """A connection to another process of the service, at two thirds of the cost of gevent's.

    Its class is the one that Python has before gevent puts its own in the place; to wait, it calls
    select.poll, in the place of which gevent puts its own in a service process.
    """

    seconds = None  # that a wait may take

    def __enter__(self) -> "Connection":
        """Be closed at the end of a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def settimeout(self, seconds: float | None) -> None:
        """Let each wait take so long, or as long as it takes."""
        self.seconds = seconds

    def wait(self, event: int) -> None:
        """Wait until the connection can be read from, or written to.

        :raise TimeoutError: if this takes too long
        """
        watched = select.poll()
        watched.register(self.fileno(), event)
        if not watched.poll(None if self.seconds is None else 1000 * self.seconds):
            raise TimeoutError

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.send(rest) :]
            except BlockingIOError:
                self.wait(select.POLLOUT)

    def recv(self, *arguments: int) -> bytes:
        """Receive what there is, or what comes in time."""
        try:
            return super().recv(*arguments)
        except BlockingIOError:
            self.wait(select.POLLIN)
        return super().recv(*arguments)


def accepted(listener: socket.socket) -> Connection:
    """Take the next connection; its other end may pause for STALL seconds.

    :raise ConnectionError: if another user has made it, who may do so on Linux
    """
    connection = Connection(fileno=listener.accept()[0].detach())
    connection.setblocking(False)
    connection.settimeout(STALL)
    if hasattr(socket, "SO_PEERCRED"):
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
        if PEER.unpack(data)[1] not in (0, os.geteuid()):
            connection.close()
            raise ConnectionError
    return connection


def is_readable(file: object, seconds: float | None = None) -> bool:
    """Wait until a file or a socket can be read from, or has ended; say whether it can in time."""
    watched = poll()
    watched.register(file, select.POLLIN)
    return bool(watched.poll(None if seconds is None else 1000 * seconds))


def has_ended(connection: socket.socket) -> bool:
    """Check whether the other end has closed a connection, also behind bytes that nobody reads."""
    watched, ends = poll(), getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
    watched.register(connection, select.POLLIN | ends)
    events = dict(watched.poll(0)).get(connection.fileno(), 0)
    return bool(events & ends) or bool(events and not connection.recv(1, socket.MSG_PEEK))


def pack(kind: bytes, body: bytes = b"", note: bytes = b"") -> bytes:
    """Write a frame."""
    return HEADER.pack(kind, len(note), len(body)) + note + body


def join(texts: list[bytes]) -> bytes:
    """Put texts into one body, behind a line with their lengths."""
    return b"%b\n%b" % (b" ".join(b"%d" % len(text) for text in texts), b"".join(texts))


def split(body: bytes) -> list[bytes]:
    """Give the texts in a body."""
    lengths, _, rest = body.partition(b"\n")
    ends = list(accumulate(map(int, lengths.split()), initial=0))
    return [rest[start:end] for start, end in pairwise(ends)]


def receive(connection: socket.socket, most: int = LONGEST, begun: bytes = b"") -> Frame:
    """Read a frame: its kind, its note and its body, with all that came behind it.

    What came behind the frame before it is how this one has begun.

    :raise ConnectionError: if the other side has gone away, stops half way or sends too much
    :raise TimeoutError: if the frame does not begin within the timeout of the connection
    """
    data = begun or connection.recv(65536)  # nearly always the whole frame
    parts, length, whole = [data], len(data), HEADER.size
    while data:
        if whole == HEADER.size and length >= whole:
            parts = [b"".join(parts)]
            kind, noted, size = HEADER.unpack_from(parts[0])
            whole += noted + size
            if whole > most:
                break
        if length >= whole:
            frame, start = b"".join(parts), HEADER.size + noted
            return kind, frame[HEADER.size : start], frame[start:]
        connection.settimeout(STALL)
        try:
            data = connection.recv(2**18)
        except TimeoutError:
            break
        parts.append(data)
        length += len(data)
    raise ConnectionError("the other side has gone away")
