"""model/examples/: recorded requests and answers, tests, documentation and proof in one."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ValidationError

from service import frames
from service.proof.comparison import Deviation, Tolerance, compare
from service.runner.strict import finite

FOLDER = Path(__file__).parents[2] / "model/examples"
NONE = 'No example is recorded. Put {"request": …} into model/examples/a.json, then: make record'


JSONValue = Annotated[Any, AfterValidator(finite)]  # pydantic would take NaN for one


class Example(BaseModel, extra="forbid"):
    """One file: an `Input` as JSON and, once it is recorded, the answer."""

    request: dict[str, JSONValue]
    response: JSONValue = None
    tolerance: Tolerance = Tolerance()
    note: str = ""


def read(path: Path) -> Example:
    """Read a file, or stop with its name, the place and the reason."""
    try:
        example = Example.model_validate_json(path.read_text("utf-8-sig"))
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        sys.exit(f"model/examples/{path.name}: {place}: {error.errors()[0]['msg']}.")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"model/examples/{path.name} cannot be read: {error}.")
    justify(path.name, example, example.response)
    return example


def justify(name: str, example: Example, response: Any) -> None:
    """Stop where an answer may be off by more than 1 %, and nothing says why."""
    for value in compare(response, response, example.tolerance):
        if value.allowed > 0.01 and not example.note.strip():
            reason = 'is tolerated to be off by more than 1 %: write down why, as "note".'
            sys.exit(f"model/examples/{name}: {value.path} {reason}")


def examples() -> dict[str, Example]:
    """All examples, by name."""
    return {path.stem: read(path) for path in sorted(FOLDER.glob("[!.]*.json"))}


def recorded() -> dict[str, Example]:
    """Those that have their answer, by name."""
    found = examples().items()
    return {name: example for name, example in found if example.response is not None}


def answer_to(name: str, example: Example, ask: Callable) -> Any:
    """What the model answers to an example now; `ask` gives a frame for a body."""
    place = f"model/examples/{name}.json"
    kind, seed, body = ask(json.dumps(example.request).encode())
    if kind == frames.FAULT:
        sys.exit(f"{body.decode()}This happened on {place}.")
    if kind != frames.ANSWER:
        sys.exit(f"{place}: correct the request. {reasons(kind, body)}")
    if seed and example.request.get("seed") is None:
        sys.exit(f'{place}: give the request a "seed", or no answer is final.')
    return json.loads(body)


def reasons(kind: bytes, body: bytes) -> str:
    """Why there is no answer."""
    if kind != frames.INVALID:
        return body.decode()
    return " ".join(f"{place}: {why}." for place, why in json.loads(body).items())


def worst(example: Example, got: Any) -> Deviation:
    """The value of an answer that is the furthest from the recorded one."""
    values = compare(example.response, got, example.tolerance)
    gravity = ["OK", "VALUE", "CONTRACT"].index
    return max(values, key=lambda value: (gravity(value.outcome), value.size or 0))


def check(ask: Callable) -> None:
    """Stop the start unless an example is recorded and every recorded one gives its answer."""
    known = recorded()
    if not known:
        sys.exit(NONE)
    found = {name: worst(known[name], answer_to(name, known[name], ask)) for name in known}
    wrong = {name: value for name, value in found.items() if value.outcome != "OK"}
    if wrong:
        faults = [f"model/examples/{name}.json: {value}." for name, value in wrong.items()]
        mend = "Mend the model (one that draws numbers needs a field seed: int | None = None)"
        accept = "or, if the new answers are right, type: make record"
        sys.exit("\n".join([*faults, f"{mend} {accept}"]))
