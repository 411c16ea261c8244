"""Bytes are base64 in JSON, in the standard alphabet, however deep; in Python they are bytes."""

import json
import re
from dataclasses import dataclass

import pytest
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from service.binary import PATTERN, encode, teach

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


def test_a_model_without_bytes_is_left_alone():
    class Number(BaseModel):
        value: int

    before = Number.__pydantic_validator__
    teach(Number)
    assert Number.__pydantic_validator__ is before
