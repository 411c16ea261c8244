"""The one table of settings; the variable MODEL_<NAME> in the environment changes one."""

import json
import logging
import os
import re
import socket
import sys
from collections.abc import Mapping
from difflib import get_close_matches

logger = logging.getLogger(__name__)

IS_WINDOWS = sys.platform == "win32"
HOUR, MOST = 3600, 10**9  # seconds; the largest of all numbers
LIKENESS = 0.7  # to a setting, of a name that is taken for it misspelt: 1 is the same
PORT = "{{ cookiecutter.port }}"  # where the service listens, if the variable PORT says nothing

SETTINGS = {
    "MAX_CONTENT_LENGTH": 10_000_000,  # bytes; a longer body is answered with 413
    "BATCH_ROWS": 10_000,  # rows of a batch; more are answered with 413
    # Processes that run the model, each one prediction at a time. None means one a core, as far as
    # they fit into the memory; 0 runs the model in the process of Flask's own server, for a
    # debugger, and on Windows, where processes cannot share a socket so.
    "PROCESSES": 0 if IS_WINDOWS else None,
    "TIMEOUT": 600,  # seconds for a prediction; a longer one is stopped and answered with 504
    "WAIT": 5,  # seconds for which a prediction waits for a free process; then it is a 503
    # Seconds without a byte, after which a client that sends or receives is cut off; in so many its
    # headers must be there, and a body, or an answer, must be whole in those of TRANSFER.
    "SILENCE": 30,
    "TRANSFER": 300,
    # Whose pages may read the answers in a visitor's browser: origins such as
    # https://example.org with spaces between, * for all, none for none. All may, since no
    # answer depends on a cookie or a password; where only a network guards the service, name them.
    "CORS_ORIGINS": "*",
    "CHECK": True,  # whether the recorded examples must give their answers before the port opens
}


def settings(own: Mapping = {}) -> dict:
    """Read the settings: the defaults, then the environment, then one's own.

    :raise SystemExit: if a value is not possible
    """
    found = dict(SETTINGS)
    for name in SETTINGS:
        if (text := os.environ.get(f"MODEL_{name}", "")) != "":
            try:
                found[name] = json.loads(text)
            except ValueError:
                found[name] = text
    found |= own
    for name, value in found.items():
        check(name, value)
    return found


def warn() -> None:
    """Write into the log which variables may be settings whose names are misspelt."""
    for name in sorted(os.environ):
        kind, _, own = name.partition("_")
        near = get_close_matches(own.upper(), SETTINGS, 1, LIKENESS) if kind == "MODEL" else []
        if near and own not in SETTINGS:
            logger.warning("%s is no setting, and changes nothing: write MODEL_%s.", name, *near)


def port() -> int:
    """Read the variable PORT.

    :raise SystemExit: if it is no port
    """
    text = os.environ.get("PORT", PORT)
    if not (text.isdecimal() and 0 < int(text) < 65536):
        sys.exit(f"PORT={text!r} is no port: write a number such as {PORT}.")
    return int(text)


def stop_if_in_use(port: int) -> None:
    """Stop with a sentence if another program has the port of this machine.

    :raise SystemExit: if it answers there
    """
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return  # nothing answers there: the port is free
    culprit = "the AirPlay Receiver or another program" if sys.platform == "darwin" else "a program"
    sys.exit(f"Port {port} is in use by {culprit}: stop it, or choose PORT={port + 1}.")


def check(name: str, value: object) -> None:
    """Stop with a sentence if a value is not possible."""
    default, said = SETTINGS[name], f"MODEL_{name}={value!r:.100}"
    if name == "PROCESSES":
        if value is not None and (type(value) is not int or not 0 <= value <= 1000):
            sys.exit(f"{said} is no number of processes: write one such as 2.")
    elif type(value) is not type(default) or (type(value) is int and not 1 <= value <= MOST):
        sys.exit(f"{said} is not a value like {json.dumps(default)}.")
    if name == "WAIT" and value > HOUR:
        sys.exit(f"{said} is more than an hour: write seconds.")
    for origin in value.split() if name == "CORS_ORIGINS" else []:
        if not re.fullmatch(r"\*|none|https?://[^\s,/?#]+", origin):
            sys.exit(f"MODEL_CORS_ORIGINS: {origin!r} is neither * nor like https://example.org.")
