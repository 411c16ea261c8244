"""The messages between the processes: frames, each of a kind, a short note and a body."""

import os
import select
import socket
import struct
import time
from contextlib import suppress
from itertools import accumulate, pairwise

BRIEF = 0.1  # seconds; only a prediction that takes longer is ever interrupted

poll = getattr(select, "poll", None)  # as it is before gevent puts its own in the place

STALL = 5  # seconds without a byte, after which half a frame is given up
PIECE = 2**18  # bytes of a frame that are sent or received at once
LARGE = 100_000  # bytes; of a longer body a process says when it has read it
PAUSE = 1e-6  # seconds; in a pause of none, gevent looks for no new requests

Frame = tuple[bytes, bytes, bytes]  # kind, note and body
HEADER = struct.Struct("!cHI")  # kind; length of the note and of the body (bytes)
PEER = struct.Struct("3i")  # the ids of a process, of its user and of its group

# Questions for the keeper.
FACTS, STATE = b"f", b"s"
CANCEL = b"c"  # nobody waits any more for the request named in the note
# Requests for a model process.
PREDICT = b"p"
BATCH = b"b"  # how to answer, as JSON, and an array, joined
PART = b"q"  # how to answer, and rows of a batch, joined, which wait as long as it takes
APART = b"t"  # two lists of names and a batch, joined: the batch is only taken apart
# Answers of a model process.
DONE = b"D"  # to the keeper: a long prediction is over; it answers DONE, CANCEL or TIMEOUT
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


def accepted(listener: socket.socket) -> socket.socket:
    """Take the next connection; its other end may pause for STALL seconds.

    :raise ConnectionError: if another user has made it, who may do so on Linux
    """
    connection, _ = listener.accept()
    connection.settimeout(STALL)
    if hasattr(socket, "SO_PEERCRED"):
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
        if PEER.unpack(data)[1] not in (0, os.geteuid()):
            connection.close()
            raise ConnectionError
    return connection


def is_readable(*files: object, seconds: float) -> bool:
    """Wait until one of some files can be read from, or has ended; say whether one can in time."""
    watched = poll()
    for file in files:
        watched.register(file, select.POLLIN)
    return bool(watched.poll(1000 * seconds))


def has_ended(connection: socket.socket) -> bool:
    """Check whether a connection is closed, also behind bytes that nobody reads."""
    watched, ends = poll(), getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
    try:
        watched.register(connection, select.POLLIN | ends)
        events = dict(watched.poll(0)).get(connection.fileno(), 0)
        return bool(events & ends) or bool(events and not connection.recv(1, socket.MSG_PEEK))
    except (OSError, ValueError):
        return True


def pack(kind: bytes, body: bytes = b"", note: bytes = b"") -> bytes:
    """Write a frame."""
    return HEADER.pack(kind, len(note), len(body)) + note + body


def send(connection: socket.socket, frame: bytes) -> None:
    """Send a frame in parts, each of which may take as long as the timeout of the connection."""
    for start in range(0, len(frame), PIECE):
        connection.sendall(frame[start : start + PIECE])


def join(texts: list[bytes]) -> bytes:
    """Put texts into one body, behind a line with their lengths."""
    return b"%b\n%b" % (b" ".join(b"%d" % len(text) for text in texts), b"".join(texts))


def split(body: bytes) -> list[bytes]:
    """Give the texts in a body."""
    lengths, _, rest = body.partition(b"\n")
    ends = list(accumulate(map(int, lengths.split()), initial=0))
    return [rest[start:end] for start, end in pairwise(ends)]


def receive(connection: socket.socket) -> Frame:
    """Read a frame: its kind, its note and its body.

    :raise ConnectionError: if the other side has gone away, or stops half way
    :raise TimeoutError: if the frame does not begin within the timeout of the connection
    """
    begun = connection.recv(HEADER.size)
    kind, noted, size = HEADER.unpack(begun + rest(connection, HEADER.size - len(begun)))
    data = rest(connection, noted + size)
    if size > PIECE:
        time.sleep(PAUSE)  # others have their turn: that copied it
    return kind, data[:noted], data[noted:]


def rest(connection: socket.socket, size: int) -> bytes:
    """Read so many bytes of a frame that has begun.

    :raise ConnectionError: if they do not come
    """
    parts = []
    while size:
        connection.settimeout(STALL)
        data = b""
        with suppress(TimeoutError):
            data = connection.recv(min(size, PIECE))
        if not data:
            raise ConnectionError("the other side has gone away")
        parts.append(data)
        size -= len(data)
    return b"".join(parts)
