"""A model process: `model/` alone, in the main thread of a fresh interpreter.

The keeper starts it, with one end of a socket pair: `python -m service.runner 5 '{…}'`.
"""

import contextlib
import inspect
import json
import signal
import socket
import sys
import time
from pathlib import Path

from service import frames, machine
from service.proof import examples
from service.runner.answers import Model, traced
from service.runner.contract import exported
from service.runner.schemas import schemas
from service.runner.strict import probe


def main() -> None:
    """Load the model, say that it is ready, and answer one request after the other."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.setblocking(True)
    settings = json.loads(sys.argv[2])
    # Where memory runs out, the kernel kills one process: this one, which is replaced.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    try:
        model, facts = load(settings)
    except SystemExit as refusal:
        if not isinstance(refusal.code, str):  # of the model's own: it ends, and the keeper says so
            raise
        send(connection, frames.REFUSED, refusal.code.encode())
        sys.exit(1)
    except BaseException as error:
        send(connection, frames.REFUSED, traced(error))
        sys.exit(1)
    with contextlib.suppress(ConnectionError):  # the service has ended
        send(connection, frames.READY, json.dumps(facts).encode())
        while True:
            request = frames.unpack(frames.receive(connection))
            kind, note, body = interruptible(model, *request)
            send(connection, kind, body, note)


def load(settings: dict) -> tuple[Model, dict]:
    """The model, loaded and proven by its recorded examples, and what to tell about it."""
    probe()
    contract, start = exported(), time.perf_counter()
    try:
        if contract.load:
            contract.load()
    except Exception as error:
        error.add_note("load() of model/__init__.py failed: correct it, or what it reads.")
        raise
    loaded = time.perf_counter() - start
    model = Model(contract, settings["BATCH_ROWS"])
    if settings["CHECK"]:
        examples.check(lambda request: model.answer(frames.PREDICT, b"", request))
    return model, {
        "about": inspect.getdoc(contract.predict) or "",
        "draws": model.seeds is not None,
        "load_seconds": loaded,
        "size": machine.size(),
        **schemas(contract),
    }


def interruptible(model: Model, *request: bytes) -> tuple[bytes, bytes, bytes]:
    """Answer a request; meanwhile SIGINT raises KeyboardInterrupt, as it does in any program.

    The keeper sends it when the prediction takes too long or nobody waits for it any more. At
    other times it is ignored: it would break a frame, or meet the next request.
    """
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return model.answer(*request)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return frames.FAULT, b"", traced(error)


def send(connection: socket.socket, kind: bytes, body: bytes, note: bytes = b"") -> None:
    """Send a frame, once all that the model has printed is on its way."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # the model closed it
            stream.flush()
    connection.sendall(frames.pack(kind, body, note))


if __name__ == "__main__":
    main()
