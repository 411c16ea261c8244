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


def described(kind: object) -> dict:
    """The core schema of a type, also of a model with `defer_build`."""
    adapter = TypeAdapter(kind)
    adapter.rebuild()
    return adapter.core_schema


def compiled(into: Callable, kind: object, change: Callable = lambda schema: schema) -> object:
    """What reads a type strictly from JSON, or writes it, after a change of its core schema."""
    schema = described(kind)
    schema = change(spelled(schema, {one["ref"]: one for one in schema.get("definitions", ())}))
    changes = READING | (CHOOSING if holds(schema, "union") else {})
    schema = stricter(schema, WRITING if into is SchemaSerializer else changes)
    # Without this setting, pydantic takes what it has compiled of a class in the place of a schema.
    return into(schema, _use_prebuilt=False)


def reader(kind: object, change: Callable = lambda schema: schema) -> Callable:
    """A function that reads a type strictly from JSON whose numbers are finite."""
    read = compiled(partial(SchemaValidator, config=STRICT), kind, change).validate_json
    is_open = any(holds(described(kind), one) for one in OPEN)
    return partial(values.looked_at, read) if is_open else read


# The author's own `strict=False` is stronger than this setting.
STRICT = {"strict": True}
writer = partial(compiled, SchemaSerializer)


def stricter(part: object, changes: dict[str, Callable]) -> object:
    """A part of a core schema, changed by its type.

    A validator of the author's makes values of its own. A type that has a name may be behind one.
    """
    kind = kind_of(part)
    if kind == "function-after" and is_encoded(part["function"]["function"]):
        changes = changes | {"bytes": lenient}  # Base64Bytes, which reads base64 by itself
    if kind == "definitions" and any(holds(part, one) for one in AUTHORS):
        named = [stricter(one, changes | MADE) for one in part["definitions"]]
        return part | {"schema": stricter(part["schema"], changes), "definitions": named}
    changes = changes | (MADE if kind in AUTHORS else {})
    keys = part.get("keys_schema") if kind in KEYED else None
    part = within(part, partial(stricter, changes=changes))
    part = part | {"keys_schema": names(keys, changes)} if keys else part
    return changes[kind](part) if kind in changes else part


def names(keys: dict, changes: dict[str, Callable]) -> dict:
    """The names of an object: what is made of a text does not fit exactly."""
    return keys if keys["type"] == "str" else inexact(stricter(keys, changes | NAMES))


def guarded(part: dict) -> dict:
    """A validator of the author's; a value that it stumbles over is read as it is.

    The validator expects a value of the right type. If there is one, it is the fault.
    """
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


def is_own(function: object) -> bool:
    """Whether a function is pydantic's own, and not one of the author's."""
    return str(getattr(function, "__module__", "")).startswith("pydantic")


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
    if part.get("custom_init"):
        sys.exit(OWN_INIT.format(part["cls"].__name__))
    config = STRICT | {"extra_fields_behavior": "forbid"} | part.get("config", {})
    if part["type"] == "typed-dict":  # for which pydantic decides otherwise
        is_undecided = part.get("extra_behavior", "ignore") == "ignore"
        part = part | ({"extra_behavior": "forbid"} if is_undecided else {})
    return part | {"config": config}


def nullable(part: dict) -> dict:
    """An object whose numbers are null if they are not finite; JSON has nothing else for them."""
    return part | {"config": part.get("config", {}) | {"ser_json_inf_nan": "null"}}


def choice(part: dict) -> dict:
    """A literal or a member of an Enum."""
    return read_by(partial(values.chosen, known(part)))(part)


def known(part: dict) -> list[tuple]:
    """The values of a literal or of an Enum, each with what pydantic makes a member of."""
    if part["type"] == "enum":
        return [(one.value, one.value) for one in part["members"]]
    return [(getattr(one, "value", one), one) for one in part["expected"]]


