"""A frame arrives as it was sent, in however many pieces; half of one is an error."""

import socket
import threading

import pytest

from service import frames


@pytest.fixture
def pair():
    """Two connected sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 70_000, b"\0\xff" * 1_000_000], ids=len)
@pytest.mark.parametrize("note", [b"", b"4711"])
@pytest.mark.parametrize("size", [1_000_000, 1000, 7])
def test_a_frame_arrives_as_it_was_sent(pair, note, body, size):
    frame, (ours, theirs) = frames.pack(frames.ANSWER, body, note), pair
    pieces = [frame[start : start + size] for start in range(0, min(len(frame), 100 * size), size)]
    pieces.append(frame[100 * size :])

    def send() -> None:
        for piece in pieces:
            ours.sendall(piece)

    sender = threading.Thread(target=send)
    sender.start()
    received = frames.receive(theirs)
    sender.join()
    assert received == (frames.ANSWER, note, body)


@pytest.mark.parametrize("length", [0, 1, 6, 7, 8, 11])
def test_half_a_frame_is_an_error(pair, length):
    ours, theirs = pair
    ours.sendall(frames.pack(frames.PREDICT, b'{"value": 2}', b"id")[:length])
    ours.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError):
        frames.receive(theirs)


def test_one_that_does_not_begin_in_time_is_waited_for_no_longer(pair):
    pair[1].settimeout(0.01)
    with pytest.raises(TimeoutError):
        frames.receive(pair[1])
