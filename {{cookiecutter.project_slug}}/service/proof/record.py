"""`flask record`: write the model's answers into model/examples/."""

import contextlib
import difflib
import json
import sys
from functools import partial

import click

from service import frames
from service.pool import opened
from service.proof import examples
from service.proof.examples import Example
from service.settings import settings


@click.command("record")
@click.option("--yes", is_flag=True, help="Overwrite recorded answers without asking.")
def record(yes: bool) -> None:
    """Write the model's answers into model/examples/."""
    known = examples.examples()
    if not known:
        sys.exit(examples.NONE)
    with opened(settings({"CHECK": False})) as pool:
        for name, example in known.items():
            got = examples.answer_to(name, example, partial(pool.ask, frames.PREDICT))
            is_recorded = example.response is not None
            if is_recorded and examples.worst(example, got).outcome == "OK":
                print(f"model/examples/{name}.json gives its recorded answer.")
            else:
                write(name, example, got, asks=is_recorded and not yes)


def write(name: str, example: Example, got: object, asks: bool) -> None:
    """Write an answer into its example, whole or not at all, if whoever is asked agrees."""
    path = examples.FOLDER / f"{name}.json"
    examples.justify(path.name, example, got)
    text = json.dumps(
        example.model_dump(exclude_unset=True) | {"response": got}, indent=2, ensure_ascii=False
    )
    lines = path.read_text("utf-8-sig").splitlines(), text.splitlines()
    changes = difflib.unified_diff(*lines, f"{path.name}, recorded", "now", lineterm="")
    if asks and not click.confirm("\n".join([*changes, "Overwrite the recorded answer?"])):
        return
    part = path.with_suffix(".part")
    try:
        part.write_text(f"{text}\n", "utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        sys.exit(f"{path} could not be written, and is as it was: {error.strerror}.")
    print(f"model/examples/{name}.json is recorded.")
