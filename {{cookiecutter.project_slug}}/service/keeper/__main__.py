"""The keeper: the process that starts the model processes and replaces those that end.

The service starts it: `python -m service.keeper 5 6 '{…}'`. It imports neither the model nor Flask,
and no request passes through it.
"""

import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import deque

from service import frames, logs, machine
from service.files import PROJECT, names
from service.keeper.process import NotReady, Process, Refused

logger = logging.getLogger("service")

PAUSES = (0.5, 1, 2, 4, 8)  # seconds between the tries to start a process that ends while it loads
TURN = 0.2  # seconds between two looks for predictions that take too long
GATHER = 0.03  # seconds in which output is gathered, so that many requests cost one look
PATIENCE = 2  # seconds until the end of a process is known
GRACE = 0.5  # seconds for the model processes to end by themselves at the end of the service


class Keeper:
    """The model processes, and the answers to the questions about them."""

    def __init__(self, settings: dict, queue: socket.socket, door: socket.socket) -> None:
        self.settings, self.queue, self.door = settings, queue, door
        # A process that takes the place of another must run what the fingerprint says.
        self.files = stamps()
        self.processes: set[Process] = set()
        self.ended: deque[Process] = deque(maxlen=100)
        self.cancelled: deque[str] = deque(maxlen=10_000)  # requests for which nobody waits
        self.facts: dict = {}
        self.reason = ""  # the reason why the last process did not get ready
        self.is_known = threading.Event()  # set once the model is loaded or given up
        self.is_leaving = False

    def run(self) -> None:
        """Keep the model processes until the service ends."""
        for work in (self.accept, self.keep):
            threading.Thread(target=work, daemon=True).start()
        # Standard input is a pipe that closes with the service.
        while not frames.is_readable(sys.stdin, seconds=GATHER):
            outputs = [process.output for process in list(self.processes)]
            frames.is_readable(sys.stdin, *outputs, seconds=TURN)
            for process in list(self.processes):
                process.look(self.cancelled)
        self.is_leaving = True
        self.leave(list(self.processes))

    def leave(self, processes: list[Process]) -> None:
        """Let the model processes that are idle end by themselves; kill the others."""
        end = time.monotonic() + GRACE
        for process in processes:
            if process.is_ready and not process.request:
                process.popen.send_signal(signal.SIGINT)
        for process in processes:
            process.end(max(0, end - time.monotonic()))
            process.tidy_up()

    def accept(self) -> None:
        """Take questions, whatever the model has left of files and threads."""
        while True:
            try:
                connection = frames.accepted(self.door)
                threading.Thread(target=self.tell, args=[connection], daemon=True).start()
            except ConnectionError:
                continue
            except (OSError, RuntimeError):  # there is no file, or no thread, to be had
                time.sleep(TURN)

    def tell(self, connection: socket.socket) -> None:
        """Answer one question."""
        with connection, contextlib.suppress(ConnectionError, TimeoutError):
            kind, note, body = frames.receive(connection)
            request, told = note.decode(), ""
            if kind == frames.FACTS:
                self.is_known.wait()
                kind = frames.READY if self.facts else frames.ABSENT
                told = json.dumps(self.facts) if self.facts else self.reason
            elif kind == frames.STATE:
                told = json.dumps(self.state())
            elif kind == frames.CANCEL:
                self.cancelled.append(request)
            elif kind == frames.DONE:
                for process in list(self.processes):  # or none, if it has just been killed
                    if process.popen.pid == int(body):
                        kind = process.finish(request)
            else:
                kind, told = self.outcome(request)
            connection.sendall(frames.pack(kind, told.encode()))

    def outcome(self, request: str) -> tuple[bytes, str]:
        """Say how the process ended that had a request at hand; nothing if none had."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for process in list(self.ended):
                if process.request == request:
                    kind = frames.TIMEOUT if process.is_late else frames.ENDED
                    return kind, process.manner()
            time.sleep(0.01)
        return frames.ENDED, ""

    def state(self) -> dict:
        """Count the processes that are ready, name their requests, or say why none is ready."""
        ready = [process for process in list(self.processes) if process.is_ready]
        requests = [process.request for process in ready if process.request]
        reason = "" if ready else self.reason
        return {"ready": len(ready), "requests": requests, "reason": reason}

    def keep(self) -> None:
        """Start a model process, and another when it has ended; give up after a few failures."""
        pauses = iter(PAUSES)
        while not self.is_leaving:
            try:
                self.live()
                pauses = iter(PAUSES)
            except (NotReady, OSError, RuntimeError) as error:
                is_told = isinstance(error, NotReady)
                self.reason = str(error) if is_told else f"No process could be started: {error}."
                is_final = isinstance(error, Refused) and not self.facts
                pause = None if is_final else next(pauses, None)
                if pause is None or self.is_leaving:
                    break
                logger.warning("%s It is tried again in %s s.", self.reason, pause)
                time.sleep(pause)
        self.is_known.set()

    def live(self) -> None:
        """Start a model process, and wait until it has ended.

        :raise NotReady: if it does not get ready
        :raise OSError, RuntimeError: if it cannot be started
        """
        self.compare(self.files ^ stamps())
        if not self.facts:
            logger.info("The model is loading; then it answers its recorded examples.")
        door = os.fsdecode(self.door.getsockname())
        process = Process(self.settings, self.queue.fileno(), door)
        self.processes.add(process)
        try:
            facts = process.load()
            self.compare(self.files - stamps())  # but the model may have made a file of its own
            self.ready(facts)
            process.popen.wait()
        finally:
            process.end()
            self.ended.append(process)
            self.processes.discard(process)
            process.tidy_up()

    def compare(self, changed: set[tuple]) -> None:
        """Stop where a file is not as it was at the start.

        :raise Refused: if so, with its name
        """
        if changed:
            raise Refused(
                f"{min(changed)[0]} has changed since the start: start the service again."
            )

    def ready(self, facts: dict) -> None:
        """Learn of the first process what the model is, and how many processes fit by its size."""
        self.reason = ""
        if self.facts:
            return
        size = facts["size"]
        wanted = self.settings["PROCESSES"] or machine.fitting(size)
        words = (wanted, machine.cores(), machine.memory() // 10**6, size // 10**6)
        text = "The number of model processes is %d (cores: %d; memory: %d MB; each: %d MB)."
        logger.info(text, *words)
        self.facts, self.files = facts | {"processes": wanted}, stamps()
        self.is_known.set()
        for _ in range(wanted - 1):
            threading.Thread(target=self.keep, daemon=True).start()


def stamps() -> set[tuple[str, float, int]]:
    """The files that the fingerprint is made of: their times of change (s) and sizes (bytes)."""
    found = ((name, (PROJECT / name).stat()) for name in names("model") + names("service"))
    return {(name, file.st_mtime, file.st_size) for name, file in found}


if __name__ == "__main__":
    logs.configure()
    sockets = [socket.socket(fileno=int(number)) for number in sys.argv[1:3]]
    Keeper(json.loads(sys.argv[3]), *sockets).run()
    os._exit(0)
