"""What programs and people are told of `Input` and `Output`, as JSON schemas."""

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
        """An object, which in a request has no unknown members."""
        members = super().model_schema(schema)
        return members | {"additionalProperties": False} if self.mode == "validation" else members

    def encode_default(self, default: object) -> object:
        """A default as JSON has it."""
        return encode(default) if isinstance(default, bytes) else super().encode_default(default)


def schemas(contract: Contract) -> dict:
    """The schemas of what the model takes and gives, and all that these refer to by name."""
    kinds = [(contract.Input, "validation"), (contract.Output, "serialization")]
    found, named = models_json_schema(kinds, ref_template=REFERENCE, schema_generator=Schemas)
    takes, gives = found.values()
    return {"input": takes, "output": gives, "named": named.get("$defs", {})}
