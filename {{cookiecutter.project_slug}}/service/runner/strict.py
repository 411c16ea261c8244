"""JSON read more strictly than by pydantic: bytes in base64, dates as such, finite numbers.

pydantic has settings for bytes and numbers, but base64 would be of another alphabet, and each
nested model would have to repeat them. The researcher's own classes stay as they are.
"""

import sys
from collections.abc import Callable
from functools import partial

from pydantic import TypeAdapter
from pydantic.types import EncodedBytes
from pydantic_core import SchemaSerializer, SchemaValidator, core_schema

from service.runner import values
from service.words import text


def compiled(into: Callable, kind: object, change: Callable = lambda schema: schema) -> object:
    """What reads a type strictly from JSON, or writes it, after a change of its core schema."""
    adapter = TypeAdapter(kind)
    adapter.rebuild()  # of a model with `defer_build`
    schema = adapter.core_schema
    named = {one["ref"]: one for one in schema.get("definitions", ())}
    is_read = into is not SchemaSerializer
    # Last, since hasty() would take a guard around a validator for a choice of a union
    schema = guarded(change(stricter(spelled(schema, named), is_read)))
    # Without this setting, pydantic takes what it has compiled of a class in the place of a schema.
    return into(schema, _use_prebuilt=False)


# The author's own `strict=False` is stronger than this setting.
STRICT = {"strict": True}
reader = partial(compiled, partial(SchemaValidator, config=STRICT))
writer = partial(compiled, SchemaSerializer)


def stricter(
    part: object, is_read: bool, has_float: bool = False, is_later: bool = False
) -> object:
    """A part of a core schema that reads JSON strictly.

    Beside a float, in a union, 8.0 is no integer. A later part is one that comes after a validator
    of the author's, which makes lists and texts of Python out of JSON, and numbers of its own.
    """
    kind = kind_of(part)
    has_float = has_float or (kind == "union" and holds(part, "float"))
    if kind == "function-after" and is_encoded(part["function"]["function"]):
        return part  # Base64Bytes, which reads base64 by itself
    if is_read and kind == "model" and part.get("custom_init"):
        sys.exit(OWN_INIT.format(part["cls"].__name__))
    is_first = kind in AUTHORS and not is_later
    is_later = is_later or is_first
    inner = partial(stricter, is_read=is_read, has_float=has_float, is_later=is_later)
    if kind == "definitions" and any(holds(part, one) for one in AUTHORS):
        return named_later(part, inner)
    part = within(part, inner)
    part = part | {"metadata": GUARDED} if kind in ("function-before", "function-wrap") else part
    part = LATER[kind](part) if is_later and kind in LATER else part
    if (kind == "int" and has_float) or (is_later and kind in ("float", "any")):
        return part
    part = CHANGES.get(kind, dict)(part) if kind else part
    part = ranked(part, is_read) if kind == "union" else part
    return read_by(values.finite)(part) if is_first else part


def named_later(part: dict, inner: Callable) -> dict:
    """A schema with types that have names, each of which may come after a validator too.

    So all numbers are looked at before.
    """
    named = [inner(one, is_later=True) for one in part["definitions"]]
    schema = read_by(values.finite)(inner(part["schema"]))
    return part | {"schema": schema, "definitions": named}


def guarded(part: object) -> object:
    """A part of a core schema in which a value that a validator stumbles over is read as it is.

    The validator of an author expects a value of the right type. If there is one, it is the fault.
    """
    part = within(part, guarded)
    if not kind_of(part) or part.get("metadata") is not GUARDED:
        return part
    check, is_wrap = part["function"]["function"], part["type"] == "function-wrap"

    def read(given: object, inner: Callable, *info: object) -> object:
        try:
            made = check(given, inner, *info) if is_wrap else check(given, *info)
        except (TypeError, AttributeError, LookupError):
            inner(given)  # raises what is wrong with the value
            raise
        return made if is_wrap else inner(made)

    return part | {"type": "function-wrap", "function": part["function"] | {"function": read}}


def kind_of(part: object) -> str:
    """The type of a core schema; nothing for what is none, such as schemas by name."""
    kind = part.get("type") if type(part) is dict else ""
    return kind if isinstance(kind, str) else ""


