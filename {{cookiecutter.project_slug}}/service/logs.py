"""The log: every record of the process on standard output, as JSON or for a person to read.

gunicorn.conf.py reads this file by itself, since with PRELOAD=false the model must not be there
yet: it imports nothing of the service.
"""

import contextlib
import json
import logging.config
import sys
from datetime import UTC, datetime

from flask import g, has_request_context

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None


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
        if has_request_context() and "request_id" in g:
            members["request_id"] = g.request_id
        members |= getattr(record, "members", {})
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members)


class TextFormatter(logging.Formatter):
    """A record as text that neither steers the terminal nor passes for another record."""

    def format(self, record: logging.LogRecord) -> str:
        """Write out what cannot be printed, and indent all lines but the first."""
        text = super().format(record)
        shown = (c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
        return "".join(shown).replace("\n", "\n    ")


class LineHandler(logging.StreamHandler):
    """Standard output, where the lines of several workers do not mix.

    The system keeps whole what is written to a pipe at once, but for lines of over 4,096 bytes.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line while no other process does, where the system has such a lock."""
        self.hold("LOCK_EX")
        try:
            super().emit(record)
        finally:
            self.hold("LOCK_UN")

    def hold(self, how: str) -> None:
        """Take or release the lock, which also a killed process releases."""
        with contextlib.suppress(AttributeError, OSError, ValueError):
            fcntl.lockf(self.stream, getattr(fcntl, how))


FORMATTER = TextFormatter if sys.stdout and sys.stdout.isatty() else JSONFormatter
TEXT = "%(asctime)s %(levelname)s %(message)s"
OUTPUT = {"()": LineHandler, "stream": "ext://sys.stdout", "formatter": "line"}
CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": FORMATTER, "fmt": TEXT, "datefmt": "%H:%M:%S"}},
    "handlers": {"output": OUTPUT},
    "root": {"level": "INFO", "handlers": ["output"]},
    # Flask's own server, which is for whoever writes the model, speaks as it always does.
    "loggers": {"gunicorn.error": {"propagate": True}, "werkzeug": {"propagate": False}},
}


def configure() -> None:
    """Send all records there, unless a log is set up already, as it is under Gunicorn."""
    logging.captureWarnings(True)
    if not logging.root.handlers:
        logging.config.dictConfig(CONFIG)
