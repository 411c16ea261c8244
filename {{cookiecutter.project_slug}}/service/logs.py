"""The log: every record of the process on standard output, as JSON or for a person to read."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

from flask import g, has_request_context


def configure() -> None:
    """Send all records there: one line of JSON each, or plain text if a terminal shows them."""
    terminal = sys.stdout and sys.stdout.isatty()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(TextFormatter() if terminal else JSONFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("gunicorn.error").propagate = True
    logging.getLogger("werkzeug").addFilter(tidy)


class JSONFormatter(logging.Formatter):
    """A record as a line of JSON, in ASCII: no character in it can begin another line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level and message, and the request that it belongs to."""
        time = datetime.fromtimestamp(record.created, UTC)
        members = {
            "time": time.isoformat(timespec="milliseconds"),
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

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Write out what cannot be printed, and indent all lines but the first."""
        text = super().format(record)
        shown = (c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
        return "".join(shown).replace("\n", "\n    ")


def tidy(record: logging.LogRecord) -> bool:
    """Take the colours from Flask's own server, and its line per request, which has ours beside."""
    record.msg = re.sub(r"\x1b\[\d*m", "", record.msg)
    return " - - [" not in record.msg
