"""`flask record`: write the model's answers into model/examples/."""

import contextlib
import json
import sys

import click

from service.pool import started
from service.proof.examples import EMPTY, FOLDER, Example, answer_to, examples, justify, worst
from service.settings import settings


@click.command("record")
@click.option("--yes", is_flag=True, help="Overwrite recorded answers without asking.")
def record(yes: bool) -> None:
    """Write the model's answers into model/examples/."""
    known = examples()
    if not known:
        sys.exit(f"model/examples/ has no file yet: {EMPTY}, then type: make record")
    with contextlib.closing(started(settings({"CHECK": False}))) as pool:
        pool.facts()  # waits until the model is ready
        faults = []
        for name, example in known.items():
            try:
                got = answer_to(name, example, pool.ask)
            except SystemExit as reason:
                faults.append(str(reason))
                continue
            value, place = worst(example, got), f"model/examples/{name}.json"
            question = f"{place}: {value}. Overwrite the recorded answer?"
            if example.is_recorded and value.outcome == "OK":
                print(f"{place} gives its recorded answer.")
            elif not example.is_recorded or yes or click.confirm(question):
                write(f"{name}.json", example.model_copy(update={"response": got}))
                print(f"{place} is recorded.")
    sys.exit("\n".join(faults) or 0)


def write(name: str, example: Example) -> None:
    """Write the file of an example; a full disk leaves the file as it was."""
    justify(name, example)
    text = json.dumps(example.model_dump(exclude_unset=True), indent=2, ensure_ascii=False)
    path, part = FOLDER / name, (FOLDER / name).with_suffix(".part")
    try:
        part.write_text(f"{text}\n", "utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        sys.exit(f"{path} could not be written, and is as it was: {error.strerror}.")
