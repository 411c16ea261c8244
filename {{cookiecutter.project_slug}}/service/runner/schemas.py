"""What programs and people are told of `Input` and `Output`, as JSON schemas."""

import json
import math
import re
import sys
from enum import Flag
from itertools import combinations

from pydantic import BaseModel, PydanticUserError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from service.fields import values
from service.runner.contract import Contract, stop_at_fault
from service.runner.shapes import finite, in_base64, promised_nothing, zoned
from service.runner.strict import RECORDS, is_own
from service.runner.values import DATE, DIGITS, FOREIGN, LOOKS, PATTERN, TIME, encode, sized
from service.schema import OTHER, REQUIRED
from service.words import text

NOT_FINITE = {"type": "null", "description": "not finite (NaN or infinite)"}
MISSING = {"type": "null", "description": "missing (NaT)"}  # which is a datetime for pydantic
# The names that pydantic gives to the bounds of another type, and those of JSON Schema
BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
BOUNDS |= {"multiple_of": "multipleOf"}
PATHS = "model/__init__.py: the field {} has an AliasPath, which no schema can say: give it a name."
NULLS = ("nullable", "any", "float", "datetime")  # the types that have null in an answer
REFERENCE = "#/components/schemas/{model}"  # where OpenAPI keeps what is named


