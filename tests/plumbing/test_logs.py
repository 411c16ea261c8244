"""A record is one line of JSON, or text that a terminal shows as it is, whatever is in it."""

import json
import logging
from contextvars import Context
from datetime import UTC, datetime, timedelta

import pytest

from service.logs import TEXT, JSONFormatter, TextFormatter, request

FORGED = 'a\nb\r\x1b[2J"\\\u2028\u0085\ud800\u202e{"level": "ERROR"}'


def record(message: str, *values: object, failed: BaseException | None = None) -> logging.LogRecord:
    """A record as the service or a library makes one."""
    about = failed and (type(failed), failed, failed.__traceback__)
    return logging.LogRecord("model", logging.INFO, "model.py", 1, message, values, about)


@pytest.mark.parametrize("message", ["plain", "", FORGED, "é 🚀"])
def test_a_record_is_one_line_of_json(message):
    line = JSONFormatter().format(record("%s", message))
    assert line.isascii() and line.isprintable()
    found = json.loads(line)
    assert (found["message"], found["level"], found["logger"]) == (message, "INFO", "model")


def test_the_time_is_of_the_record_in_utc():
    made = record("now")
    time = datetime.fromisoformat(json.loads(JSONFormatter().format(made))["time"])
    assert time.utcoffset() == timedelta(0)
    assert abs(time - datetime.fromtimestamp(made.created, UTC)) < timedelta(milliseconds=2)


def test_a_traceback_stands_in_the_line_of_its_record():
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        line = JSONFormatter().format(record("predict failed", failed=error))
    assert line.isprintable()
    assert json.loads(line)["traceback"].startswith("Traceback (most recent call last)")


def test_text_steers_no_terminal_and_passes_for_no_other_record():
    first, *others = TextFormatter(TEXT).format(record("%s", FORGED)).split("\n")
    assert first.endswith(" INFO a") and all(line.startswith("    ") for line in others)
    assert "".join([first, *others]).isprintable()


def test_the_traceback_of_a_model_process_is_shown_in_either_way():
    made = record("The model failed.")
    made.members = {"traceback": f"Traceback\nValueError: {FORGED}\n"}
    line = JSONFormatter().format(made)
    assert line.isprintable() and json.loads(line)["traceback"] == made.members["traceback"]
    first, second, *others = TextFormatter(TEXT).format(made).split("\n")
    assert first.endswith("The model failed.") and second == "    Traceback"
    assert "".join(others).isprintable() and all(line.startswith("    ") for line in others)


def test_a_record_of_a_request_names_it():
    def formatted(names: bool) -> dict:
        if names:
            request.set("mine")
        return json.loads(JSONFormatter().format(record("x")))

    assert Context().run(formatted, True)["request_id"] == "mine"
    assert "request_id" not in Context().run(formatted, False)
