"""JSON read more strictly than by pydantic: bytes in base64, dates as such, finite numbers.

pydantic has settings for bytes and numbers, but base64 would be of another alphabet, and each
nested model would have to repeat them. The researcher's own classes stay as they are.
"""

import base64
import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial

from pydantic import BaseModel, TypeAdapter, ValidationError
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
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        data = b""
    if not data or encode(data) != text:
        raise PydanticCustomError("base64", "Input should be a file, not empty, in base64")
    return data


def dated(kind: TypeAdapter, text: object) -> object:
    """Read a date, with or without a time; pydantic would take "2024" for seconds since 1970.

    :raise PydanticCustomError: if the text is no date
    """
    try:
        if isinstance(text, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return kind.validate_strings(text, strict=True)
    except ValidationError as error:
        raise PydanticCustomError("date", error.errors()[0]["msg"]) from error
    raise PydanticCustomError("date", "Input should be a date that starts like 2024-02-29")


def finite(value: object) -> object:
    """Leave a value that may be anything as it is.

    :raise PydanticCustomError: if a number in it is not finite
    """
    for member in value.values() if isinstance(value, dict) else []:
        finite(member)
    for member in value if isinstance(value, list) else []:
        finite(member)
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("finite_number", "Input should be a finite number")
    return value


# What reads a value before pydantic does, by the type of its core schema.
READERS = {"bytes": decode, "any": finite}
READERS |= {kind.__name__: partial(dated, TypeAdapter(kind)) for kind in (date, datetime)}


def reader(kind: object) -> SchemaValidator:
    """What reads JSON strictly into a type."""
    classes = []
    schema = stricter(TypeAdapter(kind).core_schema, classes)
    with unused(classes):
        return SchemaValidator(schema)


def writer(kind: object) -> SchemaSerializer:
    """What writes a type as JSON, bytes as base64."""
    classes = []
    schema = stricter(TypeAdapter(kind).core_schema, classes)
    with unused(classes):
        return SchemaSerializer(schema)


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


def stricter(part: object, classes: list[type]) -> object:
    """A part of a core schema that reads JSON strictly; lists the classes in it."""
    if type(part) in (list, tuple):
        return type(part)(stricter(member, classes) for member in part)
    if type(part) is not dict:  # such as a member of an Enum, whatever else that is
        return part
    kind = part.get("type")
    if not isinstance(kind, str):  # not a schema, but schemas by name
        return {name: stricter(member, classes) for name, member in part.items()}
    if kind == "function-after" and "serialization" in part:
        return part  # Base64Bytes, which reads base64 by itself
    if kind in ("model", "dataclass") and "__pydantic_complete__" in vars(part["cls"]):
        classes.append(part["cls"])
    opaque = ("default", "metadata")  # may look like a schema, and are none
    part = {name: part[name] if name in opaque else stricter(part[name], classes) for name in part}
    if kind == "union":
        part["choices"] = [choice(found) for found in part["choices"]]
    if kind == "float":
        return outermost(core_schema.json_or_python_schema, part | {"allow_inf_nan": False}, part)
    if kind not in READERS:
        return part
    read = core_schema.no_info_before_validator_function(READERS[kind], part)
    write = None
    if kind == "bytes":
        write = core_schema.plain_serializer_function_ser_schema(encode, when_used="json")
    own = part.get("serialization", write)  # a field_serializer goes first
    return outermost(core_schema.json_or_python_schema, read, part, serialization=own)


def outermost(wrap: object, json: dict, python: dict, **more: object) -> dict:
    """Wrap a schema; the name by which others refer to it (PEP 695) goes to the outside."""
    name = python.get("ref")
    for inner in (json, json.get("schema", {}), python):
        inner.pop("ref", None)
    return wrap(json, python, ref=name, **more)


def choice(found: dict | tuple) -> dict | tuple:
    """A choice of a union under its plain name, or errors would list all that stands in it."""
    if isinstance(found, dict) and found["type"] == "json-or-python":
        return found, found["python_schema"]["type"]
    return found


class Inner(BaseModel):
    """A part of the probe."""

    number: float
    data: bytes


class Probe(BaseModel):
    """What a model may nest; see probe()."""

    inner: list[Inner]


def probe() -> None:
    """Stop the start where this pydantic lets a nested number that is not finite by, or bytes."""
    text = '{"inner":[{"number":%s,"data":"+/+/"}]}'
    read = reader(Probe)
    found = read.validate_json(text % "1.5")
    is_read = found.inner[0].data == b"\xfb\xff\xbf"
    is_written = writer(Probe).to_json(found).decode() == text % "1.5"
    try:
        read.validate_json(text % "NaN")
        is_strict = False
    except ValidationError:
        is_strict = True
    if not (is_read and is_written and is_strict):
        sys.exit("This version of pydantic reads nested numbers or bytes otherwise: take another.")
