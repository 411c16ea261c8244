"""model/examples/: recorded requests and answers, tests, documentation and proof in one."""

import json
import sys
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from service import frames
from service.proof.comparison import Deviation, Tolerance
from service.runner.strict import reader

FOLDER = Path(__file__).parents[2] / "model/examples"
EMPTY = 'first put {"request": …} into model/examples/a.json'
NONE = f"No example is recorded. Type: make record. If model/examples/ has no file yet, {EMPTY}."
DRIFTED = """Mend the model (one that draws numbers needs a field seed: int | None = None) \
or, if the new answers are right, type: make record"""
ENDLESS = "give another request. An integer of more than 4300 digits cannot be recorded."
LATE = "The model took longer than MODEL_TIMEOUT allows."


class Example(BaseModel, extra="forbid"):
    """One file: an `Input` as JSON and, once it is recorded, the answer."""

    request: dict[str, Any]
    response: Any = None
    tolerance: Tolerance = Tolerance()
    note: str = ""
    skip: list[str] = []  # fields of the answer whose values may differ, such as a drawn picture

    @property
    def is_recorded(self) -> bool:
        """Whether the file has an answer, which may be null."""
        return "response" in self.model_fields_set


read_strictly = reader(Example)  # refuses numbers that are not finite


def parsed(text: bytes) -> Example:
    """Read the text of a file, with or without a byte order mark.

    :raise ValidationError: if it is no example
    """
    return read_strictly(text.removeprefix(BOM_UTF8))


def read(path: Path) -> Example:
    """Read a file, or stop with its name, the place and the reason."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # reading it might never end
        sys.exit(f"model/examples/{path.name} is a pipe or a device: put a file in its place.")
    try:
        example = parsed(path.read_bytes())
    except OSError as error:
        sys.exit(f"model/examples/{path.name} cannot be read: {error.strerror}.")
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "the file"
        sys.exit(f"model/examples/{path.name}: {place}: {fault['msg']}.")
    justify(path.name, example)
    return example


def justify(name: str, example: Example) -> None:
    """Stop if the answer may be off by more than 1 %, or a field may differ, and no note says why.

    A name to skip that no field has is a mistake.
    """
    place, way_out = f"model/examples/{name}", 'write down why, as "note"'
    has = example.response if isinstance(example.response, dict) else ()
    strange = [field for field in example.skip if field not in has]
    if strange and example.is_recorded:
        sys.exit(f'{place}: "skip" names fields that the answer does not have: {strange}.')
    if example.skip and not example.note.strip():
        sys.exit(f'{place}: "skip" leaves fields out of the comparison: {way_out}.')
    widest = worst(example, example.response)
    if widest.allowed > 0.01 and not example.note.strip():
        sys.exit(f"{place}: {widest.path} is tolerated to be off by more than 1 %: {way_out}.")


def examples() -> dict[str, Example]:
    """Read all examples, by name; stop at a name that would be left out by its ending alone."""
    for path in FOLDER.glob("[!.]*"):
        if path.suffix != ".json" and path.name.lower().endswith((".json", ".json.txt")):
            sys.exit(f"model/examples/{path.name}: its name must end in .json, in small letters.")
    return {path.stem: read(path) for path in sorted(FOLDER.glob("[!.]*.json"))}


def recorded() -> dict[str, Example]:
    """Read the examples that have their answer, by name."""
    return {name: one for name, one in examples().items() if one.is_recorded}


def answer_to(name: str, example: Example, ask: Callable) -> Any:
    """Give the model's answer to an example, or stop; `ask` gives a frame for a request."""
    kind, seed, body = ask(frames.PREDICT, json.dumps(example.request).encode())
    if kind != frames.ANSWER:
        faults = json.loads(body)["errors"].items() if kind == frames.INVALID else []
        said = LATE if kind == frames.TIMEOUT else body.decode()
        reason = " ".join(f"{place}: {why}." for place, why in faults) or said
        sys.exit(f"model/examples/{name}.json: correct the request or the model. {reason}")
    if seed and example.request.get("seed") is None:
        sys.exit(f'model/examples/{name}.json: give the request a "seed", or no answer is final.')
    try:
        return json.loads(body)
    except ValueError:  # which this means
        sys.exit(f"model/examples/{name}.json: {ENDLESS}")


def worst(example: Example, got: Any) -> Deviation:
    """Find the value of an answer that is the furthest from the recorded one."""
    recorded, found = (
        one | dict.fromkeys(one.keys() & example.skip) if isinstance(one, dict) else one
        for one in (example.response, got)
    )
    return example.tolerance.worst(recorded, found)


def faults(known: dict[str, Example], ask: Callable) -> list[str]:
    """Say in sentences which examples have no answer any more, or another than the recorded one."""
    found, has_drifted = [], False
    for name, example in known.items():
        try:
            value = worst(example, answer_to(name, example, ask))
        except SystemExit as reason:
            found.append(str(reason))
            continue
        if example.is_recorded and value.outcome != "OK":
            found.append(f"model/examples/{name}.json: {value}.")
            has_drifted = True
    return [*found, DRIFTED] if has_drifted else found


def check(ask: Callable) -> None:
    """Stop the start unless an example is recorded and every recorded one gives its answer."""
    known = recorded()
    if found := faults(known, ask) if known else [NONE]:
        sys.exit("\n".join(found))
