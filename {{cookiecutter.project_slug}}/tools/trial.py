"""`make try`: serves the model while it is being written, in one process.

A saved change is loaded at once, and `breakpoint()` stops in this terminal. What stops a real start
is only shown here: a changed answer, an example without its answer, a model that does not load.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, is_running_from_reloader, run_simple
from werkzeug.wrappers import Response

from service import logs
from service.application import create_app
from service.pool import InProcess
from service.proof.examples import NONE, examples, faults, recorded
from service.runner.answers import traced
from service.settings import port, settings, stop_if_in_use
from tools.environment import turn

PROJECT = Path(__file__).resolve().parents[1]
SETTINGS = {"PROCESSES": 0, "CHECK": False}
RELOAD = 3  # the exit code with which a process of Werkzeug asks for the next one


class Handler(WSGIRequestHandler):
    """Answers a request, without a second line in the log for it."""

    def log_request(self, *_: object) -> None:
        """Leave the line to the service."""


def main() -> None:
    """Serve at PORT until Ctrl-C; the process that reloads loads no model itself."""
    address = "127.0.0.1", port()
    logs.configure()
    if not is_running_from_reloader():
        stop_if_in_use(address[1])
    else:
        threading.Thread(target=reload_at_a_new_file, args=[files()], daemon=True).start()
    try:
        run_simple(
            *address,
            served() if is_running_from_reloader() else None,
            request_handler=Handler,
            use_reloader=True,
            reloader_type="stat",
            extra_files=files(),
            exclude_patterns=[f"{PROJECT}/.venv/*", f"{PROJECT}/tests/*"],
        )
    except SystemExit as end:
        if end.code == RELOAD:
            with turn():
                pass  # the next process needs a .venv that is whole
        raise


def files() -> set[str]:
    """Give the files of model/, but for those that Python and editors leave behind."""
    found = [path for path in (PROJECT / "model").rglob("[!.]*") if path.is_file()]
    return {str(path) for path in found if path.suffix != ".pyc" and path.name[-1] != "~"}


def reload_at_a_new_file(known: set[str]) -> None:
    """End this process with the code that asks for another when a file comes or goes."""
    while files() == known:
        time.sleep(1)
    with turn():
        os._exit(RELOAD)


def served() -> Callable:
    """Give the service, or what says why there is none."""
    try:
        model = InProcess(settings(SETTINGS))
        found = [] if recorded() else [NONE]
        os.environ["PYTHONBREAKPOINT"] = "0"  # a breakpoint is for the requests that are made here
        show("\n".join(found + faults(examples(), model.ask)))
        del os.environ["PYTHONBREAKPOINT"]
        return create_app(SETTINGS, pool=model)
    except (Exception, SystemExit) as error:
        sentence = error.code if isinstance(error, SystemExit) else None
        reason = sentence if isinstance(sentence, str) else traced(error).decode().rstrip()
    show(f"{reason}\nThe model is not served. It is tried again when a file of it is saved.")
    return Response(f"{reason}\n", 503, mimetype="text/plain")


def show(text: str) -> None:
    """Write a block that stands apart from the log."""
    if text:
        print(f"\n{text}\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
