"""An answer that was changed after it was made is looked at, and no validator reads it again."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import (
    AfterValidator,
    AnyUrl,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    Field,
    Json,
    PlainValidator,
    RootModel,
    SecretStr,
    ValidationError,
    WrapValidator,
    create_model,
)
from typing_extensions import TypedDict

from service.runner.fit import fitting, mended


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Access(IntFlag):
    READ = 1
    WRITE = 2


class Row(TypedDict, total=False):
    size: float


class Point(NamedTuple):
    x: float


@dataclass
class Made:
    x: float = 0
    twice: InitVar[int] = 2


FINISHED: list[float] = []


class Part(BaseModel, use_enum_values=True):
    size: float = Field(1, ge=0, alias="Size")
    colour: Colour = Colour.RED

    @cached_property
    def area(self) -> float:
        return self.size**2

    def model_post_init(self, context: object) -> None:
        FINISHED.append(self.area)


def doubled(value: float) -> float:
    return value * 2


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, 1),
        (int | None, None),
        (float, float("nan")),
        (Decimal, "1.10"),
        (date, "2024-02-29"),
        (datetime | date, "2024-02-29"),
        (timedelta, "PT1H"),
        (UUID, UUID(int=5)),
        (Path, "a/b"),
        (IPv4Address, "1.1.1.1"),
        (AnyUrl, "http://a.b"),
        (SecretStr, "a"),
        (bytes, b"\xff"),
        (Base64Bytes, b"YWI="),
        (Colour, "red"),
        (Level, 2),
        (Access, Access.READ | Access.WRITE),
        (Literal["a", 1], 1),
        (Json[list[int]], "[1]"),
        (dict[int, set[int]], {"1": [1]}),
        (Mapping[str, float], {"a": 1}),
        (Sequence[int], (1, 2)),
        (deque[int], [1]),
        (Counter[str], {"a": 1}),
        (tuple[int, ...], [1]),
        (Row, {"size": 1}),
        (Point, [1]),
        (Made, Made()),
        (Part, {"Size": 1, "colour": "red"}),
        (list[Part] | RootModel[int], [{"Size": 1}]),
        (Any, object()),
        (Annotated[float, Field(le=2), AfterValidator(doubled)], 2),
        (Annotated[float, Field(le=2), WrapValidator(lambda value, read: read(value) * 2)], 2),
        (Annotated[float, Field(le=2), PlainValidator(doubled)], 2),
        (Annotated[float, BeforeValidator(doubled), Field(le=2)], 1),
        (Annotated[list[int] | int, Field(ge=0)], 5),
    ],
)
def test_whatever_pydantic_has_made_fits(kind, value):
    output = create_model("Output", value=(kind, ...), __config__={"extra": "forbid"})
    made, number = output(value=value), len(FINISHED)
    assert fitting(output)(made) is not None
    assert len(FINISHED) == number


class Output(BaseModel, extra="forbid"):
    count: int = Field(1, ge=0)
    parts: list[Part] = []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"count": -1}, "Output.count"),
        ({"count": "1"}, "Output.count"),
        ({"count": True}, "Output.count"),
        ({"parts": [Part.model_construct(size=-1, colour="red")]}, "Output.parts.0.size"),
        ({"parts": [1]}, "Output.parts.0"),
        ({"parts": None}, "Output.parts"),
        ({"parts": [Part.model_construct(size=1, colour="blue")]}, "Output.parts.0.colour"),
        ({"parts": [{"size": 1.0, "colour": "red"}]}, "Output.parts.0"),
    ],
)
def test_what_was_changed_and_does_not_fit_is_named(change, place):
    changed, fits = Output().model_copy(update=change), fitting(Output)
    with pytest.raises(ValidationError):
        fits(changed)
    with pytest.raises(ValueError, match=f"^{place} does not fit its description"):
        mended(Output, fits, changed)


def test_an_answer_may_be_a_dict_or_of_a_class_of_its_own():
    class Special(Output):
        more: int = 1

    fits = fitting(Output)
    assert mended(Output, fits, {"count": 2}) == Output(count=2)
    assert fits(Special(count=2)) is not None
