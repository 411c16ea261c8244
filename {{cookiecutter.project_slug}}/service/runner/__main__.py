"""A model process: `model/` alone, in the main thread of a fresh interpreter.

The keeper starts it: `python -m service.runner 5 6 '{…}'`, with the socket at which it takes
requests, one end of a socket pair whose other end the keeper holds, and all else as JSON.
"""

import contextlib
import gc
import inspect
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial

from pydantic import ValidationError, create_model

from service import frames, logs, machine
from service.frames import Frame
from service.proof import examples
from service.runner.answers import Model, traced
from service.runner.contract import exported
from service.runner.schemas import schemas
from service.runner.strict import reader, writer

INNER = create_model("Inner", number=(float, ...), data=(bytes, ...))
PROBE = create_model("Probe", inner=(list[INNER], ...))  # what a model may nest


class Log:
    """The output of this process, in which lines with the mark name the request at hand."""

    def __init__(self, mark: str) -> None:
        self.mark, self.file = mark.encode(), os.dup(1)

    def begin(self, request: bytes) -> None:
        """Let the lines that follow belong to a request."""
        os.write(self.file, b"\n%b%b\n" % (self.mark, request))

    def end(self) -> None:
        """Let all that the model has printed belong to the request, and nothing that follows."""
        logs.open_streams()  # or the next request would come in the place of one that it has closed
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):  # the model closed it
                stream.flush()
        self.begin(b"")


def main() -> None:
    """Load the model, say that it is ready, and answer requests."""
    queue, keeper = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    end_with(keeper)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which `gunicorn &` would ignore
    for file in (queue, keeper):
        os.set_inheritable(file.fileno(), False)  # programs that the model starts get none
    told = json.loads(sys.argv[3])
    log = Log(told["mark"])
    try:
        model, facts = load(told["settings"])
    except BaseException as error:
        reason = traced(error)
        if isinstance(error, SystemExit):
            if not isinstance(error.code, str):  # the model's own exit, not a sentence
                raise
            reason = error.code.encode()
        keeper.sendall(frames.pack(frames.REFUSED, reason))
        sys.exit(1)
    model.is_awaited = partial(frames.is_readable, queue, seconds=0)
    gc.collect()
    gc.freeze()  # what is loaded stays: the collector need not look through it after each batch
    # No page can hold a lone surrogate, which may be in a docstring.
    ready = json.dumps(facts, ensure_ascii=False).encode(errors="replace")
    keeper.sendall(frames.pack(frames.READY, ready))
    with contextlib.suppress(KeyboardInterrupt):  # of the keeper, when the service ends
        answer_all(queue, keeper, partial(serve, told["door"], model, log))


def answer_all(queue: socket.socket, keeper: socket.socket, answer: Callable) -> None:
    """Answer one request after the other, until the service ends."""
    own = [queue, keeper]
    os.register_at_fork(after_in_child=partial(forget, own))
    is_over = contextlib.suppress(ConnectionError, TimeoutError)
    while True:
        with is_over, frames.accepted(queue) as connection:  # the service process may be gone
            own[2:] = [connection]
            answer(connection, frames.receive(connection))


def forget(own: list[socket.socket]) -> None:
    """Close the sockets in a process that the model forks: it answers nobody."""
    for one in own:
        one.close()


def serve(door: str, model: Model, log: Log, connection: socket.socket, request: Frame) -> None:
    """Answer a request."""
    if frames.has_ended(connection):
        return
    begun, name = time.monotonic(), request[1]
    answer, outcome = (frames.FAULT, b"", b"KeyboardInterrupt"), frames.DONE
    model.tell = partial(connection.sendall, frames.pack(frames.READ))
    log.begin(name)
    try:
        answer = model.answer(*request)
        outcome = finished(door, name) if time.monotonic() > begun + frames.BRIEF else outcome
    except KeyboardInterrupt:  # the prediction had just ended
        outcome = finished(door, name)
    if connection.fileno() < 0:  # this is a process that the model has forked, at its end
        os._exit(0)
    log.end()
    kind, note, body = (frames.TIMEOUT, b"", b"") if outcome == frames.TIMEOUT else answer
    try:
        frames.send(connection, frames.pack(kind, body, note))
    finally:
        if outcome != frames.DONE:  # what the model was changing may be half done
            os._exit(0)
    if len(request[2]) + len(body) // 10 >= frames.LARGE:
        machine.give_back()


def finished(door: str, name: bytes) -> bytes:
    """Tell the keeper that a prediction has ended, and learn whether it was stopped, and why.

    From then on the keeper interrupts nothing, so that no interrupt meets the next prediction. It
    interrupts none that ends sooner than after frames.BRIEF.
    """
    silent = contextlib.suppress(TimeoutError, BlockingIOError)
    with silent, socket.socket(socket.AF_UNIX) as keeper:
        keeper.settimeout(frames.STALL)
        keeper.connect(door)
        keeper.sendall(frames.pack(frames.DONE, b"%d" % os.getpid(), name))
        return frames.receive(keeper)[0]
    return frames.DONE


def end_with(keeper: socket.socket) -> None:
    """End at once when the keeper does: its end of the socket pair closes, and SIGIO comes."""
    import fcntl

    fcntl.fcntl(keeper, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(keeper, fcntl.F_SETFL, fcntl.fcntl(keeper, fcntl.F_GETFL) | os.O_ASYNC)


def load(settings: dict) -> tuple[Model, dict]:
    """Load the model and check its recorded examples; give it and the facts about it."""
    probe()
    contract = exported()
    described, start = schemas(contract), time.perf_counter()
    try:
        if contract.load:
            contract.load()
    except Exception as error:
        error.add_note("load() of model/__init__.py failed: correct it, or what it reads.")
        raise
    loaded = time.perf_counter() - start
    model = Model(contract, settings["BATCH_ROWS"])
    if settings["CHECK"]:
        examples.check(lambda kind, body: model.answer(kind, b"", body))
    return model, {
        "about": inspect.getdoc(contract.predict) or "",
        "method": inspect.getdoc(inspect.getmodule(contract.predict) or contract.Input) or "",
        "draws": model.seeds is not None,
        "load_seconds": loaded,
        "size": machine.size(),
        **described,
    }


def probe() -> None:
    """Stop the start where this pydantic lets a nested number that is not finite by, or bytes."""
    text, found = '{"inner":[{"number":%s,"data":"+/+/"}]}', []
    for number in ("1.5", "NaN"):
        with contextlib.suppress(ValidationError):
            read = reader(PROBE)(text % number)
            found += [read.inner[0].data, writer(PROBE).to_json(read).decode()]
    if found != [b"\xfb\xff\xbf", text % "1.5"]:
        sys.exit("This version of pydantic reads nested numbers or bytes otherwise: take another.")


if __name__ == "__main__":
    main()
