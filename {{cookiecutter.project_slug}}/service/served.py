"""The model as a service process knows it: its fields, and how to ask it."""

import json
import logging
import re
from collections.abc import Mapping
from itertools import chain

from flask import request
from werkzeug.exceptions import HTTPException, InternalServerError, default_exceptions

from service import frames, logs
from service.errors import InvalidInput
from service.fields import Field, fields_of
from service.frames import Frame
from service.pool import InProcess, Pool
from service.schema import Schemas, others
from service.words import Texts, shorten

logger = logging.getLogger("model")

LAST_FRAME = re.compile(r"(?m)^ +File .*\n(?:    .*\n)*")  # in a traceback, before its words
LONGEST = 10_000  # characters of a sentence in words of the model's

NESTED = ("Field required", "Input should be an object")  # reasons about a member

# The status and the sentence for each frame that is neither an answer nor about a field
FAILURES = {
    frames.MALFORMED: (400, "The body is not JSON. {text}."),
    frames.DECLINED: (422, "{text}"),
    frames.FAULT: (500, InternalServerError.description),  # detail() has words of our own for it
    frames.ENDED: (500, "{text} while it answered. Another one takes its place."),
    frames.BUSY: (503, "The service is busy with other predictions: ask again in {WAIT} seconds."),
    frames.ABSENT: (503, "No model process can answer. {text}"),
    frames.TIMEOUT: (504, "The model took longer than {TIMEOUT} seconds (see MODEL_TIMEOUT)."),
}


class ServedModel:
    """The model behind the pool; its first process describes it when the service starts."""

    def __init__(self, pool: Pool | InProcess, settings: dict) -> None:
        self.pool, self.settings = pool, settings
        self.facts = facts = pool.facts()
        self.draws, self.processes = facts["draws"], facts["processes"]
        self.schemas = Schemas(facts["named"])
        self.fields = fields_of(self.schemas, facts["input"])
        self.required = [field.name for field in self.fields.values() if field.is_required]
        # A field may have other names, which links and tables take as JSON does.
        self.takes = self.schemas.alternatives(facts["input"])[0]
        self.others = others(self.takes)
        self.named = self.fields | {one: self.fields[name] for one, name in self.others.items()}
        # The field for members of any other name, where `Input` takes such
        more = self.takes.get("additionalProperties")
        self.more = (
            Field(self.schemas, "", more if more is not True else {}, False) if more else None
        )
        self.takes_files = any(field.is_file for field in self.fields.values())
        # A text says every value but a file.
        self.is_linkable = not any(self.fields[name].is_file for name in self.required)
        self.requirements = {name: field.requirement() for name, field in self.fields.items()}
        # Every answer has the same columns: those of each object that it may be.
        gives = self.schemas.alternatives(facts["output"])
        names = [one.get("properties", {}) for one in gives]
        is_row = all(names) and not self.schemas.takes_null(facts["output"])
        self.columns = list(dict.fromkeys(chain.from_iterable(names))) if is_row else []
        self.table = [*self.columns, error_column(self.columns)]
        is_open = any(one.get("additionalProperties") for one in gives)
        self.is_fixed = bool(self.columns) and not is_open
        self.takes_tables = self.is_linkable and self.is_fixed

    def ask(self, kind: bytes, body: bytes) -> Frame:
        """Let a model process answer, as long as the caller of this request waits."""
        environ = request.environ
        caller = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
        return self.pool.ask(kind, body, logs.request.get().encode(), caller)

    def error(self, kind: bytes, body: bytes, supplied: Texts | None = None) -> HTTPException:
        """Give the error for a frame that is no answer; the log shows the failures."""
        if kind == frames.INVALID:
            found = json.loads(body)
            texts = supplied or {name: [text] for name, text in found["supplied"].items()}
            return self.refusal(found["errors"], texts, found["number"], found["values"])
        text = body.decode(errors="replace")
        status, sentence = FAILURES[kind]
        error = default_exceptions[status](
            sentence.format(text=shorten(text, LONGEST), **self.settings)
        )
        if status == 500:
            self.log(text)
        if status == 503:
            error.retry_after = self.settings["WAIT"]
        return error

    def log(self, text: str) -> None:
        """Write into the log how the model failed: a traceback, or how its process ended."""
        said = shorten(" ".join(LAST_FRAME.split(text)[-1].split()), 300)
        logger.error("The model failed: %s", said, extra={"members": {"traceback": text}})

    def refusal(
        self, reasons: dict, supplied: Texts, number: int | None = None, values: Mapping = {}
    ) -> InvalidInput:
        """Give the error that says why an input was refused, what is required and was supplied.

        The values are those at the places of the faults, as a model process has read them.
        """
        found = {place: [value] for place, value in values.items()} | supplied
        told = {place: self.told(place, reasons[place], found.get(place, [])) for place in reasons}
        return InvalidInput(told, self.requirements, supplied, number)

    def told(self, place: str, reason: str, texts: list[str]) -> str:
        """Add to a reason what to write in the place of texts that are no value of their field."""
        name, *steps = place.split(".")
        field, names = self.named.get(name), self.others
        try:
            for step in steps:
                names = names if step.isdecimal() else field.others
                field = field if step.isdecimal() else field.members[step]
        except (AttributeError, LookupError):  # the field takes more than one kind
            field = None
        last = place.rpartition(".")[2]
        if last in names and reason.startswith("No such field"):
            return f"Another name of {names[last]}: give the field by one name"
        # The list of required fields describes no member of a nested one.
        if field and field.is_nested and steps and not last.isdecimal() and reason in NESTED:
            return f"{reason}; write {field.facts[0]}"
        is_told = field and (field.one.kinds or last.isdecimal())  # a whole list has no hint
        is_told = is_told and reason.startswith("Input should")  # and no words of the author's
        hint = field.expected(texts) if is_told and texts else ""
        return f"{reason}; {hint}" if hint and "such as" not in reason else reason


def error_column(others: list[str]) -> str:
    """Name the column of a table that says why a row was refused."""
    found = "error"
    while found in others:
        found += "_in_row"
    return found
