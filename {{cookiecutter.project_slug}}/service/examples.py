"""model/examples/: recorded requests and answers, tests, documentation and proof in one."""

import difflib
import functools
import json
import sys
from pathlib import Path
from typing import Any

import click
from flask import Blueprint
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

import model
from service.comparison import Deviation, Tolerance, compare
from service.inputs import from_json
from service.predictions import STOCHASTIC, answer

bp = Blueprint("examples", __name__, cli_group=None)

FOLDER = Path(model.__file__).parent / "examples"
HOW = 'Write {"request": …} into a file such as model/examples/first.json'


class Example(BaseModel, extra="forbid"):
    """One file: an `Input` as JSON and, once it is recorded, the answer."""

    request: dict[str, Any]
    response: Any = None
    tolerance: Tolerance = Tolerance()
    note: str = ""


def read(path: Path) -> Example:
    """Read a file, or stop with its name, the place and the reason."""
    try:
        example = Example.model_validate_json(path.read_bytes())
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        sys.exit(f"model/examples/{path.name}: {place}: {error.errors()[0]['msg']}.")
    for value in compare(example.response, example.response, example.tolerance):
        if value.allowed > value.scale / 100 and not example.note:
            reason = 'is tolerated to be off by more than 1 %: write down why, as "note".'
            sys.exit(f"model/examples/{path.name}: {value.path} {reason}")
    return example


EXAMPLES = {path.stem: read(path) for path in sorted(FOLDER.glob("*.json"))}


@bp.get("/examples")
def show() -> dict:
    """The examples by name."""
    return {name: example.model_dump(exclude_unset=True) for name, example in EXAMPLES.items()}


def answer_to(name: str) -> Any:
    """What the model answers to an example now."""
    try:
        inputs = from_json(json.dumps(EXAMPLES[name].request))
    except HTTPException as error:
        sys.exit(f"model/examples/{name}.json: the request is refused. {error.description}")
    if STOCHASTIC and inputs.seed is None:
        sys.exit(f'model/examples/{name}.json: give the request a "seed", or no answer is final.')
    try:
        return json.loads(answer(inputs).get_data())
    except Exception as error:
        error.add_note(f"This happened on model/examples/{name}.json.")
        raise


def deviations(name: str, got: Any) -> list[Deviation]:
    """An answer to an example beside the recorded one, the worst value first."""
    values = compare(EXAMPLES[name].response, got, EXAMPLES[name].tolerance)
    return sorted(values, key=lambda value: (value.fits, -value.relative))


@functools.cache
def check() -> None:
    """Stop the start unless an example is recorded and every recorded one gives its answer."""
    recorded = [name for name, example in EXAMPLES.items() if example.response is not None]
    if not recorded:
        sys.exit(f"No example is recorded. {HOW}, then type: flask record")
    worst = {name: deviations(name, answer_to(name))[0] for name in recorded}
    wrong = {name: value for name, value in worst.items() if not value.fits}
    faults = [f"model/examples/{name}.json: {value}." for name, value in wrong.items()]
    if faults:
        accept = "Mend the model or, if the new answers are right, type: flask record"
        sys.exit("\n".join([*faults, accept]))


@bp.cli.command("record")
@click.option("--yes", is_flag=True, help="Overwrite recorded answers without asking.")
def record(yes: bool) -> None:
    """Write the model's answers into model/examples/."""
    if not EXAMPLES:
        sys.exit(f"There is no example. {HOW}.")
    for name, example in EXAMPLES.items():
        got = answer_to(name)
        if example.response is None:
            write(name, got)
        elif deviations(name, got)[0].fits:
            print(f"model/examples/{name}.json gives its recorded answer.")
        elif yes or click.confirm(f"{difference(name, got)}\nOverwrite the recorded answer?"):
            write(name, got)


def difference(name: str, got: Any) -> str:
    """The lines of an example that a new answer would change."""
    path = FOLDER / f"{name}.json"
    texts = path.read_text("utf-8").splitlines(), document(name, got).splitlines()
    return "\n".join(difflib.unified_diff(*texts, f"{path.name}, recorded", "now", lineterm=""))


def write(name: str, got: Any) -> None:
    """Write an answer into its example, whole or not at all."""
    path = FOLDER / f"{name}.json"
    written = path.with_suffix(".part")
    try:
        written.write_text(document(name, got), "utf-8", newline="\n")
        written.replace(path)
    except OSError as error:
        written.unlink(missing_ok=True)
        sys.exit(f"{path} could not be written, and is as it was: {error.strerror}.")
    print(f"model/examples/{name}.json is recorded.")


def document(name: str, got: Any) -> str:
    """The text of an example with an answer."""
    recorded = EXAMPLES[name].model_copy(update={"response": got})
    return json.dumps(recorded.model_dump(exclude_unset=True), indent=2, ensure_ascii=False) + "\n"
