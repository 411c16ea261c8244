"""From JSON to JSON: read a request strictly, let the model predict, write its answer."""

import json
import secrets
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import PydanticSerializationError

from service import frames
from service.frames import Frame
from service.machine import undisturbed
from service.runner.contract import Contract
from service.runner.fit import fitting, mended
from service.runner.loose import nulls, plain
from service.runner.refusals import Reader, Stop, hasty, malformed, told
from service.runner.rows import apart
from service.runner.strict import reader, writer
from service.runner.tables import lines
from service.schema import listed

# Answers have been checked, and warnings would show their values in the log.
WRITTEN = {"by_alias": True, "fallback": plain, "warnings": False}
SHORT = 1000  # bytes of a body that costs little, whatever is wrong with it
TRIES = 20  # seeds that are drawn for a request, until `Input` takes one
NO_SEED = "Give a seed: `Input` takes none of those that the service has drawn"
LONGEST = 10_000  # characters of the beginning, and of the end, of a traceback
SLICE = 0.1  # seconds, after which it may be that only the first rows of a batch are answered
LONG = 4  # times the first slice: a batch that takes longer is answered by all processes


class Model:
    """The model behind frames: each request gets a kind, a note and a body in answer."""

    def __init__(self, contract: Contract, most_rows: int) -> None:
        self.contract, self.fits = contract, fitting(contract.Output)
        rows = Annotated[list[contract.Input], Field(max_length=most_rows)]
        self.reader = Reader(contract.Input)
        self.read_rows = undisturbed()(reader(rows, hasty))
        self.write = partial(write, partial(writer(contract.Output).to_json, **WRITTEN))
        self.seeds = seeds(contract.Input)
        self.tell = lambda: None  # says that a long body has been read
        self.is_awaited = lambda: False  # whether another request waits
        self.works = {
            frames.PREDICT: self.one,
            frames.BATCH: self.batch,
            frames.PART: self.part,
            frames.APART: partial(apart, most=most_rows),
        }

    def answer(self, kind: bytes, note: bytes, body: bytes) -> Frame:
        """Answer one request, whatever the model raises."""
        return self.caught(self.works[kind], body)

    def caught(self, answer: Callable, body: bytes | str) -> Frame:
        """Answer a request; an exception, even SystemExit, becomes an answer too."""
        try:
            try:
                return answer(body)
            except self.contract.Refusal as error:
                # KeyError puts quotes around its words.
                kind = Exception if type(error).__str__ is KeyError.__str__ else type(error)
                words = kind.__str__(error) or "The model refuses this input."
                return frames.DECLINED, b"", words.encode(errors="backslashreplace")
        except BaseException as error:
            return frames.FAULT, b"", traced(error)

    def one(self, body: bytes | str, is_row: bool = False) -> Frame:
        """Predict from one JSON object; the note of an answer holds the seed, if there is one."""
        is_plain = len(body) <= SHORT and not is_row
        try:
            inputs = (self.reader.read_whole if is_plain else self.reader.read)(body)
        except (ValidationError, Stop) as error:
            return self.reader.refusal(error, body, is_row)
        if len(body) >= frames.LARGE:
            self.tell()
        note = b""
        if self.seeds:
            if inputs.seed is None and is_row:  # an answer to a batch has no header for a seed
                return told({"seed": "Field required in a batch"}, 1, {})
            seed = inputs.seed
            if seed is None:
                if not (drawn := self.drawn(body)):
                    return told({"seed": NO_SEED}, 1, {})
                seed, inputs = drawn
            note = str(seed).encode()
        return frames.ANSWER, note, self.write(self.check(self.contract.predict(inputs)))

    def check(self, output: object) -> BaseModel:
        """Give an answer that fits its description."""
        try:
            self.fits(output)
        except ValidationError:
            return mended(self.contract.Output, self.fits, output)
        return output

    def drawn(self, body: bytes) -> tuple[int, BaseModel] | None:
        """Draw a seed and read an input again with it, since its validators may use the seed.

        Give both, or None if the input takes no seed. Of two members of a name, the last counts.
        """
        start = body.strip()[:-1].rstrip()
        comma = b"," * (start != b"{")
        for seed in (secrets.choice(self.seeds) for _ in range(TRIES)):
            with suppress(ValidationError, Stop):
                inputs = self.reader.read(b'%b%b"seed":%d}' % (start, comma, seed))
                if inputs.seed is not None:  # a validator may lose the seed
                    return seed, inputs
        return None

    def batch(self, body: bytes) -> Frame:
        """Predict from a JSON array of good rows; if this takes long, from the first rows.

        The note of a whole answer holds the number of rows; else each row is answered apart.
        """
        way, body = frames.split(body)
        columns, is_apart = json.loads(way)
        try:
            inputs = self.read_rows(body)
        except (ValidationError, Stop) as error:
            return malformed(error) or (frames.INVALID, b"", b"")  # each row is asked for alone
        if len(body) >= frames.LARGE:
            self.tell()
        if self.seeds and any(row.seed is None for row in inputs):
            return frames.INVALID, b"", b"{}"
        number = len(inputs)  # of which predict_batch may take some out
        if self.contract.predict_batch and inputs:  # a model of arrays seldom takes none
            outputs = self.contract.predict_batch(inputs)
            if len(outputs) != number:
                raise ValueError(f"predict_batch: {len(outputs)} answers to {number} inputs")
            answers = [self.write(self.check(output)) for output in outputs]
        else:  # each output goes at once, or Python would look through all again for garbage
            predict, check, write = self.contract.predict, self.check, self.write
            answers = self.timely(lambda row: write(check(predict(row))), inputs)
        if is_apart or len(answers) < number:
            return mixed([(frames.ANSWER, b"", answer) for answer in answers], columns)
        array = b"[%b]\n" % b",".join(answers)
        whole = b"".join(lines(array, columns)) if columns else array
        return frames.ANSWER, b"%d" % number, whole

    def part(self, body: bytes) -> Frame:
        """Predict from each row alone, so that a bad row costs no other row its answer."""
        if len(body) >= frames.LARGE:
            self.tell()
        way, *rows = frames.split(body)
        answers = self.timely(partial(self.caught, partial(self.one, is_row=True)), rows)
        return mixed(answers, json.loads(way)[0])

    def timely(self, answer: Callable, rows: list) -> list:
        """Answer rows one after the other; if this takes long, the first of them.

        After each slice, others have their turn; and all processes share the rest, if it is long.
        """
        answers, end = [], time.monotonic() + SLICE
        for row in rows:
            answers.append(answer(row))
            if time.monotonic() > end:
                if len(rows) > LONG * len(answers) or self.is_awaited():
                    break
                end += SLICE
        return answers


