"""The contract with `model/`: what it must export, checked when it is imported."""

import importlib
import inspect
import sys
from collections.abc import Callable
from contextlib import suppress
from traceback import walk_tb
from typing import NamedTuple

from pydantic import BaseModel, PydanticUserError, RootModel, create_model
from pydantic.errors import PydanticSchemaGenerationError

from service.files import PROJECT


class Contract(NamedTuple):
    """What `model/__init__.py` exports."""

    Input: type[BaseModel]
    Output: type[BaseModel]
    predict: Callable
    load: Callable | None
    predict_batch: Callable | None
    Refusal: type[Exception] | tuple = ()  # of nothing, where the model has none


def exported() -> Contract:
    """Import the model and check what it exports, or stop with a sentence."""
    try:
        model = importlib.import_module("model")
    except ModuleNotFoundError as error:
        sys.exit(f"model/ imports {error.name}, {lacking(error.name)}")
    except PydanticSchemaGenerationError as error:  # which names the type, but not the field
        made = [frame.f_locals.get("cls") for frame, _ in walk_tb(error.__traceback__)]
        stop_at_fault([(kind, "validation") for kind in made if is_schema(kind)])
        raise

    def export(name: str, fits: Callable, meaning: str, is_optional: bool = False) -> object:
        found = getattr(model, name, None)
        if not fits(found) and not (is_optional and found is None):
            there = f"there it is {shown(found)}"
            sys.exit(f"model/__init__.py must export {name}, {meaning}; {there}.")
        return found

    takes = export("Input", is_object, "a pydantic BaseModel, no RootModel or dataclass")
    gives = export("Output", is_schema, "a pydantic BaseModel, no dataclass")
    return Contract(
        takes,
        gives,
        export("predict", accepts(takes), "a function of an Input, not async, giving an Output"),
        export("load", accepts(), "a function without arguments", True),
        export("predict_batch", accepts([]), "a function from list[Input] to list[Output]", True),
        export("Refusal", is_own_exception, "an exception class of its own", True) or (),
    )


def lacking(name: str) -> str:
    """Say why a module is not found, and the way out."""
    first = name.partition(".")[0]
    if first == "model":
        return "which has no file in model/."
    if (PROJECT / f"model/{first}.py").exists() or (PROJECT / f"model/{first}").is_dir():
        return f"which is in model/: import it as model.{name}."
    return "which is not installed: add its package to environment.yml, then type: make environment"


def shown(found: object) -> str:
    """Write an export so that it shows what is wrong: of a function, its arguments."""
    with suppress(TypeError, ValueError):
        if inspect.isroutine(found):
            kind = "an async function" if inspect.iscoroutinefunction(found) else "a function"
            return f"{kind} of {inspect.signature(found)}"
    return repr(found)


def is_schema(found: object) -> bool:
    """Whether an export is a pydantic model."""
    return isinstance(found, type) and issubclass(found, BaseModel)


def is_object(found: object) -> bool:
    """Whether an export is a pydantic model of an object."""
    return is_schema(found) and not issubclass(found, RootModel)


def is_own_exception(found: object) -> bool:
    """Whether an export is an exception class that nothing else raises."""
    is_exception = isinstance(found, type) and issubclass(found, Exception)
    return is_exception and found.__module__.partition(".")[0] == "model"


def accepts(*arguments: object) -> Callable[[object], bool]:
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


def stop_at_fault(kinds: list[tuple[type[BaseModel], str]], ours: type | None = None) -> None:
    """Stop with the name of the first field that JSON, or already pydantic, cannot say."""
    for kind, mode in kinds:
        for name, field in kind.model_fields.items():
            alone = {name: (field.annotation, field), "__config__": kind.model_config}
            try:
                one = create_model("One", **alone)
                if ours:
                    one.model_json_schema(mode=mode, schema_generator=ours)
            except PydanticUserError:
                way_out = "write float, str, list[float], bytes or a pydantic model instead"
                place = f"model/__init__.py: {kind.__name__}.{name}"
                sys.exit(f"{place} is {field.annotation!r}, which JSON cannot say: {way_out}.")