def ranked(part: dict) -> dict:
    """A union in which a text is that text, where this fits, and not the date that it looks like.

    pydantic takes the first choice that a value fits exactly.
    """
    return part | {"choices": sorted(choices(part), key=is_text, reverse=True)}


def parted(part: dict) -> dict:
    """A union in which bytes come before what would write them as it does anything."""
    is_last = partial(holds, kind="any") if holds(part, "bytes") else None
    return part | {"choices": sorted(choices(part), key=is_last) if is_last else choices(part)}


def choices(part: dict) -> list[dict]:
    """The choices of a union, without their names."""
    return [choice[0] if isinstance(choice, tuple) else choice for choice in part["choices"]]


def is_text(part: dict) -> bool:
    """Whether a choice is a text, or a list of texts."""
    inner = WITHIN.get(part["type"])
    return part["type"] == "str" or (inner in part and is_text(part[inner]))


def spelled(part: object, named: dict, config: dict | None = None) -> object:
    """A part of a core schema with the types that have names, but for records, in their places.

    A default is read here as pydantic reads it: it is no JSON.
    """
    target = named.get(part["schema_ref"]) if kind_of(part) == "definition-ref" else None
    if target and not any(holds(target, one) for one in RECORDS):
        own = target | part | {"type": target["type"]}  # a serializer of the field
        own = {key: found for key, found in own.items() if key not in ("ref", "schema_ref")}
        named = {ref: named[ref] for ref in named if ref != target["ref"]}  # which may hold itself
        return spelled(own, named, config)
    config = part.get("config", config) if kind_of(part) else config
    part = defaulted(part, named, config) if kind_of(part) == "default" else part
    return within(part, partial(spelled, named=named, config=config))


def defaulted(part: dict, named: dict, config: dict | None) -> dict:
    """A type with a default that its author lets pydantic check, if so by pydantic's own rules."""
    is_checked = part.get("validate_default", (config or {}).get("validate_default"))
    if not is_checked or part.get("default_factory_takes_data"):
        return part
    whole = core_schema.definitions_schema(part, [*named.values()])
    check = SchemaValidator(whole, config).get_default_value
    part = {key: found for key, found in part.items() if key != "default"}
    return part | {"default_factory": lambda: check().value, "validate_default": False}


def by_name(part: dict) -> dict:
    """A literal or a member of an Enum as a name, which is a text where it may be one."""
    texts_last = sorted(known(part), key=lambda one: isinstance(one[0], str))
    simple = [one for one in texts_last if isinstance(one[0], (str, int, float))]
    found = {text(one): member for one, member in simple}
    return read_by(lambda name: found.get(name, name))(part)


def around(make: Callable, **more: object) -> Callable[[dict], dict]:
    """Put a core schema into another; its serializer, and its name for references, go outside."""

    def changed(part: dict) -> dict:
        own = {name: part.pop(name) for name in ("serialization", "ref") if name in part}
        return make(schema=part | more) | own

    return changed


def read_by(read: Callable, **more: object) -> Callable[[dict], dict]:
    """Let a function read a value of JSON before pydantic does.

    A validator of the author's may have read it already: such a value is left as it is.
    """
    return around(partial(core_schema.no_info_before_validator_function, read), **more)


def checked_by(check: Callable, **more: object) -> Callable[[dict], dict]:
    """Let a function look at what pydantic has read."""
    return around(partial(core_schema.no_info_after_validator_function, check), **more)


def written_by(write: dict) -> Callable[[dict], dict]:
    """Let a serializer write a value; one of the author's gets what it has written."""
    return checked_by(lambda value: value, serialization=write)


def finite(part: dict) -> dict:
    """A number of a request, which JSON cannot have as NaN or infinite."""
    return part | {"allow_inf_nan": False}


def keyed(part: dict) -> dict:
    """An object whose keys are not its names: two names may mean the same key."""
    keys = part.get("keys_schema", ANYTHING)
    if keys["type"] in ("str", "any"):
        return part
    pair = core_schema.no_info_wrap_validator_function(lambda name, read: (name, read(name)), keys)
    return checked_by(values.by_key, keys_schema=pair)(part)