def is_encoded(function: Callable) -> bool:
    """Whether a validator is that of bytes in an encoding."""
    return isinstance(getattr(function, "__self__", None), EncodedBytes)


def within(part: object, change: Callable) -> object:
    """A part of a core schema with all parts in it changed."""
    if type(part) in (list, tuple):
        return type(part)(map(change, part))
    if type(part) is not dict:  # such as a member of an Enum, whatever else that is
        return part
    # These may look like a schema, and are none, except where they are the names of fields. A
    # serializer has the type of a validator; what it gives is a schema.
    own = dict.fromkeys(["default", "metadata"], lambda found: found)
    own = own | {"serialization": partial(within, change=change)} if kind_of(part) else {}
    return {name: own.get(name, change)(found) for name, found in part.items()}


def holds(part: object, kind: str) -> bool:
    """Whether a type is in a core schema."""
    if isinstance(part, dict):
        found = (one for name, one in part.items() if name != "serialization")
        return part.get("type") == kind or any(holds(one, kind) for one in found)
    return isinstance(part, (list, tuple)) and any(holds(one, kind) for one in part)


def closed(part: dict) -> dict:
    """An object that refuses unknown members, unless its author has decided on them."""
    config = STRICT | {"extra_fields_behavior": "forbid"} | part.get("config", {})
    config |= {"ser_json_inf_nan": "null"}  # whatever its author says: JSON has nothing else
    if part["type"] == "typed-dict":  # for which pydantic decides otherwise
        is_undecided = part.get("extra_behavior", "ignore") == "ignore"
        part = part | ({"extra_behavior": "forbid"} if is_undecided else {})
    return part | {"config": config}


def lenient(part: dict) -> dict:
    """A list of any kind, or a decimal, from Python's lists, numbers and texts."""
    return {"strict": False} | part


def ordered(part: dict) -> dict:
    """A set that is written in an order, also by a serializer around it."""
    write = core_schema.wrap_serializer_function_ser_schema(values.in_order, when_used="json")
    if "serialization" not in part:
        return part | {"serialization": write}
    own = {name: part.pop(name) for name in ("serialization", "ref") if name in part}
    inner = part | {"serialization": write}
    return core_schema.no_info_after_validator_function(lambda read: read, inner) | own


def timed(part: dict) -> dict:
    """A time or a duration from Python's texts."""
    return read_by(values.in_words)(lenient(part))


def choice(part: dict) -> dict:
    """A literal or a member of an Enum."""
    return read_by(partial(values.chosen, known(part)))(part)


def known(part: dict) -> list[tuple]:
    """The members of a literal or of an Enum, each behind its value."""
    return [(getattr(one, "value", one), one) for one in part.get("expected", part.get("members"))]


def ranked(part: dict, is_read: bool) -> dict:
    """A union in which a text is that text, where this fits, and not the date that it looks like.

    pydantic takes the first choice that a value fits exactly, as a text of Python does. An answer
    is written by the first choice of the author's, since a serializer may take any value.
    """
    choices = [choice[0] if isinstance(choice, tuple) else choice for choice in part["choices"]]
    texts, others = [], []
    for is_text, choice in map(exact, choices):
        (texts if is_text and is_read else others).append(choice)
    if holds(part, "bytes"):  # what takes anything would write also what that has read
        others.sort(key=partial(holds, kind="any"))
    return part | {"choices": texts + others}


def exact(part: dict) -> tuple[bool, dict]:
    """Whether a choice is a text, or a list or an object of texts, and the choice."""
    if part["type"] == "str":
        return True, read_by(lambda text: text)(part)
    inner = WITHIN.get(part["type"])
    if inner not in part:
        return False, part
    is_text, found = exact(part[inner])
    return is_text, part | {inner: found}


def keyed(part: dict) -> dict:
    """An object by name, whose keys may be numbers."""
    return part | {"keys_schema": by_name(part.get("keys_schema", {"type": "str"}))}


