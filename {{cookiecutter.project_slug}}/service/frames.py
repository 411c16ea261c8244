"""What passes between the processes: frames, each a kind, a short note and a body."""

import socket
import struct
from collections.abc import Callable

HEADER = struct.Struct("!cHI")  # kind; length of the note and of the body (bytes)

# What a service process asks for. The keeper answers the first two itself.
FACTS, STATE, PREDICT, BATCH = b"f", b"s", b"p", b"b"
PART = b"q"  # a part of a batch, which is waited for as long as it takes
# What a model process says.
READY = b"R"  # that it takes requests; the body has the facts about the model
REFUSED = b"X"  # that it cannot start, and why
ANSWER = b"A"  # an answer as JSON; the note has the seed, or how many rows are answered
MIXED = b"M"  # for each row of a batch, or the first of them, the kind and the body of a frame
INVALID = b"I"  # what `Input` refuses, as JSON
MALFORMED = b"J"  # a body that is no JSON, and why
LONG = b"L"  # a batch of too many rows
FAULT = b"F"  # the traceback of what the model raised
# What the keeper says in the place of a model process.
BUSY = b"B"  # no process was free in time
TIMEOUT = b"T"  # the prediction took too long
ENDED = b"E"  # how the process ended that was to answer
ABSENT = b"N"  # why no process can answer, now or later


def pack(kind: bytes, body: bytes = b"", note: bytes = b"") -> bytes:
    """Write a frame."""
    return HEADER.pack(kind, len(note), len(body)) + note + body


def receive(
    connection: socket.socket, meanwhile: Callable[[], None] = bool, every: float | None = None
) -> tuple[bytes, bytes, bytes]:
    """Read a frame: its kind, its note and its body; call `meanwhile` as long as nothing comes.

    :raise ConnectionError: if the other side has gone away
    """
    data = b""
    connection.settimeout(every)
    while not data:
        try:
            data = more(connection, 65536)  # nearly always the whole frame
        except TimeoutError:
            meanwhile()
    connection.settimeout(None)
    while len(data) < HEADER.size:
        data += more(connection)
    kind, noted, length = HEADER.unpack_from(data)
    start = HEADER.size + noted
    missing = start + length - len(data)
    if missing > 0:
        parts = [data]
        while missing > 0:
            parts.append(more(connection))
            missing -= len(parts[-1])
        data = b"".join(parts)
    return kind, data[HEADER.size : start], data[start:]


def more(connection: socket.socket, most: int = 2**20) -> bytes:
    """Read on in a frame.

    :raise ConnectionError: if the other side has gone away
    """
    data = connection.recv(most)
    if not data:
        raise ConnectionError("the other side has gone away")
    return data
