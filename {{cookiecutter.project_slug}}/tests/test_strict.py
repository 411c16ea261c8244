"""JSON is read strictly, however deep, and bytes are base64 in it; in Python all is as it is."""

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

import pytest
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from service.strict import PATTERN, encode, teach

DATA = b"\xfb\xff\xbf"  # +/+/ in the standard alphabet, -_-_ in the other


@dataclass
class Plain:
    data: bytes


class Inner(BaseModel):
    data: bytes


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")

    data: bytes | None = Field(None, max_length=3)
    items: list[bytes] = []
    either: bytes | int = 0
    plain: Plain | None = None
    inner: Inner | None = None
    trees: list["Tree"] = []
    own: Base64Bytes = b""
    cls: str = "a name that a core schema has too"


teach(Tree)


def test_bytes_are_read_and_written_wherever_they_stand():
    text = encode(DATA)
    inner = {"data": text}
    document = {"data": text, "items": [text], "either": text, "plain": inner, "inner": inner}
    document |= {"trees": [document | {"trees": [], "own": "", "cls": ""}], "own": text, "cls": ""}
    tree = Tree.model_validate_json(json.dumps(document), strict=True)
    assert tree.trees[0].data == tree.items[0] == tree.either == tree.own == DATA
    assert tree.plain.data == tree.inner.data == DATA
    assert json.loads(tree.model_dump_json()) == tree.model_dump(mode="json") == document


def test_in_python_bytes_are_bytes():
    tree = Tree(data=DATA, inner=Inner(data=b""))
    assert (tree.data, tree.inner.data) == (DATA, b"")
    assert tree.model_dump()["data"] == DATA


@pytest.mark.parametrize("text", ["", "+/+", "-_-_", "+/+/\n", "AB==", "AAA=AAA=", "é", 1, None])
def test_what_is_no_base64_is_refused_where_it_stands(text):
    with pytest.raises(ValidationError) as refused:
        Tree.model_validate_json(json.dumps({"inner": {"data": text}}))
    assert [fault["loc"] for fault in refused.value.errors()] == [("inner", "data")]
    if text:
        assert not re.search(PATTERN, str(text).replace("\n", "!"))


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\xff", DATA, bytes(range(256))])
def test_what_is_written_fits_the_pattern_of_the_description(data):
    assert re.search(PATTERN, encode(data))


def test_a_bound_counts_bytes():
    assert Tree.model_validate_json('{"data": "AAAA"}').data == bytes(3)
    with pytest.raises(ValidationError, match="at most 3 bytes"):
        Tree.model_validate_json('{"data": "AAAAAA=="}')


class Pair(tuple, Enum):
    ONE = (1.5, 2.5)


class Loose(BaseModel):
    pair: Pair = Pair.ONE
    default: date | None = None
    metadata: list[datetime | int] = []
    type: int | float = 0
    table: dict[str, float] = {}
    anything: Any = {"type": "float"}
    plain: Plain | None = None


teach(Loose)


@pytest.mark.parametrize("text", ["2024-02-29T12:00:00Z", "2024-02-29T12:00:00+01:00"])
def test_a_date_is_read_as_one(text):
    document = json.dumps({"default": "2024-02-29", "metadata": [text, 3]})
    loose = Loose.model_validate_json(document, strict=True)
    assert loose.default == date(2024, 2, 29)
    assert loose.metadata == [datetime.fromisoformat(text), 3]


@pytest.mark.parametrize(
    ("member", "place"),
    [
        ('"default": "1709208000"', ("default",)),
        ('"default": "2024-02-30"', ("default",)),
        ('"default": "2024-02-29T00:00:00Z"', ("default",)),
        ('"metadata": ["1709208000"]', ("metadata", 0, "datetime")),
        ('"type": NaN', ("type", "float")),
        ('"type": 1e999', ("type", "float")),
        ('"table": {"a": -Infinity}', ("table", "a")),
        ('"anything": NaN', ("anything",)),
        ('"anything": [{"a": 1e999}]', ("anything",)),
    ],
)
def test_seconds_are_no_date_and_no_number_is_infinite(member, place):
    with pytest.raises(ValidationError) as refused:
        Loose.model_validate_json("{" + member + "}", strict=True)
    assert place in [fault["loc"] for fault in refused.value.errors()]


def test_numbers_keep_their_kind_and_python_its_infinity():
    read = Loose.model_validate_json('{"type": 2, "table": {"a": 2}, "anything": [2, 2.5]}')
    assert (type(read.type), type(read.table["a"]), read.anything) == (int, float, [2, 2.5])
    assert Loose(type=float("inf"), anything=float("inf")).type == float("inf")
    assert Loose().anything == {"type": "float"}