def mixed(answers: list[Frame], columns: list[str]) -> Frame:
    """Put the answers to several rows into one frame: the kind of each, and its body or line."""
    if columns:
        bodies = [body for kind, _, body in answers if kind == frames.ANSWER]
        found = iter(lines(b"[%b]" % b",".join(bodies), columns))
        answers = [one if one[0] != frames.ANSWER else (*one[:2], next(found)) for one in answers]
    return frames.MIXED, b"", frames.join([kind + body for kind, _, body in answers])


def write(to_json: Callable, outputs: object) -> bytes:
    """Write answers as JSON; where `Output` allows any type, they may hold NumPy's and pandas'."""
    try:
        return to_json(outputs)
    except PydanticSerializationError:
        return to_json(nulls(outputs, is_read=True))


def seeds(kind: type[BaseModel]) -> Sequence[int] | None:
    """Give the seeds that may be drawn: 2**32 at most, and within the bounds of `Input`.

    A model draws numbers if it has a field `seed`, an integer that may be null. It has no other
    name, neither in Python nor in JSON.
    """
    own = kind.model_fields.get("seed")
    if not own or own.validation_alias not in (None, "seed"):
        return None
    field = kind.model_json_schema().get("properties", {}).get("seed", {})
    kinds = {option.get("type"): option for option in field.get("anyOf", [])}
    if set(kinds) != {"integer", "null"}:
        return None
    # A bound may be written as a float, such as 1e9.
    seed = {key: int(it) if isinstance(it, float) else it for key, it in kinds["integer"].items()}
    least = seed.get("minimum", seed.get("exclusiveMinimum", -1) + 1)
    most = seed.get("maximum", seed.get("exclusiveMaximum", least + 2**32) - 1)
    step = seed.get("multipleOf", 1)
    least += -least % step
    return listed(seed) or range(least, min(most + 1, least + step * 2**32), step)


def traced(error: BaseException) -> bytes:
    """Write an exception as the log shows it; of a long one, its beginning and its end."""
    text = "".join(traceback.format_exception(error))
    if len(text) > 2 * LONGEST:
        text = f"{text[:LONGEST]}…\n{text[-LONGEST:]}"
    return text.encode(errors="backslashreplace")
