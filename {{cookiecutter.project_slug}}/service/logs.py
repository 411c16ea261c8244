"""The log: every record of a process on standard output, as JSON or for a person to read.

gunicorn.conf.py, the keeper and the service all use it: it imports nothing of the service.
"""

import contextlib
import json
import logging.config
import os
import select
from contextvars import ContextVar
from datetime import UTC, datetime

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None

OUTPUT = 1  # standard output
WHOLE = 4096  # bytes that the system writes into a pipe at once or not at all
PATIENCE = 1000  # milliseconds that the rest of a longer line is waited for
# Tries to take the lock on the output, which another process holds for microseconds: the first
# ones follow at once, and each of the others after a millisecond.
AT_ONCE, TRIES = 100, 200
poll = getattr(select, "poll", None)  # as it is before gevent puts its own in the place

logger = logging.getLogger("service")
request = ContextVar("request", default="")  # the id of the request that is being answered


class JSONFormatter(logging.Formatter):
    """A record as a line of JSON, in ASCII: no character in it can begin another line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time (UTC), level and message, and the request that it belongs to."""
        members = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request.get():
            members["request_id"] = request.get()
        members |= getattr(record, "members", {})
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members)


class TextFormatter(logging.Formatter):
    """A record as text that neither steers the terminal nor passes for another record."""

    def format(self, record: logging.LogRecord) -> str:
        """Write out what cannot be printed, and indent all lines but the first."""
        text = super().format(record)
        if traceback := getattr(record, "members", {}).get("traceback"):
            text += f"\n{traceback.rstrip()}"
        return printable(text).replace("\n", "\n    ")


def printable(text: str) -> str:
    """Write out what would steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


class LineHandler(logging.Handler):
    """Standard output, into which several processes write whole lines.

    A line is lost, and counted, where nobody reads the other end, or another program locks the
    file: no answer waits for the log. A line whose rest is lost ends without a break: a line that
    another process writes next may stand behind it.
    """

    lost = 0  # lines that could not be written
    cut = ""  # what ends one that was written in part

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line while no other process writes: the system writes only short ones at once."""
        text = self.format(record)
        if not (has_room() and self.is_held()):
            self.lost += 1
            return
        if self.lost:
            words = f"{self.lost} lines of the log were lost: nobody read it, or it was locked."
            self.lost = 0
            logger.warning(words)
            self.emit(record)
            return
        line = whole = f"{self.cut}{text}\n".encode()
        with contextlib.suppress(OSError):  # nobody reads it any more
            while line and has_room(PATIENCE):
                line = line[os.write(OUTPUT, line[:WHOLE]) :]
            self.lost += bool(line)
            if line != whole:
                self.cut = "\n" if line else ""
        with contextlib.suppress(AttributeError, OSError):  # the system knows no locks there
            fcntl.lockf(OUTPUT, fcntl.LOCK_UN)

    def is_held(self) -> bool:
        """Take the lock on the output, which also a killed process releases.

        Whoever may read a file may lock it: after a line that is lost, the next waits for no lock.
        """
        for number in range(1 if self.lost else TRIES):
            try:
                fcntl.lockf(OUTPUT, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                poll().poll(int(number > AT_ONCE))
            except (AttributeError, OSError):  # the system knows no locks there
                return True
        return False


def has_room(milliseconds: int = 0) -> bool:
    """Whether the output takes WHOLE bytes now, or within a time."""
    if not poll:
        return True
    writable = poll()
    writable.register(OUTPUT, select.POLLOUT)
    return bool(writable.poll(milliseconds))


def open_streams() -> None:
    """Open the standard streams that are closed, or the next socket would be taken for one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(number, True)


IS_TERMINAL = os.isatty(OUTPUT)  # whether a person reads the log as it is written
FORMATTER = TextFormatter if IS_TERMINAL else JSONFormatter
TEXT = "%(asctime)s %(levelname)s %(message)s"
CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": FORMATTER, "fmt": TEXT, "datefmt": "%H:%M:%S"}},
    "handlers": {"output": {"()": LineHandler, "formatter": "line"}},
    "root": {"level": "INFO", "handlers": ["output"]},
    # Flask's own server, which is for whoever writes the model, speaks as it always does.
    "loggers": {"gunicorn.error": {"propagate": True}, "werkzeug": {"propagate": False}},
}


def configure() -> None:
    """Send all records there, unless a log is set up already, as it is under Gunicorn."""
    logging.captureWarnings(True)
    if not logging.root.handlers:
        logging.config.dictConfig(CONFIG)
