"""JSON read more strictly than by pydantic: bytes in base64, dates as such, finite numbers.

pydantic has settings for bytes and numbers, but base64 would be of another alphabet, and each
nested model would have to repeat them. The researcher's own classes stay as they are.
"""

import base64
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from functools import partial

from pydantic import TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticCustomError, SchemaSerializer, SchemaValidator, core_schema

# What base64 looks like: padded, and with no bit set that says nothing.
PATTERN = "^(X{4})*(X{2}[AEIMQUYcgkosw048]=|X[AQgw]==)?$".replace("X", "[A-Za-z0-9+/]")


def encode(data: bytes) -> str:
    """Write bytes as base64 in the standard alphabet (RFC 4648, section 4)."""
    return base64.b64encode(data).decode()


def decode(text: object) -> bytes:
    """Read base64; an empty text is most likely a file that was lost.

    :raise PydanticCustomError: if the text is no base64 or has no bytes
    """
    if isinstance(text, bytes):
        return text
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        data = b""
    if not data or encode(data) != text:
        raise PydanticCustomError("base64", "Input should be a file, not empty (in JSON: base64)")
    return data


def dated(kind: TypeAdapter, looks: str, sample: str, text: object) -> object:
    """Read a date, or a date and time; pydantic would take "2024" for seconds since 1970.

    :raise PydanticCustomError: if the text is no date
    """
    if isinstance(text, date):
        return text
    try:
        if isinstance(text, str) and re.match(looks, text):
            return kind.validate_strings(text, strict=True)
    except ValidationError as error:
        raise PydanticCustomError("date", error.errors()[0]["msg"]) from error
    raise PydanticCustomError("date", f"Input should be {sample}")


def finite(value: object) -> object:
    """Leave a value that may be anything as it is.

    :raise PydanticCustomError: if a number in it is not finite
    """
    is_object, is_list = isinstance(value, dict), isinstance(value, list)
    for member in value.values() if is_object else value if is_list else ():
        finite(member)
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("finite_number", "Input should be a finite number")
    return value


def integral(value: object) -> object:
    """Take 8.0 for 8, as long as a float is exact; true and texts stay what they are."""
    is_exact = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if is_exact else value


def chosen(values: list, value: object) -> object:
    """Leave one of some values as it is; true and 1 are different values, as they are in JSON.

    :raise PydanticCustomError: if it equals one of them and is another
    """
    value = integral(tuple(value) if isinstance(value, list) else value)
    equal = [one for one in values if one == value]
    if equal and all(isinstance(one, bool) is not isinstance(value, bool) for one in equal):
        words = " or ".join(map(repr, values))
        raise PydanticCustomError("literal_error", "Input should be {words}", {"words": words})
    return value


def in_order(values: Iterable, write: Callable) -> list:
    """Write a set in an order that is the same in every process."""
    written = write(values)
    try:
        return sorted(written)
    except TypeError:
        return sorted(written, key=repr)


def compiled(into: Callable, kind: object, change: Callable = lambda schema: schema) -> object:
    """What reads a type strictly from JSON, or writes it, after a change of its core schema."""
    classes = []
    schema = change(stricter(TypeAdapter(kind).core_schema, classes))
    with unused(classes):
        return into(schema)


# The author's own `strict=False` is stronger than this setting.
STRICT = {"strict": True}
reader = partial(compiled, partial(SchemaValidator, config=STRICT))
writer = partial(compiled, SchemaSerializer)


@contextmanager
def unused(classes: list[type]) -> Iterator[None]:
    """Keep pydantic from taking what it has compiled of these classes in the place of a schema."""
    complete = [found for found in classes if found.__pydantic_complete__]
    for found in complete:
        found.__pydantic_complete__ = False
    try:
        yield
    finally:
        for found in complete:
            found.__pydantic_complete__ = True


def stricter(
    part: object, classes: list[type], has_float: bool = False, is_later: bool = False
) -> object:
    """A part of a core schema that reads JSON strictly; it lists the classes in it.

    Beside a float, in a union, 8.0 is no integer. A later part is one that comes after a validator
    of the author's, which makes lists and texts of Python out of JSON.
    """
    kind = kind_of(part)
    has_float = has_float or (kind == "union" and holds(part, "float"))
    if kind == "function-after" and "serialization" in part:
        return part  # Base64Bytes, which reads base64 by itself
    if kind in ("model", "dataclass") and "__pydantic_complete__" in vars(part["cls"]):
        classes.append(part["cls"])
    is_later = is_later or kind in ("function-before", "function-wrap")
    inner = partial(stricter, classes=classes, has_float=has_float, is_later=is_later)
    part = within(part, inner)
    part = LATER[kind](part) if is_later and kind in LATER else part
    is_changed = kind in CHANGES and not (kind == "int" and has_float)
    return CHANGES[kind](part) if is_changed else part


def kind_of(part: object) -> str:
    """The type of a core schema; nothing for what is none, such as schemas by name."""
    kind = part.get("type") if type(part) is dict else ""
    return kind if isinstance(kind, str) else ""


def within(part: object, change: Callable) -> object:
    """A part of a core schema with all parts in it changed."""
    if type(part) in (list, tuple):
        return type(part)(map(change, part))
    if type(part) is not dict:  # such as a member of an Enum, whatever else that is
        return part
    # These may look like a schema, and are none, except where they are the names of fields.
    opaque = ("default", "metadata") if kind_of(part) else ()
    return {name: found if name in opaque else change(found) for name, found in part.items()}


def holds(part: object, kind: str) -> bool:
    """Whether a type is in a core schema."""
    if isinstance(part, dict):
        return part.get("type") == kind or any(holds(one, kind) for one in part.values())
    return isinstance(part, (list, tuple)) and any(holds(one, kind) for one in part)


