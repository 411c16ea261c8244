"""The pool of model processes: how a service process asks them.

All model processes share one listening socket, the queue. A request is a connection to this
socket. It waits in the queue of the system, first come first served, until a process accepts it.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading

from service import frames
from service.files import PROJECT
from service.frames import Frame
from service.question import Question, connected

WAITING = 1000  # requests that may wait for a process
PROBES = 50  # connections without a request, by which a service process sees whether more may wait
# Seconds that the keeper may take to answer: it waits for the model, or for the end of a process.
PATIENCE, BRIEF = {frames.FACTS: None, frames.ENDED: 10}, 2
ENDING = 5  # seconds that it may take to end
SILENT = "The keeper of the model processes does not answer"
HELD = 50_000_000  # bytes of large bodies that a service process holds for the model processes


class Pool:
    """The model processes, which the keeper starts and replaces."""

    def __init__(self, settings: dict) -> None:
        from service.slots import Slots  # which needs fcntl, and so cannot be on Windows

        self.settings, self.slots = settings, Slots()
        self.held = 0  # bytes of large bodies
        self.probes: set[socket.socket] = set()
        queue, door = listener(), listener()
        self.queue, self.door = queue.getsockname(), door.getsockname()
        files = queue.fileno(), door.fileno()
        with queue, door:
            self.keeper = subprocess.Popen(
                [sys.executable, "-m", "service.keeper", *map(str, files), json.dumps(settings)],
                cwd=PROJECT,
                # Python finds service/ and model/ in this folder, unless this variable is set
                env={name: os.environ[name] for name in os.environ if name != "PYTHONSAFEPATH"},
                stdin=subprocess.PIPE,  # it ends when this process does, in whatever way
                pass_fds=files,
                start_new_session=True,  # Ctrl-C in a terminal is for this process alone
            )
        atexit.register(self.close)  # so that no model process outlives this process
        # A worker that Gunicorn forks asks the keeper too, but must not keep it alive.
        os.register_at_fork(after_in_child=self.keeper.stdin.close)

    def facts(self) -> dict:
        """Wait until the first process is ready, and give the facts about the model.

        :raise SystemExit: if the model cannot be served, with the reason
        """
        kind, _, body = self.told(frames.FACTS)
        if kind != frames.READY:
            self.close()
            sys.exit(body.decode() or "The model processes could not be started.")
        facts = json.loads(body)
        self.slots.number = max(1, facts["processes"] - 1)
        return facts

    def state(self) -> dict:
        """Count the processes that are ready, name the requests, and say why none is taken."""
        state = {"ready": 0, "requests": [], "reason": SILENT} | self.told_state()
        if not (state["ready"] or state["reason"]):
            state["reason"] = "a new model process is loading"
        elif not state["reason"] and self.is_full():
            state["reason"] = "too many predictions wait"
        return state

    def is_full(self) -> bool:
        """Try with a connection whether another one may wait in the queue; it waits there too.

        Only some do so, since one that nobody needs any more takes a place until it is accepted.
        """
        for probe in list(filter(frames.has_ended, self.probes)):
            self.probes.discard(probe)
            probe.close()
        if len(self.probes) < PROBES:
            try:
                probe = connected(self.queue)
            except BlockingIOError:
                return True
            probe.shutdown(socket.SHUT_WR)
            self.probes.add(probe)
        return False

    def told_state(self) -> dict:
        """Ask the keeper how the model processes are; it is empty if there is no answer."""
        return json.loads(self.told(frames.STATE)[2] or "{}")

    def told(self, kind: bytes, note: bytes = b"") -> Frame:
        """Ask the keeper a question; without an answer in time, the frame is empty."""
        try:
            with connected(self.door) as connection:
                connection.settimeout(PATIENCE.get(kind, BRIEF))
                connection.sendall(frames.pack(kind, note=note))
                return frames.receive(connection)
        except OSError:  # it stands still, or ends just now
            return frames.ENDED, b"", b""

    def ask(self, kind: bytes, body: bytes, note: bytes = b"", caller: object = None) -> Frame:
        """Let the next free process answer a request; the note names it in the log.

        :raise CallerHasGone: if the caller's connection ends before the answer comes
        """
        question = Question(self, kind, body, note, caller)
        if kind == frames.PART:  # of a batch whose caller may have gone meanwhile
            question.look()
        if len(body) < frames.LARGE:
            return question.ask()
        if self.held and self.held + len(body) > HELD and kind != frames.PART:
            return frames.BUSY, b"", b""
        self.held += len(body)
        try:
            with self.slots.wait(question.seconds) as question.slot:
                return question.ask()
        except TimeoutError:
            return frames.BUSY, b"", b""
        finally:
            self.held -= len(body)

    def close(self) -> None:
        """End the keeper, and with it the model processes."""
        self.keeper.stdin.close()
        try:
            self.keeper.wait(ENDING)
        except subprocess.TimeoutExpired:  # it stands still; the model processes end with it
            self.keeper.kill()
            self.keeper.wait()


class InProcess:
    """MODEL_PROCESSES=0: the model in this process, where a debugger can stop it."""

    def __init__(self, settings: dict) -> None:
        from service.runner.__main__ import load  # a service process has no model otherwise

        self.lock = threading.Lock()
        self.model, self.told = load(settings)

    def facts(self) -> dict:
        """Give the facts about the model."""
        return self.told | {"processes": 1}

    def state(self) -> dict:
        """Say that it is ready."""
        return {"ready": 1, "requests": [""] * self.lock.locked(), "reason": ""}

    def ask(self, kind: bytes, body: bytes, note: bytes = b"", caller: object = None) -> Frame:
        """Let the model answer."""
        with self.lock:
            return self.model.answer(kind, note, body)

    def close(self) -> None:
        """Leave the model as it is."""


def started(settings: dict) -> Pool | InProcess:
    """Start the model processes, or load the model in this process, by MODEL_PROCESSES."""
    return InProcess(settings) if settings["PROCESSES"] == 0 else Pool(settings)


def listener() -> socket.socket:
    """Open a listening socket; on Linux without a file, since no folder may be writable."""
    found = socket.socket(socket.AF_UNIX)
    found.bind("" if sys.platform == "linux" else f"{tempfile.mkdtemp()}/socket")
    found.listen(WAITING)
    return found
