"""The face of the model, checked once at the start."""

import functools
import inspect
import sys
import time
from collections.abc import Callable

from pydantic import BaseModel

from service.strict import teach

try:
    import model
except ModuleNotFoundError as error:
    way_out = "add its package to environment.yml, or correct the name"
    sys.exit(f"model/ imports {error.name}, which is not installed: {way_out}.")


def export(name: str, fits: Callable[[object], bool], meaning: str, optional: bool = False):
    """What model/__init__.py exports under a name, or the sentence that stops the start."""
    found = getattr(model, name, None)
    if not fits(found) and not (optional and found is None):
        sys.exit(f"model/__init__.py must export {name}, {meaning}; there it is {found!r}.")
    return found


def is_schema(found: object) -> bool:
    """Whether an export is a pydantic model."""
    return isinstance(found, type) and issubclass(found, BaseModel)


def takes(*arguments: object) -> Callable[[object], bool]:
    """Whether an export is a function, not async, that can be called with these arguments."""

    def fits(found: object) -> bool:
        try:
            inspect.signature(found).bind(*arguments)
        except TypeError:
            return False
        except ValueError:  # one of C may not say what it takes
            pass
        return not inspect.iscoroutinefunction(found)

    return fits


Input = export("Input", is_schema, "a pydantic model of what predict takes")
Output = export("Output", is_schema, "a pydantic model of what predict gives")
predict = export("predict", takes(Input), "a function that takes an Input and gives an Output")
load = export("load", takes(), "a function without arguments", optional=True)
predict_batch = export(
    "predict_batch", takes([]), "a function from a list of Input to a list of Output", optional=True
)
for schema in {Input, Output}:  # once, where both are the same
    teach(schema)


@functools.cache
def loaded() -> float:
    """Let the model load what it needs, once, and say how long that took (s)."""
    start = time.perf_counter()
    try:
        if load:
            load()
    except Exception as error:
        error.add_note("load() of model/__init__.py failed: correct it, or what it reads.")
        raise
    return time.perf_counter() - start
