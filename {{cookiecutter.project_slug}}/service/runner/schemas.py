"""What programs and people are told of `Input` and `Output`, as JSON schemas."""

import sys

from pydantic import BaseModel, PydanticUserError, create_model
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from service.runner.contract import Contract
from service.runner.strict import PATTERN, encode

REFERENCE = "#/components/schemas/{model}"  # where OpenAPI keeps what is named


class Schemas(GenerateJsonSchema):
    """pydantic's schemas, with what the service does differently from pydantic."""

    def float_schema(self, schema: dict) -> dict:
        """A number, or the null that stands in an answer for what is not finite."""
        number = super().float_schema(schema)
        return number if self.mode == "validation" else {"anyOf": [number, {"type": "null"}]}

    def bytes_schema(self, schema: dict) -> dict:
        """A text of base64, four characters for three bytes; in a request at least one byte."""
        least = {"min_length": 1} if self.mode == "validation" else {}
        found = super().bytes_schema(least | schema)
        lengths = {name: (found[name] + 2) // 3 * 4 for name in found if "Length" in name}
        return {"type": "string", "contentEncoding": "base64", "pattern": PATTERN} | lengths

    def model_schema(self, schema: dict) -> dict:
        """An object, which in a request has no unknown members unless its author allows them."""
        is_open = "extra_fields_behavior" in schema.get("config", {})
        own = {} if is_open or self.mode != "validation" else {"additionalProperties": False}
        return super().model_schema(schema) | own

    def encode_default(self, default: object) -> object:
        """A default as JSON has it."""
        return encode(default) if isinstance(default, bytes) else super().encode_default(default)


def schemas(contract: Contract) -> dict:
    """The schemas of what the model takes and gives, and all that these refer to by name."""
    kinds = [(contract.Input, "validation"), (contract.Output, "serialization")]
    try:
        found, named = models_json_schema(kinds, ref_template=REFERENCE, schema_generator=Schemas)
    except PydanticUserError:
        stop_at_fault(kinds)
        raise
    takes, gives = found.values()
    return {"input": takes, "output": gives, "named": named.get("$defs", {})}


def stop_at_fault(kinds: list[tuple[type[BaseModel], str]]) -> None:
    """Stop with the name of the first field that JSON cannot say."""
    for kind, mode in kinds:
        for name, field in kind.model_fields.items():
            alone = {name: (field.annotation, field)}
            try:
                create_model("Alone", __config__=kind.model_config, **alone).model_json_schema(
                    mode=mode
                )
            except PydanticUserError:
                way_out = "write float, str, list[float], bytes or a pydantic model instead"
                place = f"model/__init__.py: {kind.__name__}.{name}"
                sys.exit(f"{place} is {field.annotation!r}, which JSON cannot say: {way_out}.")