def spelled(part: object, named: dict, is_key: bool = False, config: dict | None = None) -> object:
    """A part of a core schema in which keys and single values stand in the place of their names.

    A default is read here as pydantic reads it: it is no JSON.
    """
    while kind_of(part) == "definition-ref":
        target = named.get(part["schema_ref"], {})
        if not is_key and not is_single(target):
            break
        own = target | part | {"type": target["type"]}  # a serializer of the field
        part = {key: found for key, found in own.items() if key not in ("ref", "schema_ref")}
    keys = part.get("keys_schema") if kind_of(part) == "dict" else None
    config = part.get("config", config) if kind_of(part) else config
    part = defaulted(part, named, config) if kind_of(part) == "default" else part
    part = within(part, partial(spelled, named=named, is_key=is_key, config=config))
    return part | {"keys_schema": spelled(keys, named, is_key=True)} if keys else part


def is_single(part: dict) -> bool:
    """Whether a type is of single values, such as a number with bounds and a validator."""
    return is_single(part["schema"]) if part.get("type") in WRAPS else part.get("type") in SINGLE


def defaulted(part: dict, named: dict, config: dict | None) -> dict:
    """A type with a default that its author lets pydantic check, if so by pydantic's own rules."""
    is_checked = part.get("validate_default", (config or {}).get("validate_default"))
    if not is_checked or part.get("default_factory_takes_data"):
        return part
    whole = core_schema.definitions_schema(part, [*named.values()])
    check = SchemaValidator(whole, config).get_default_value
    part = {key: found for key, found in part.items() if key != "default"}
    return part | {"default_factory": lambda: check().value, "validate_default": False}


def by_name(part: object) -> object:
    """A part of the core schema of a key; JSON has texts as names, also of numbers."""
    kind = kind_of(part)
    if kind in values.NAMES:
        return read_by(partial(values.unquoted, values.NAMES[kind]))(part)
    if kind in ("literal", "enum"):
        found = [one for one, _ in known(part) if isinstance(one, (str, int, float))]
        found = {text(one): one for one in sorted(found, key=lambda one: isinstance(one, str))}
        return read_by(lambda name: found.get(name, name))(part)
    return part if holds(part, "str") else within(part, by_name)  # a name is a text first


def read_by(read: Callable, **more: object) -> Callable[[dict], dict]:
    """Let a function read a value of JSON before pydantic does.

    A validator of the author's may have read it already: such a value is left as it is.
    """

    def changed(part: dict) -> dict:
        # The name for references (PEP 695) goes outside, and so does a field_serializer.
        own = {name: part.pop(name) for name in ("serialization", "ref") if name in part}
        return core_schema.no_info_before_validator_function(read, part | more) | own

    return changed


GUARDED = {"is_guarded": True}  # the metadata of a validator of the author's
AUTHORS = {"function-before", "function-wrap", "function-plain"}  # what reads JSON itself
OWN_INIT = "model/: {} has an __init__, which would read values loosely: write a model_validator."
WRAPS = {"nullable", "default", "function-before", "function-after", "function-wrap"}
SINGLE = {"str", "int", "float", "bool", "decimal", "date", "datetime", "bytes"}
WITHIN = dict.fromkeys(WRAPS, "schema") | {"dict": "values_schema"}
WITHIN |= dict.fromkeys(["list", "set", "frozenset"], "items_schema")
BASE64 = core_schema.plain_serializer_function_ser_schema(values.encode, when_used="json")
LATER = dict.fromkeys(["list", "tuple", "set", "frozenset", "decimal", "complex"], lenient)
LATER |= {"time": timed, "timedelta": timed}
# How a core schema changes, by its type.
CHANGES = {"model": closed, "dataclass": closed, "typed-dict": closed}
CHANGES |= {"float": lambda part: part | {"allow_inf_nan": False}}
CHANGES |= {"generator": lambda part: part | {"type": "list"}}  # or faults would show in predict
CHANGES |= {"str": lambda part: exact(part)[1] if "ref" in part else part}
CHANGES |= {"set": ordered, "frozenset": ordered, "dict": keyed}
CHANGES |= {"literal": choice, "enum": choice}
CHANGES |= {"any": read_by(values.finite), "int": read_by(values.integral)}
CHANGES |= {"bytes": read_by(values.decode, serialization=BASE64)}
CHANGES |= {kind: read_by(read) for kind, read in values.DATES.items()}