class Schemas(GenerateJsonSchema):
    """pydantic's schemas, with what the service does differently from pydantic."""

    def generate_inner(self, schema: dict) -> dict:
        """A part of a schema; the bounds behind a validator or of a union are those of numbers."""
        found = super().generate_inner(schema)
        if self.is_anything(schema) and schema["type"] not in RECORDS:
            return promised_nothing(found)
        if re.search(FOREIGN, found.get("pattern", "")):
            found["description"] = f"Matches {found.pop('pattern')}"
        if isinstance(unit := found.get("units"), str):  # as many write it
            found.setdefault("unit", unit)
        bounds = {BOUNDS[key]: found.pop(key) for key in BOUNDS if key in found}
        bounds = {key: bounds[key] for key in bounds if type(bounds[key]) in (int, float)}
        for option in found.get("anyOf", [found]):
            if option.get("type") in ("integer", "number"):
                option |= bounds
        updates = schema.get("metadata", {}).get("pydantic_js_updates", {})
        sizes = {key: size for key, size in updates.items() if "Length" in key}
        if found.get("type") == "object":
            sizes = {key.replace("Length", "Properties"): sizes[key] for key in sizes}
        return found | (in_base64(sizes) if "contentEncoding" in found else sizes)

    def is_anything(self, schema: dict) -> bool:
        """Whether an answer is written by a serializer that does not say what it returns."""
        write = schema.get("serialization", {}) if self.mode == "serialization" else {}
        is_silent = "function" in write and "return_schema" not in write
        return is_silent and not is_own(write["function"])

    def default_schema(self, schema: dict) -> dict:
        """A value with a default, which may be null in an answer whatever its type is."""
        is_null = self.mode == "serialization" and schema.get("default", ...) is None
        if is_null and schema["schema"]["type"] not in NULLS:
            schema = schema | {"schema": core_schema.nullable_schema(schema["schema"])}
        return super().default_schema(schema)

    def chain_schema(self, schema: dict) -> dict:
        """The input of a chain: with the pattern behind a validator, if both are of one type."""
        found = super().chain_schema(schema)
        for step in map(self.generate_inner, schema["steps"]):
            found = step | found if step.get("type") == found.get("type") else found
        return found

    def float_schema(self, schema: dict) -> dict:
        """A number, or the null that stands in an answer for what is not finite."""
        return self.given(super().float_schema(schema), NOT_FINITE)

    def given(self, found: dict, null: dict) -> dict:
        """The schema of a value, and in an answer the null that may stand in its place."""
        options = [*found.get("anyOf", [found]), null]
        return found if self.mode == "validation" else {"anyOf": options}

    def bytes_schema(self, schema: dict) -> dict:
        """A text of base64, four characters for three bytes; in a request at least one byte."""
        least = {"min_length": 1} if self.mode == "validation" else {}
        found = super().bytes_schema(least | schema)
        form = {"type": "string", "contentEncoding": "base64", "pattern": PATTERN}
        return form | in_base64(found)

    def decimal_schema(self, schema: dict) -> dict:
        """A number, or a text of its digits."""
        found = super().decimal_schema(schema)
        own = {"number": {}, "string": {"pattern": DIGITS}}
        options = found.get("anyOf", [found])
        return {"anyOf": [one | {"format": "decimal"} | own[one["type"]] for one in options]}

    def complex_schema(self, schema: dict) -> dict:
        """A text such as 1+2j, or in a request also a number."""
        found = super().complex_schema(schema) | {"format": "complex"}
        options = [found | {"type": "number"}, found]
        return {"anyOf": options} if self.mode == "validation" else found

    def enum_schema(self, schema: dict) -> dict:
        """The members of an Enum: a number with its name, as generators of clients know it."""
        found, names = super().enum_schema(schema), [one.name for one in schema["members"]]
        is_number = found.get("type") in ("integer", "number")
        if issubclass(schema["cls"], Flag):
            said = ", ".join(f"{one.value} ({one.name})" for one in schema["members"])
            return {"type": "integer", "description": f"The sum of some of {said}"}
        return found | ({"x-enum-varnames": names} if is_number else {})

    def dict_schema(self, schema: dict) -> dict:
        """An object of values by name, which has no names but those that its keys allow."""
        found = super().dict_schema(schema)
        for taken in found.pop("patternProperties", {}).values():
            found["additionalProperties"] = taken
        found.pop("propertyNames", None)
        names = self.named(self.generate_inner(schema.get("keys_schema", {"type": "any"})))
        return found | ({"propertyNames": names} if names else {})

    def named(self, keys: dict) -> dict:
        """The names in JSON of values of a schema; nothing where they are any texts."""
        keys, is_taken = self.resolve_ref_schema(keys), self.mode == "validation"
        kind, form = keys.get("type"), keys.get("format", keys.get("type"))
        if kind in ("number", "null", "array", "object") and not is_taken:
            return {}  # such as nan, None and 1,2
        if kind in ("array", "object"):
            raise PydanticInvalidForJsonSchema("a name is a text")
        unsaid = [MISSING] + [{"type": "null"}] * is_taken
        options = [one for one in keys.get("anyOf", []) if one not in unsaid]
        numbers = [one for one in options if one.get("pattern") != DIGITS]
        if found := [self.named(one) for one in numbers or options]:
            several = {"anyOf": found} if all(found) else {}
            return several if found[1:] else found[0]
        if known := list(dict.fromkeys(text(one) for one in values(keys) if one is not None)):
            keys = {key: keys[key] for key in keys if key != "const"}
            return keys | {"type": "string", "enum": known}
        if form in LOOKS:
            return keys | {"type": "string", "format": form, "pattern": sized(keys, form)}
        return {} if keys.keys() <= {"type", "title"} else keys

    def named_tuple_schema(self, schema: dict) -> dict:
        """A NamedTuple: the list of its values, or in a request also an object."""
        found = super().named_tuple_schema(schema)
        named = self.kw_arguments_schema(schema["fields"], None)
        return {"anyOf": [found, named]} if self.mode == "validation" else found

    def tagged_union_schema(self, schema: dict) -> dict:
        """A choice by a member, which has to be there even if it has a default."""
        found = super().tagged_union_schema(schema)
        tag = found.get("discriminator", {}).get("propertyName")
        if self.mode == "serialization":  # a serializer may write what is of several choices
            return {"anyOf" if key == "oneOf" else key: found[key] for key in found}
        return found | ({"required": [tag]} if tag else {})

    def field_is_present(self, field: dict) -> bool:
        """Whether an object has a member: of a dataclass, not one that its author has set."""
        is_set = self.mode == "validation" and field.get("init") is False
        return super().field_is_present(field) and not is_set

    def set_schema(self, schema: dict) -> dict:
        """A list without an order, in which a request may repeat an item."""
        found = super().set_schema(schema)
        return {key: found[key] for key in found if key != "uniqueItems"} | {"x-unordered": True}

    frozenset_schema = set_schema

    def datetime_schema(self, schema: dict) -> dict:
        """A date and time, which has a zone only where the author asks for one."""
        return self.given(zoned(super().datetime_schema(schema), schema, f"{DATE}T{TIME}"), MISSING)

    def time_schema(self, schema: dict) -> dict:
        """A time of day, which has a zone only where the author asks for one."""
        return zoned(super().time_schema(schema), schema, TIME)

    def model_schema(self, schema: dict) -> dict:
        """An object, which in a request has no unknown members unless its author allows them.

        A RootModel may be anything.
        """
        is_open = schema.get("root_model") or "extra_fields_behavior" in schema.get("config", {})
        is_open = is_open or schema.get("extra_behavior", "ignore") != "ignore"
        describe = getattr(super(), f"{schema['type'].replace('-', '_')}_schema")
        if self.mode == "validation":
            return describe(schema) | ({} if is_open else {"additionalProperties": False})
        return promised_nothing(describe(schema)) if self.is_anything(schema) else describe(schema)

    dataclass_schema = typed_dict_schema = model_schema

    def _named_required_fields_schema(self, fields: list[tuple]) -> dict:
        """The members of an object; a field of several names is given by one of them."""
        found = super()._named_required_fields_schema(fields)
        members, needed = found["properties"], found.get("required", [])
        for own, is_required, field in fields if self.mode == "validation" else ():
            first, *rest = names = self.names(own, field)
            if not rest:
                continue
            members |= {name: members[first] | {OTHER: first} for name in rest} | members
            one, two = ([{"required": [*some]} for some in combinations(names, n)] for n in (1, 2))
            rule = {} if self._config.extra in ("allow", "ignore") else {"not": {"anyOf": two}}
            if is_required:
                needed.remove(first)
                rule |= {"anyOf": one, REQUIRED: first}
            found.setdefault("allOf", []).append(rule)
        return found

    def names(self, own: str, field: dict) -> list[str]:
        """The names by which a field is taken, first that of the schema."""
        alias = field.get("validation_alias", own) if self._config.validate_by_alias else own
        paths = [[alias]] if isinstance(alias, str) else alias
        if any(isinstance(path, str) or len(path) > 1 for path in paths):
            sys.exit(PATHS.format(own))
        is_by_name = self._config.populate_by_name or self._config.validate_by_name
        return list(dict.fromkeys([path[0] for path in paths] + [own] * bool(is_by_name)))

    def encode_default(self, default: object) -> object:
        """A default as JSON has it; finite() leaves out one that JSON does not have."""
        if isinstance(default, BaseModel):  # without what is computed, which a request has not
            default = default.model_dump(round_trip=True, by_alias=True)
        try:
            json.dumps(default, allow_nan=False, default=str, skipkeys=True)
        except ValueError:
            return math.nan
        return encode(default) if isinstance(default, bytes) else super().encode_default(default)


def schemas(contract: Contract) -> dict:
    """The schemas of what the model takes and gives, and all that these refer to by name."""
    kinds = [(contract.Input, "validation"), (contract.Output, "serialization")]
    try:
        found, named = models_json_schema(kinds, ref_template=REFERENCE, schema_generator=Schemas)
    except PydanticUserError:
        stop_at_fault(kinds, Schemas)
        raise
    takes, gives = found.values()
    return finite({"input": takes, "output": gives, "named": named.get("$defs", {})})
