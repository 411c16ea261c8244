"""The face of the model, checked once at the start."""

import functools
import sys
import time
from collections.abc import Callable

from pydantic import BaseModel

import model
from service.strict import teach


def export(name: str, fits: Callable[[object], bool], meaning: str, optional: bool = False):
    """What model/__init__.py exports under a name, or the sentence that stops the start."""
    found = getattr(model, name, None)
    if not fits(found) and not (optional and found is None):
        sys.exit(f"model/__init__.py must export {name}, {meaning}; there it is {found!r}.")
    return found


def is_schema(found: object) -> bool:
    """Whether an export is a pydantic model."""
    return isinstance(found, type) and issubclass(found, BaseModel)


Input = export("Input", is_schema, "a pydantic model of what predict takes")
Output = export("Output", is_schema, "a pydantic model of what predict gives")
predict = export("predict", callable, "a function that takes an Input and gives an Output")
load = export("load", callable, "a function without arguments", optional=True)
predict_batch = export(
    "predict_batch", callable, "a function from a list of Input to a list of Output", optional=True
)
for schema in {Input, Output}:  # once, where both are the same
    teach(schema)


@functools.cache
def loaded() -> float:
    """Let the model load what it needs, once, and say how long that took (s)."""
    start = time.perf_counter()
    if load:
        load()
    return time.perf_counter() - start
