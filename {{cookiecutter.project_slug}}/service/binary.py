"""Bytes, such as files: base64 in JSON, where pydantic by itself would read and write UTF-8."""

import base64

from pydantic import BaseModel
from pydantic_core import PydanticCustomError, SchemaSerializer, SchemaValidator, core_schema

# What such a text looks like: padded, and with no bit set that says nothing.
PATTERN = "^(X{4})*(X{2}[AEIMQUYcgkosw048]=|X[AQgw]==)?$".replace("X", "[A-Za-z0-9+/]")


def encode(data: bytes) -> str:
    """Write bytes as base64 in the standard alphabet (RFC 4648, section 4)."""
    return base64.b64encode(data).decode()


def decode(text: object) -> bytes:
    """Read base64; whoever sends no bytes has most likely lost a file.

    :raise PydanticCustomError: if the text is no base64 or has no bytes
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        data = b""
    if not data or encode(data) != text:
        raise PydanticCustomError("base64", "Input should be a file, not empty, in base64")
    return data


def teach(model: type[BaseModel]) -> None:
    """Let a model read and write bytes as base64 in JSON, also those of what is nested in it.

    In Python they stay bytes. pydantic has a setting for it, but that one writes another
    alphabet, and each nested model would have to repeat it.
    """
    model.model_rebuild()  # a no-op, unless it is not complete yet
    if "'type': 'bytes'" not in repr(model.__pydantic_core_schema__):
        return
    built = []
    schema = model.__pydantic_core_schema__ = with_base64(model.__pydantic_core_schema__, built)
    for found in built:
        found.__pydantic_complete__ = False  # or pydantic takes what it has built of it
    model.__pydantic_validator__ = SchemaValidator(schema)
    model.__pydantic_serializer__ = SchemaSerializer(schema)
    for found in built:
        found.__pydantic_complete__ = True


def with_base64(part: object, built: list[type]) -> object:
    """A part of a core schema with base64 for bytes in JSON; lists the classes in it as built."""
    if type(part) in (list, tuple):
        return type(part)(with_base64(member, built) for member in part)
    if not isinstance(part, dict):
        return part
    if "serialization" in part and part.get("type") in ("function-after", "json-or-python"):
        return part  # Base64Bytes, which does so by itself, or done
    if part.get("type") in ("model", "dataclass") and "__pydantic_complete__" in vars(part["cls"]):
        built.append(part["cls"])
    part = {name: with_base64(member, built) for name, member in part.items()}
    if part.get("type") != "bytes":
        return part
    read = core_schema.no_info_before_validator_function(decode, part)
    write = core_schema.plain_serializer_function_ser_schema(encode, when_used="json")
    own = part.get("serialization", write)  # a field_serializer goes first
    return core_schema.json_or_python_schema(read, part, serialization=own)
