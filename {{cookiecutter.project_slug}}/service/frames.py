"""What passes between the processes: frames, each a kind, a short note and a body."""

import socket
import struct

HEADER = struct.Struct("!cHI")  # kind; length of the note and of the body (bytes)

# What a service process asks for. The keeper answers the first three itself.
FACTS, STATE, CANCEL, PREDICT, BATCH = b"f", b"s", b"c", b"p", b"b"
PART = b"q"  # a part of a batch, which is waited for as long as it takes
# What a model process says.
READY = b"R"  # that it takes requests; the body has the facts about the model
REFUSED = b"X"  # that it cannot start, and why
ANSWER = b"A"  # an answer as JSON; the note has the seed, or how many rows are answered
MIXED = b"M"  # for each row of a batch, or the first of them, the kind and the body of a frame
INVALID = b"I"  # what `Input` refuses, as JSON
MALFORMED = b"J"  # a body that is no JSON, and why
FAULT = b"F"  # the traceback of what the model raised
# What the keeper says in the place of a model process.
BUSY = b"B"  # no process was free in time
TIMEOUT = b"T"  # the prediction took too long
ENDED = b"E"  # how the process ended that was to answer
ABSENT = b"N"  # why no process can answer, now or later


def pack(kind: bytes, body: bytes = b"", note: bytes = b"") -> bytes:
    """Write a frame."""
    return HEADER.pack(kind, len(note), len(body)) + note + body


def unpack(frame: bytes) -> tuple[bytes, bytes, bytes]:
    """Take a frame apart: its kind, its note and its body."""
    kind, note = head(frame)
    return kind, note, frame[HEADER.size + len(note) :]


def head(frame: bytes) -> tuple[bytes, bytes]:
    """The kind and the note of a frame."""
    kind, noted, _ = HEADER.unpack_from(frame)
    return kind, frame[HEADER.size : HEADER.size + noted]


def receive(connection: socket.socket, seconds: float | None = None) -> bytes:
    """Read a frame.

    :raise ConnectionError: if the other side has gone away
    :raise TimeoutError: if it does not begin in time
    """
    if seconds:
        connection.settimeout(seconds)
    data = connection.recv(65536)  # nearly always the whole frame
    if seconds:
        connection.settimeout(None)
    parts, length, whole = [data], len(data), HEADER.size
    while data:
        if whole == HEADER.size and length >= whole:
            parts = [b"".join(parts)]
            whole += sum(HEADER.unpack_from(parts[0])[1:])
        if length >= whole:
            return b"".join(parts)
        data = connection.recv(2**18)
        parts.append(data)
        length += len(data)
    raise ConnectionError("the other side has gone away")
