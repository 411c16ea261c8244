"""The model as a service process knows it: what it takes and gives, and how to ask it."""

import json
import logging
from collections.abc import Callable

from flask import request
from werkzeug.exceptions import (
    BadRequest,
    GatewayTimeout,
    HTTPException,
    InternalServerError,
    ServiceUnavailable,
)
from werkzeug.exceptions import RequestEntityTooLarge as TooLarge

from service import frames, logs
from service.errors import OURS, InvalidInput
from service.fields import fields_of
from service.pool import InProcess, Pool
from service.schema import Schemas
from service.words import shorten, whole

logger = logging.getLogger("model")

Frame = tuple[bytes, bytes, bytes]


class ServedModel:
    """The model behind the pool; it is described once, when the service starts."""

    def __init__(self, pool: Pool | InProcess, settings: dict) -> None:
        self.pool, self.settings = pool, settings
        self.facts = facts = pool.facts()
        self.draws, self.processes = facts["draws"], facts["processes"]
        self.schemas = Schemas(facts["named"])
        self.fields = fields_of(self.schemas, facts["input"])
        self.required = [field.name for field in self.fields.values() if field.is_required]
        self.is_linkable = all(field.is_linkable for field in self.fields.values())
        self.takes_files = any(field.is_file for field in self.fields.values())
        self.requirements = {name: field.requirement() for name, field in self.fields.items()}
        # A cell holds a scalar, and a column is there for every answer.
        gives = self.schemas.alternatives(facts["output"])[0]
        self.columns = list(gives.get("properties", {}))
        is_flat = self.is_linkable and not any(field.is_list for field in self.fields.values())
        is_row = bool(self.columns) and not gives.get("additionalProperties")
        self.takes_tables = is_flat and is_row

    def ask(self, kind: bytes, body: bytes) -> Frame:
        """Let a model process answer, as long as the caller of this request waits."""
        environ = request.environ
        caller = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
        return self.pool.ask(kind, body, logs.request.get().encode(), caller)

    def predict(self, body: bytes, supplied: Callable[[], dict] | None = None) -> tuple[bytes, str]:
        """The answer to an input as JSON, and the seed that was drawn for it.

        :raise 400: if the body is not JSON
        :raise 422: if a field is missing, unknown, not finite, or not what `Input` takes
        :raise 500: if the model fails
        :raise 503: if no process is free in time
        :raise 504: if the prediction takes too long
        """
        kind, note, answer = self.ask(frames.PREDICT, body)
        if kind != frames.ANSWER:
            raise self.error(kind, answer, supplied or (lambda: members(body)))
        return answer, note.decode()

    def error(self, kind: bytes, body: bytes, supplied: Callable[[], dict]) -> HTTPException:
        """The error that a frame stands for, where it is no answer."""
        text = body.decode(errors="replace")
        if kind == frames.INVALID:
            return self.refusal(reasons(json.loads(body)), supplied())
        if kind == frames.MALFORMED:
            return BadRequest(f"The body is not JSON. {text}.")
        if kind == frames.LONG:
            most = self.settings["BATCH_ROWS"]
            return TooLarge(f"Send at most {most} rows at once, not {text}.")
        if kind == frames.TIMEOUT:
            limit = self.settings["TIMEOUT"]
            reason = f"The model took longer than {limit} seconds, the limit set by MODEL_TIMEOUT."
            return GatewayTimeout(reason)
        if kind in (frames.BUSY, frames.ABSENT):
            wait = self.settings["WAIT"]
            busy = f"The service is busy with other predictions: ask again in {wait} seconds."
            absent = f"No model process can answer. {text}"
            return ServiceUnavailable(busy if kind == frames.BUSY else absent, retry_after=wait)
        if kind == frames.ENDED:
            logger.error("%s while it answered.", text)
            return InternalServerError(f"{text} while it answered. Another one takes its place.")
        logger.error("The model failed.", extra={"members": {"traceback": text}})
        return InternalServerError(OURS)

    def refusal(self, reasons: dict[str, str], supplied: dict[str, str]) -> InvalidInput:
        """The error that says why an input was refused, what is required and what was supplied."""
        return InvalidInput(
            errors={shorten(name): shorten(reason) for name, reason in reasons.items()},
            required=self.requirements,
            supplied={shorten(name): shorten(text) for name, text in supplied.items()},
        )


def reasons(faults: list) -> dict[str, str]:
    """What is wrong, by the place of each fault; the whole body is called `body`."""
    return {".".join(map(str, place)) or "body": reason for place, reason in faults}


def members(body: bytes | str) -> dict[str, str]:
    """The members of a JSON object as JSON, for an error to quote."""
    found = json.loads(body, parse_int=whole)
    found = found if isinstance(found, dict) else {"body": found}
    return {name: json.dumps(value) for name, value in found.items()}
