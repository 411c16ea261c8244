"""model/examples/: recorded requests and answers, tests, documentation and proof in one."""

import contextlib
import difflib
import functools
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import click
from flask import Blueprint
from pydantic import AfterValidator, BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

import model
from service.comparison import Deviation, Tolerance, compare
from service.inputs import from_json
from service.predictions import STOCHASTIC, answer
from service.strict import finite

bp = Blueprint("examples", __name__, cli_group=None)

FOLDER = Path(model.__file__).parent / "examples"
NONE = 'No example is recorded. Put {"request": …} into model/examples/a.json, then: flask record'


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


EXAMPLES = {path.stem: read(path) for path in sorted(FOLDER.glob("[!.]*.json"))}
RECORDED = [name for name, example in EXAMPLES.items() if example.response is not None]


@bp.get("/examples")
def show() -> dict:
    """The examples by name."""
    return {name: example.model_dump(exclude_unset=True) for name, example in EXAMPLES.items()}


def answer_to(name: str) -> Any:
    """What the model answers to an example now."""
    try:
        inputs = from_json(json.dumps(EXAMPLES[name].request))
    except HTTPException as error:
        sys.exit(f"model/examples/{name}.json: correct the request. {error.description}")
    if STOCHASTIC and inputs.seed is None:
        sys.exit(f'model/examples/{name}.json: give the request a "seed", or no answer is final.')
    try:
        return json.loads(answer(inputs).get_data())
    except Exception as error:
        error.add_note(f"This happened on model/examples/{name}.json.")
        raise


def worst(name: str, got: Any) -> Deviation:
    """The value of an answer that is the furthest from the recorded one."""
    values = compare(EXAMPLES[name].response, got, EXAMPLES[name].tolerance)
    gravity = ["OK", "VALUE", "CONTRACT"].index
    return max(values, key=lambda value: (gravity(value.outcome), value.size or 0))


@functools.cache
def check() -> None:
    """Stop the start unless an example is recorded and every recorded one gives its answer."""
    if not RECORDED:
        sys.exit(NONE)
    values = {name: worst(name, answer_to(name)) for name in RECORDED}
    wrong = {name: value for name, value in values.items() if value.outcome != "OK"}
    if wrong:
        faults = [f"model/examples/{name}.json: {value}." for name, value in wrong.items()]
        mend = "Mend the model (one that draws numbers needs a field seed: int | None = None)"
        accept = "or, if the new answers are right, type: flask record"
        sys.exit("\n".join([*faults, f"{mend} {accept}"]))


@bp.cli.command("record")
@click.option("--yes", is_flag=True, help="Overwrite recorded answers without asking.")
def record(yes: bool) -> None:
    """Write the model's answers into model/examples/."""
    if not EXAMPLES:
        sys.exit(NONE)
    for name in EXAMPLES:
        got = answer_to(name)
        if name in RECORDED and worst(name, got).outcome == "OK":
            print(f"model/examples/{name}.json gives its recorded answer.")
        else:
            write(name, got, asks=name in RECORDED and not yes)


def write(name: str, got: Any, asks: bool) -> None:
    """Write an answer into its example, whole or not at all, if whoever is asked agrees."""
    path = FOLDER / f"{name}.json"
    justify(path.name, EXAMPLES[name], got)
    example = EXAMPLES[name].model_dump(exclude_unset=True) | {"response": got}
    text = json.dumps(example, indent=2, ensure_ascii=False) + "\n"
    lines = path.read_text("utf-8-sig").splitlines(), text.splitlines()
    changes = difflib.unified_diff(*lines, f"{path.name}, recorded", "now", lineterm="")
    if asks and not click.confirm("\n".join([*changes, "Overwrite the recorded answer?"])):
        return
    part = path.with_suffix(".part")
    try:
        part.write_text(text, "utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        sys.exit(f"{path} could not be written, and is as it was: {error.strerror}.")
    print(f"model/examples/{name}.json is recorded.")