def inexact(part: dict) -> dict:
    """A type that does not fit exactly, since JSON does not have it.

    Of a union, pydantic takes what fits exactly. Nothing does so behind a type for anything.
    """
    return around(lambda schema: core_schema.chain_schema([ANYTHING, schema]))(part)


def made_of_text(read: Callable) -> Callable[[dict], dict]:
    """Let a function read a text that is a value of another type."""
    return lambda part: inexact(read_by(read, **LENIENT)(part))


def gathered(part: dict) -> dict:
    """A set, which is read as a list first: it may hold numbers."""
    items = part.get("items_schema", ANYTHING)
    read = lenient(core_schema.list_schema(items, fail_fast=part.get("fail_fast")))
    make = read_by(partial(values.gathered, frozenset if part["type"] == "frozenset" else set))
    chain = around(lambda schema: core_schema.chain_schema([read, ANYTHING, make(schema)]))
    return chain(lenient(part) | {"items_schema": ANYTHING})


def as_list(part: dict) -> dict:
    """A list in the place of a generator, whose faults would show in predict."""
    return part | {"type": "list"}


def lenient(part: dict) -> dict:
    """A type that JSON has as a list, an object or a text.

    Behind a validator of the author's these are Python's, where pydantic would want, say, a deque.
    """
    return LENIENT | part


LENIENT = {"strict": False}
ANYTHING = core_schema.any_schema()
AUTHORS = {"function-before", "function-wrap", "function-plain"}  # what reads JSON itself
OPEN = (*AUTHORS, "any", "complex")  # what takes numbers that are not finite
OWN_INIT = "model/: {} has an __init__, which would read values loosely: write a model_validator."
KEYED = ("dict", "counter", "ordered-dict")
RECORDS = ("model", "dataclass", "typed-dict")
WITHIN = dict.fromkeys([*AUTHORS, "function-after", "nullable", "default"], "schema")
WITHIN |= dict.fromkeys(["list", "set", "frozenset"], "items_schema")
# How a core schema that reads changes, by its type.
READING = dict.fromkeys(RECORDS, closed) | {"literal": choice, "enum": choice}
READING |= dict.fromkeys(["list", "tuple", "deque"], lenient)
READING |= dict.fromkeys(["set", "frozenset"], gathered)
READING |= {kind: lambda part: keyed(lenient(part)) for kind in KEYED}
READING |= {"generator": as_list, "union": ranked, "uuid": inexact, "json": read_by(values.finite)}
READING |= {"int": read_by(values.integral, **LENIENT), "float": finite, "decimal": finite}
READING |= {kind: made_of_text(read) for kind, read in values.TEXTS.items()}
FINITE = checked_by(values.finite)
READING |= {"complex": lambda part: FINITE(made_of_text(values.TEXTS["complex"])(part))}
READING |= {"function-before": guarded, "function-wrap": guarded}
# In the names of an object: JSON writes numbers as texts.
NAMES = {kind: read_by(look, **LENIENT) for kind, look in values.NAMES.items()}
NAMES |= {"literal": by_name, "enum": by_name, "decimal": lambda part: finite(lenient(part))}
# Behind a validator of the author's: its numbers are its own.
MADE = {"float": dict, "decimal": NAMES["decimal"]}
# Where there are unions, pydantic takes what fits exactly, such as a text of Python.
CHOOSING = {"str": read_by(lambda text: text)}
ORDER = core_schema.wrap_serializer_function_ser_schema(values.in_order, when_used="json")
BASE64 = core_schema.plain_serializer_function_ser_schema(values.encode, when_used="json")
# How a core schema that writes changes.
WRITING = dict.fromkeys(RECORDS, nullable) | {"bytes": written_by(BASE64)}
WRITING |= {"generator": as_list, "union": parted}
WRITING |= dict.fromkeys(["set", "frozenset"], written_by(ORDER))
