"""A frame arrives as it was sent, in however many pieces; half of one is an error."""

import os
import socket
import threading
from types import SimpleNamespace

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


@pytest.mark.parametrize("texts", [[], [b""], [b"", b"1 2\n", b""], [b"{}"] * 10_000], ids=len)
def test_texts_come_out_of_a_body_as_they_were_put_in(texts):
    assert frames.split(frames.join(texts)) == texts


@pytest.mark.parametrize("length", [0, 1, 6, 7, 8, 11])
def test_half_a_frame_is_an_error(pair, length):
    ours, theirs = pair
    ours.sendall(frames.pack(frames.PREDICT, b'{"value": 2}', b"id")[:length])
    ours.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError):
        frames.receive(theirs)


@pytest.mark.parametrize(
    ("user", "own", "is_taken"),
    [(1000, 1000, True), (0, 1000, True), (1001, 1000, False), (1001, 0, False)],
)
def test_a_connection_of_another_user_is_not_taken(monkeypatch, user, own, is_taken):
    peer = SimpleNamespace(size=12, unpack=lambda data: (1, user, 1))
    monkeypatch.setattr(frames, "PEER", peer)
    monkeypatch.setattr(os, "geteuid", lambda: own)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind("")
        listener.listen()
        client.connect(listener.getsockname())
        if is_taken:
            frames.accepted(listener).close()
        else:
            with pytest.raises(ConnectionError):
                frames.accepted(listener)
        assert client.recv(1) == b""


def test_one_that_stops_half_way_is_waited_for_no_longer(pair, monkeypatch):
    monkeypatch.setattr(frames, "STALL", 0.01)
    pair[0].sendall(frames.pack(frames.PREDICT, b"{}")[:-1])
    with pytest.raises(ConnectionError):
        frames.receive(pair[1])


@pytest.mark.parametrize("rest", [b"", b"G"])
def test_an_end_is_seen_also_behind_bytes_that_nobody_reads(pair, rest):
    ours, theirs = pair
    ours.sendall(rest)
    assert not frames.has_ended(theirs)
    ours.close()
    assert frames.has_ended(theirs)


def test_one_that_does_not_begin_in_time_is_waited_for_no_longer(pair):
    pair[1].settimeout(0.01)
    with pytest.raises(TimeoutError):
        frames.receive(pair[1])
