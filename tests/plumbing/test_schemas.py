"""What programs are told of a model is what a model process takes and gives."""

import re
from enum import Enum, IntEnum

from pydantic import BaseModel, Field

from service.runner.contract import Contract
from service.runner.schemas import schemas
from service.runner.values import DIGITS, PATTERN


class Input(BaseModel):
    mass: float = 1.5
    picture: bytes = Field(b"\0", max_length=4)


class Output(BaseModel):
    mass: float
    count: int = Field(json_schema_extra={"units": "cells"})
    picture: bytes


FOUND = schemas(Contract(Input, Output, lambda inputs: inputs, None, None))
TAKES, GIVES = FOUND["named"]["Input"], FOUND["named"]["Output"]


def test_an_input_has_no_other_members_and_an_answer_says_nothing_of_it():
    assert FOUND["input"] == {"$ref": "#/components/schemas/Input"}
    assert TAKES["additionalProperties"] is False
    assert "additionalProperties" not in GIVES


def test_a_number_is_finite_in_a_request_and_may_be_null_in_an_answer():
    assert TAKES["properties"]["mass"]["type"] == "number"
    kinds = [option["type"] for option in GIVES["properties"]["mass"]["anyOf"]]
    assert kinds == ["number", "null"]
    assert GIVES["properties"]["count"]["type"] == "integer"


def test_a_unit_may_be_called_units():
    assert GIVES["properties"]["count"]["unit"] == "cells"


def test_bytes_are_base64_not_empty_in_a_request_and_their_lengths_are_those_of_the_text():
    taken, given = TAKES["properties"]["picture"], GIVES["properties"]["picture"]
    for schema in (taken, given):
        assert (schema["type"], schema["contentEncoding"]) == ("string", "base64")
        assert schema["pattern"] == PATTERN
    assert (taken["minLength"], taken["maxLength"], taken["default"]) == (4, 8, "AA==")
    assert "minLength" not in given


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Colour(Enum):
    RED = "red"


class Chosen(BaseModel):
    level: Level
    colour: Colour


def test_a_number_of_an_enum_has_its_name():
    named = schemas(Contract(Chosen, Output, lambda inputs: inputs, None, None))["named"]
    assert named["Level"]["x-enum-varnames"] == ["LOW", "HIGH"]
    assert "x-enum-varnames" not in named["Colour"]


class Open(BaseModel, extra="allow"):
    mass: float


def test_an_input_says_that_it_takes_other_members_where_its_author_does():
    found = schemas(Contract(Open, Output, lambda inputs: inputs, None, None))
    assert found["named"]["Open"]["additionalProperties"] is True


def test_a_decimal_written_as_a_text_has_no_exponent_that_no_decimal_has():
    assert re.match(DIGITS, "1.5E100000") and re.match(DIGITS, "1e-0007")
    assert not re.match(DIGITS, ".0E2000000000000000000")
