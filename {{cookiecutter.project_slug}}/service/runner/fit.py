"""An answer is checked once more: a model may have changed it since it was made, or made it unread.

No validator of the author's reads what it has read before: a unit would be converted twice.
"""

from collections.abc import Callable
from enum import Flag

from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator, core_schema

from service.runner.loose import nulls
from service.runner.strict import STRICT, described, is_own, kind_of, within

CHANGED = "{} does not fit its description, and was changed after it was made: {}"


def fitting(kind: type[BaseModel]) -> Callable[[object], BaseModel]:
    """Make a check that raises ValidationError if an answer does not fit, or is no `Output`."""
    return SchemaValidator(unread(described(kind)), STRICT, _use_prebuilt=False).validate_python


def mended(kind: type[BaseModel], fits: Callable, found: object) -> BaseModel:
    """Give an answer that does not fit: made of a dict, or without NumPy's values and pandas'.

    :raise ValueError: if that does not fit either
    """
    found = nulls(found if isinstance(found, kind) else kind.model_validate(found))
    try:
        fits(found)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(["Output", *map(str, fault["loc"])])
        raise ValueError(CHANGED.format(place, fault["msg"])) from error
    return found


def unread(part: object) -> object:
    """A part of a core schema that looks at what another has read."""
    part = within(part, unread)
    kind = kind_of(part)
    if kind not in CHANGES:
        return part
    return CHANGES[kind](part) | {key: part[key] for key in ("ref",) if key in part}


def again(model: dict) -> dict:
    """A model whose instances are looked at, by the names that their fields have in Python.

    A dict in the place of an instance would be written as it is.
    """
    config = STRICT | model.get("config", {}) | {"revalidate_instances": "always"}
    if config.get("extra_fields_behavior") == "forbid":  # a subclass may have more
        config["extra_fields_behavior"] = "ignore"
    left = ("post_init", "custom_init", "ref")
    own = {key: found for key, found in model.items() if key not in left} | {"config": config}
    return core_schema.chain_schema([core_schema.is_instance_schema(model["cls"]), own])


def named(field: dict) -> dict:
    """A field by its name in Python."""
    return {key: found for key, found in field.items() if key != "validation_alias"}


def made(part: dict) -> dict:
    """The result of a validator, which may be beyond the bounds that are told."""
    check = part["function"]["function"]
    if is_own(check):
        return part if check.__module__ == CHECKS else ANY
    return unbounded(part["schema"])


def unbounded(part: dict) -> dict:
    """A type without bounds."""
    inner = {"schema": unbounded(part["schema"])} if "schema" in part else {}
    return {key: found for key, found in part.items() if key not in LIMITS} | inner


def member(part: dict) -> dict:
    """A member of an Enum, or its value, which `use_enum_values` leaves; flags may be combined."""
    members = part["members"]
    known = core_schema.literal_schema([*members, *(one.value for one in members)])
    return ANY if issubclass(part["cls"], Flag) else known


def defaulted(part: dict) -> dict:
    """A value that is there; none where none is the default, whatever the type says."""
    is_none = part.get("default", ...) is None
    return {"type": "nullable", "schema": part["schema"]} if is_none else part["schema"]


CHECKS = "pydantic._internal._validators"  # whose functions leave a value as it is
LIMITS = {"gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern"}
LIMITS |= {"max_digits", "decimal_places"}
ANY = {"type": "any"}
CHANGES = {"function-after": made, "function-wrap": made}
CHANGES |= dict.fromkeys(["function-before", "json"], lambda part: part.get("schema", ANY))
CHANGES |= dict.fromkeys(["function-plain", "generator", "chain"], lambda part: ANY)
CHANGES |= dict.fromkeys(["model-field", "typed-dict-field"], named)
CHANGES |= {"enum": member, "model": again, "default": defaulted}
# An answer has null for a number that is not finite, and for a time that is missing.
CHANGES |= dict.fromkeys(["float", "datetime"], lambda part: {"type": "nullable", "schema": part})
CHANGES |= {"dataclass": lambda part: {"type": "is-instance", "cls": part["cls"]}}
CHANGES |= {"tagged-union": lambda part: {"type": "union", "choices": [*part["choices"].values()]}}
