"""From JSON to JSON: read a request strictly, let the model predict, write its answer."""

import json
import secrets
import time
import traceback
from collections.abc import Iterator
from operator import methodcaller

from pydantic import BaseModel, ValidationError

from service import frames
from service.rows import TooManyRows, members
from service.runner.contract import Contract
from service.runner.strict import reader, writer

SLICE = 0.1  # seconds, after which a batch is answered in part: others may have their turn


class NotOneAnswerEach(Exception):
    """predict_batch gave more or fewer answers than it had inputs."""


class Model:
    """The model behind frames: each request gets a kind, a note and a body in answer."""

    def __init__(self, contract: Contract, most_rows: int) -> None:
        self.contract, self.most_rows = contract, most_rows
        self.input, self.inputs = reader(contract.Input), reader(list[contract.Input])
        self.output, self.outputs = writer(contract.Output), writer(list[contract.Output])
        self.seeds = seeds(contract.Input)

    def answer(self, kind: bytes, note: bytes, body: bytes) -> tuple[bytes, bytes, bytes]:
        """Answer one request, whatever the model raises."""
        try:
            return self.one(body) if kind == frames.PREDICT else self.rows(body)
        except BaseException as error:  # the model may raise SystemExit, which must not end us
            return frames.FAULT, b"", traced(error)

    def one(self, body: bytes, is_row: bool = False) -> tuple[bytes, bytes, bytes]:
        """Predict from one JSON object; the note of an answer tells the seed, if there is one."""
        try:
            inputs = self.input.validate_json(body, strict=True)
        except ValidationError as error:
            return refusal(error)
        note = b""
        if self.seeds:
            if inputs.seed is None and is_row:  # a batch has no header to give a drawn one back in
                return frames.INVALID, b"", b'[[["seed"], "Field required in a batch"]]'
            if inputs.seed is None:
                drawn = self.seeds.start + secrets.randbelow(len(self.seeds))
                inputs = inputs.model_copy(update={"seed": drawn})
            note = str(inputs.seed).encode()
        output = self.checked(self.contract.predict(inputs))
        return frames.ANSWER, note, self.output.to_json(output, by_alias=True, fallback=as_list)

    def checked(self, output: object) -> BaseModel:
        """What the model gave, if it is an `Output`; anything else would be written as it is."""
        kind = self.contract.Output
        return output if isinstance(output, kind) else kind.model_validate(output)

    def rows(self, body: bytes) -> tuple[bytes, bytes, bytes]:
        """Predict from a JSON array."""
        try:
            inputs = self.inputs.validate_json(body, strict=True)
            if len(inputs) > self.most_rows:
                return frames.LONG, b"", str(len(inputs)).encode()
            if not self.seeds or all(one.seed is not None for one in inputs):
                return self.written(list(self.predictions(inputs)), len(inputs))
        except KeyboardInterrupt:
            raise
        except BaseException:  # of a row, or of predict_batch: each row alone will show which
            pass
        return self.each(body)

    def written(self, outputs: list[BaseModel], rows: int) -> tuple[bytes, bytes, bytes]:
        """All answers as one JSON array; the note says how many they are, of how many rows."""
        text = self.outputs.to_json(outputs, by_alias=True, fallback=as_list)
        return frames.ANSWER, f"{len(outputs)} {rows}".encode(), text

    def predictions(self, inputs: list[BaseModel]) -> Iterator[BaseModel]:
        """What the model gives to many inputs, or to the first of them where it takes its time."""
        if self.contract.predict_batch and inputs:  # a model of arrays seldom takes none
            try:
                outputs = self.contract.predict_batch(inputs)
                if len(outputs) != len(inputs):
                    raise NotOneAnswerEach(f"{len(outputs)} answers to {len(inputs)} inputs")
            except Exception:
                traceback.print_exc()  # into the log: each row alone may well be answered
                raise
            yield from map(self.checked, outputs)
            return
        predict, end = self.contract.predict, time.monotonic() + SLICE
        for row in inputs:
            yield self.checked(predict(row))
            if time.monotonic() > end:
                return

    def each(self, body: bytes) -> tuple[bytes, bytes, bytes]:
        """Predict from each row alone, so that a bad one costs no other its answer."""
        try:
            texts = members(body, self.most_rows)
        except TooManyRows as error:
            return frames.LONG, b"", str(error).encode()
        except (ValueError, RecursionError) as error:
            return frames.MALFORMED, b"", str(error).encode()
        if texts is None:
            reasons = [[[], "Send an array of objects"]]
            return frames.INVALID, b"", json.dumps(reasons).encode()
        found, end = [], time.monotonic() + SLICE
        for text in texts:
            found.append(self.row(text))
            if time.monotonic() > end:
                break
        return frames.MIXED, b"", json.dumps(found).encode()

    def row(self, text: str) -> list:
        """Predict from one row: the kind of what came, its body, and the row if it is refused."""
        try:
            kind, _, body = self.one(text.encode(), is_row=True)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            kind, body = frames.FAULT, traced(error)
        return [kind.decode(), body.decode(), text if kind == frames.INVALID else ""]


def seeds(kind: type[BaseModel]) -> range | None:
    """The seeds that may be drawn for a model: of 32 bits, and within the bounds of `Input`.

    A model draws numbers if it has a field `seed`, an integer that may be null.
    """
    field = kind.model_json_schema().get("properties", {}).get("seed", {})
    kinds = {option.get("type"): option for option in field.get("anyOf", [])}
    if set(kinds) != {"integer", "null"}:
        return None
    seed = kinds["integer"]
    least = seed.get("minimum", seed.get("exclusiveMinimum", -1) + 1)
    most = seed.get("maximum", seed.get("exclusiveMaximum", least + 2**32) - 1)
    return range(least, min(most + 1, least + 2**32))


def refusal(error: ValidationError) -> tuple[bytes, bytes, bytes]:
    """What is wrong with an input: the place and the reason of each fault."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return frames.MALFORMED, b"", faults[0]["msg"].encode()
    reasons = [[fault["loc"], fault["msg"].removeprefix("Value error, ")] for fault in faults]
    return frames.INVALID, b"", json.dumps(reasons).encode()


def traced(error: BaseException) -> bytes:
    """An exception as the log shows it."""
    return "".join(traceback.format_exception(error)).encode(errors="backslashreplace")


# Where `Output` does not say what it holds, as with dict, numpy's numbers may still be there.
as_list = methodcaller("tolist")