def closed(part: dict) -> dict:
    """An object that refuses unknown members, unless its author has decided on them."""
    config = STRICT | {"extra_fields_behavior": "forbid"} | part.get("config", {})
    if part["type"] == "typed-dict":  # for which pydantic decides otherwise
        is_undecided = part.get("extra_behavior", "ignore") == "ignore"
        part = part | ({"extra_behavior": "forbid"} if is_undecided else {})
    return part | {"config": config}


def lenient(part: dict) -> dict:
    """A list of any kind, or a decimal, from Python's lists, numbers and texts."""
    return {"strict": False} | part


def ordered(part: dict) -> dict:
    """A set that is written in an order."""
    write = core_schema.wrap_serializer_function_ser_schema(in_order, when_used="json")
    return {"serialization": write} | part


def timed(part: dict) -> dict:
    """A time or a duration from Python's texts."""
    return read_by(in_words)(lenient(part))


def in_words(value: object) -> object:
    """Leave a value that is no number, which pydantic would take for seconds.

    :raise PydanticCustomError: if it is a number
    """
    if isinstance(value, (int, float)):
        raise PydanticCustomError("text", "Input should be a text such as 08:30 or PT8H30M")
    return value


def choice(part: dict) -> dict:
    """A literal or a member of an Enum."""
    values = [getattr(one, "value", one) for one in part.get("expected", part.get("members"))]
    return read_by(partial(chosen, values))(part)


def texts_first(part: dict) -> dict:
    """A union in which a text is that text, where this fits, and not the date that it looks like.

    pydantic takes the first choice that a value fits exactly, as a text of Python does.
    """
    choices = [choice[0] if isinstance(choice, tuple) else choice for choice in part["choices"]]
    return part | {"choices": sorted(map(exact, choices), key=rank)}


def exact(part: dict) -> dict:
    """A choice of a union that takes a text as that text."""
    if part["type"] == "str":
        return read_by(lambda text: text)(part)
    return part | {"schema": exact(part["schema"])} if part["type"] in WRAPS else part


def rank(part: dict) -> int:
    """The place of a choice: first a text, then what has a name (PEP 695), which may be one."""
    while part["type"] in WRAPS:
        part = part["schema"]
    return ["str", "definition-ref", part["type"]].index(part["type"])


def keyed(part: dict) -> dict:
    """An object by name, whose keys may be numbers."""
    return part | {"keys_schema": by_name(part.get("keys_schema", {"type": "str"}))}


def by_name(part: object) -> object:
    """A part of the core schema of a key; JSON has texts as names, also of numbers."""
    if kind_of(part) in NAMES:
        return read_by(partial(number, NAMES[part["type"]]))(part)
    return part if holds(part, "str") else within(part, by_name)  # a name is a text first


def number(pattern: str, name: object) -> object:
    """Read a name that is a number, as JSON writes it."""
    return json.loads(name) if isinstance(name, str) and re.fullmatch(pattern, name) else name


def read_by(read: Callable, **more: object) -> Callable[[dict], dict]:
    """Let a function read a value of JSON before pydantic does.

    A validator of the author's may have read it already: such a value is left as it is.
    """

    def changed(part: dict) -> dict:
        # The name for references (PEP 695) goes outside, and so does a field_serializer.
        own = {name: part.pop(name) for name in ("serialization", "ref") if name in part}
        return core_schema.no_info_before_validator_function(read, part) | more | own

    return changed


WRAPS = {"nullable", "default", "function-before", "function-after", "function-wrap"}
BASE64 = core_schema.plain_serializer_function_ser_schema(encode, when_used="json")
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
DATES = {
    "date": partial(dated, TypeAdapter(date), DAY, "a date such as 2024-02-29"),
    "datetime": partial(
        dated,
        TypeAdapter(datetime),
        f"{DAY}[Tt _]",
        "a date and time such as 2024-02-29T08:30:00",
    ),
}
LATER = dict.fromkeys(["list", "tuple", "set", "frozenset", "decimal"], lenient)
LATER |= {"time": timed, "timedelta": timed}
# How a core schema changes, by its type.
CHANGES = {"model": closed, "dataclass": closed, "typed-dict": closed}
CHANGES |= {
    "float": lambda part: part | {"allow_inf_nan": False},
    "set": ordered,
    "frozenset": ordered,
}
# The pattern of a name that stands for a number, by the type of the key.
INTEGER = "-?(0|[1-9][0-9]*)"
NUMBER = r"-?(0|[1-9][0-9]{0,99})(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?"  # which a double holds
NAMES = {"int": INTEGER, "float": NUMBER}
CHANGES |= {
    "dict": keyed,
    "union": texts_first,
    "str": lambda part: exact(part) if "ref" in part else part,
    "literal": choice,
    "enum": choice,
    "any": read_by(finite),
    "int": read_by(integral),
}
CHANGES |= {"bytes": read_by(decode, serialization=BASE64)}
CHANGES |= {kind: read_by(read) for kind, read in DATES.items()}


INNER = create_model("Inner", number=(float, ...), data=(bytes, ...))
PROBE = create_model("Probe", inner=(list[INNER], ...))  # what a model may nest


def probe() -> None:
    """Stop the start where this pydantic lets a nested number that is not finite by, or bytes."""
    text, found = '{"inner":[{"number":%s,"data":"+/+/"}]}', []
    for number in ("1.5", "NaN"):
        with suppress(ValidationError):
            read = reader(PROBE).validate_json(text % number)
            found += [read.inner[0].data, writer(PROBE).to_json(read).decode()]
    if found != [b"\xfb\xff\xbf", text % "1.5"]:
        sys.exit("This version of pydantic reads nested numbers or bytes otherwise: take another.")
