"""JSON is read strictly, however deep, and bytes are base64 in it; the classes stay as they are."""

import json
import re
import time
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import SchemaValidator
from typing_extensions import TypeAliasType, TypedDict

from service.runner import __main__ as program
from service.runner import strict
from service.runner.__main__ import probe
from service.runner.refusals import hasty
from service.runner.strict import reader, writer
from service.runner.values import PATTERN, encode

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


def read(kind: object, text: str) -> object:
    """Read JSON as a model process does."""
    return reader(kind)(text)


def refusals(kind: object, text: str) -> list[tuple]:
    """The places of what is refused in JSON."""
    with pytest.raises(ValidationError) as refused:
        read(kind, text)
    return [fault["loc"] for fault in refused.value.errors()]


def test_bytes_are_read_and_written_wherever_they_stand():
    text = encode(DATA)
    inner = {"data": text}
    document = {"data": text, "items": [text], "either": text, "plain": inner, "inner": inner}
    document |= {"trees": [document | {"trees": [], "own": "", "cls": ""}], "own": text, "cls": ""}
    tree = read(Tree, json.dumps(document))
    assert tree.trees[0].data == tree.items[0] == tree.either == tree.own == DATA
    assert tree.plain.data == tree.inner.data == DATA
    assert json.loads(writer(Tree).to_json(tree)) == document


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Pair(Enum):
    NEAR = (1, 2)
    FAR = (8, 9)


class Numbers(BaseModel):
    pair: Pair = Pair.NEAR
    one: int = 0
    few: list[int] = []
    level: Level = Level.LOW
    choice: Literal[1, 2] = 1
    truth: Literal[True, "maybe"] = "maybe"
    either: int | str = 0
    broad: int | float = 0
    names: set[str] = set()
    mixed: frozenset[int | str] = frozenset()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"one": 8.0}', 8),
        ('{"one": -0.0}', 0),
        ('{"few": [1.0, 2]}', [1, 2]),
        ('{"level": 2.0}', Level.HIGH),
        ('{"choice": 2.0}', 2),
        ('{"pair": [8, 9]}', Pair.FAR),
        ('{"truth": true}', True),
        ('{"either": 8.0}', 8),
        ('{"either": "8"}', "8"),
        ('{"broad": 8.0}', 8.0),
        ('{"broad": 8}', 8),
    ],
)
def test_an_integral_number_is_an_integer(text, value):
    (name,) = json.loads(text)
    found = getattr(read(Numbers, text), name)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    [
        '{"one": true}',
        '{"one": 8.5}',
        '{"one": "8"}',
        '{"one": 9007199254740993.0}',  # not exact as a float
        '{"few": [true]}',
        '{"level": true}',
        '{"choice": true}',
        '{"truth": 1}',
    ],
)
def test_a_truth_a_text_and_a_fraction_are_no_integers(text):
    assert refusals(Numbers, text)[0][0] in text


def test_a_set_is_written_in_one_order():
    numbers = Numbers(names=set("hgfedcba"), mixed={10, 9, "b", "a"})
    written = json.loads(writer(Numbers).to_json(numbers))
    assert (written["names"], written["mixed"]) == (sorted("abcdefgh"), ["a", "b", 10, 9])


class Members(TypedDict):
    name: str


class Open(BaseModel, extra="allow"):
    name: str


class Blind(BaseModel, extra="ignore"):
    name: str


@pytest.mark.parametrize("kind", [Inner, Plain, Members])
def test_an_unknown_member_is_refused(kind):
    names = {"name": "a", "data": "+/+/", "other": 1}
    assert refusals(kind, json.dumps({**names}))[-1][-1] == "other"


@pytest.mark.parametrize("kind", [Open, Blind])
def test_an_unknown_member_is_taken_where_the_author_says_so(kind):
    found = read(kind, '{"name": "a", "other": 1}')
    assert getattr(found, "other", None) == (1 if kind is Open else None)


def test_in_python_bytes_are_bytes():
    tree = Tree(data=DATA, inner=Inner(data=b""))
    assert (tree.data, tree.inner.data) == (DATA, b"")
    assert writer(Tree).to_python(tree)["data"] == tree.model_dump()["data"] == DATA


@pytest.mark.parametrize("text", ["", "+/+", "-_-_", "+/+/\n", "AB==", "AAA=AAA=", "é", 1, None])
def test_what_is_no_base64_is_refused_where_it_stands(text):
    assert refusals(Tree, json.dumps({"inner": {"data": text}})) == [("inner", "data")]
    if text:
        assert not re.search(PATTERN, str(text).replace("\n", "!"))


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\xff", DATA, bytes(range(256))])
def test_what_is_written_fits_the_pattern_of_the_description(data):
    assert re.search(PATTERN, encode(data))


def test_a_bound_counts_bytes():
    assert read(Tree, '{"data": "AAAA"}').data == bytes(3)
    with pytest.raises(ValidationError, match="at most 3 bytes"):
        read(Tree, '{"data": "AAAAAA=="}')


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


@pytest.mark.parametrize("text", ["2024-02-29T12:00:00Z", "2024-02-29T12:00:00+01:00"])
def test_a_date_is_read_as_one(text):
    loose = read(Loose, json.dumps({"default": "2024-02-29", "metadata": [text, 3]}))
    assert loose.default == date(2024, 2, 29)
    assert loose.metadata == [datetime.fromisoformat(text), 3]


@pytest.mark.parametrize(
    ("member", "place"),
    [
        ('"default": "1709208000"', ("default",)),
        ('"default": "2024-02-30"', ("default",)),
        ('"default": "2024-02-29T00:00:00Z"', ("default",)),
        ('"metadata": ["1709208000"]', ("metadata", 0)),
        ('"type": NaN', ("type",)),
        ('"type": 1e999', ("type",)),
        ('"table": {"a": -Infinity}', ("table", "a")),
        ('"anything": NaN', ("anything",)),
        ('"anything": [{"a": 1e999}]', ("anything",)),
    ],
)
def test_seconds_are_no_date_and_no_number_is_infinite(member, place):
    found = refusals(Loose, "{" + member + "}")
    assert place in [where[: len(place)] for where in found]


def test_numbers_keep_their_kind_and_python_its_infinity():
    loose = read(Loose, '{"type": 2, "table": {"a": 2}, "anything": [2, 2.5]}')
    assert (type(loose.type), type(loose.table["a"]), loose.anything) == (int, float, [2, 2.5])
    assert Loose(type=float("inf"), anything=float("inf")).type == float("inf")
    assert Loose().anything == {"type": "float"}


@pytest.mark.parametrize("kind", [Tree, Loose, Inner, Plain])
def test_the_classes_of_the_researcher_are_left_alone(kind):
    names = [f"__pydantic_{part}__" for part in ("core_schema", "validator", "serializer")]
    before = [getattr(kind, name, None) for name in [*names, "__pydantic_complete__"]]
    schema = str(before[0])
    reader(kind), reader(list[kind]), writer(kind), writer(list[kind])
    after = [getattr(kind, name, None) for name in [*names, "__pydantic_complete__"]]
    assert all(one is other for one, other in zip(before, after, strict=True))
    assert str(after[0]) == schema


def test_by_themselves_they_read_and_write_as_pydantic_does():
    read(Tree, '{"inner": {"data": "AAAA"}}')
    tree = Tree.model_validate_json('{"inner": {"data": "-_-_"}}')
    assert tree.inner.data == b"-_-_"
    assert json.loads(tree.model_dump_json())["inner"] == {"data": "-_-_"}
    assert Loose.model_validate_json('{"table": {"a": NaN}, "default": "1709164800"}').default


# What `type Mass = …` is from Python 3.12 on.
Mass = TypeAliasType("Mass", Annotated[float, Field(gt=0)])
Picture = TypeAliasType("Picture", bytes)
Day = TypeAliasType("Day", date)
Inners = TypeAliasType("Inners", list[Inner])


class Aliased(BaseModel):
    first: Mass = 1.5
    second: Mass = 1.5
    masses: list[Mass] = []
    front: Picture = DATA
    back: Picture | None = DATA
    begin: Day = date(2024, 2, 29)
    end: Day = date(2024, 2, 29)
    left: Inners = []
    right: Inners = []


def test_a_type_with_a_name_may_stand_in_two_places():
    day, inners = "2024-02-28", [{"data": "AAAA"}]
    document = {"first": 2.5, "second": 0.5, "masses": [1.5], "front": "AAAA", "back": "+/+/"}
    document |= {"begin": day, "end": day, "left": inners, "right": inners}
    found = read(Aliased, json.dumps(document))
    assert (found.second, found.front, found.back) == (0.5, bytes(3), DATA)
    assert found.end == date(2024, 2, 28) and found.right[0].data == bytes(3)
    assert json.loads(writer(Aliased).to_json(found)) == document


@pytest.mark.parametrize(
    ("member", "place"),
    [
        ('"first": NaN', ("first",)),
        ('"second": Infinity', ("second",)),
        ('"second": 0', ("second",)),
        ('"masses": [1e999]', ("masses", 0)),
        ('"front": "-_-_"', ("front",)),
        ('"back": ""', ("back",)),
        ('"end": "1709208000"', ("end",)),
        ('"right": [{"data": "-_-_"}]', ("right", 0, "data")),
    ],
)
def test_it_is_read_strictly_in_both(member, place):
    assert refusals(Aliased, "{" + member + "}") == [place]


ALIKE = [str(n * (2**61 - 1)) for n in range(1, 100_000)]  # Python gives all of them one hash


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (set[int], ALIKE),
        (frozenset[Any], ALIKE),
        (set[int | str], ALIKE),
        (set[tuple[int, int]], [f"[1, {one}]" for one in ALIKE]),
        (set[Decimal], [f'"{one}"' for one in ALIKE]),
        (set[complex], [f'"{-1000003 * n}+{n}j"' for n in range(1, 100_000)]),
        (set[UUID], [f'"{UUID(int=int(one))}"' for one in ALIKE]),
        (dict[int, int], [f'"{one}": 1' for one in ALIKE]),
        (dict[Decimal, int], [f'"{one}": 1' for one in ALIKE]),
    ],
)
@pytest.mark.parametrize("change", [hasty, lambda schema: schema])
def test_numbers_of_one_hash_cost_no_more_than_others(kind, values, change):
    ends, begun = "{}" if "dict" in str(kind) else "[]", time.process_time()
    with pytest.raises(ValidationError, match="at most 100 numbers with the same remainder"):
        reader(kind, change)(ends[0] + ",".join(values) + ends[1])
    assert time.process_time() - begun < 2  # 25 s, if each is compared with each


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (set[int], json.dumps([7] * 1000 + [8.0]), {7, 8}),
        (set[int], f"[{','.join(ALIKE[:50] * 9)}]", {*map(int, ALIKE[:50])}),
        (frozenset[Any], "[1, 1.5, null]", frozenset([1, 1.5, None])),
        (dict[int, int], '{"1": 1, "-1": 2}', {1: 1, -1: 2}),
    ],
)
def test_a_set_of_numbers_may_repeat_them(kind, text, value):
    found = read(kind, text)
    assert (found, type(found)) == (value, type(value))


def test_what_no_set_can_hold_is_refused_by_name():
    assert refusals(set[Any], "[1, [2]]") == [(1,)]
    assert refusals(set[int], '[1, "2"]') == [(1,)]
    assert refusals(Annotated[set[int], Field(min_length=2)], "[1, 1]") == [()]


def test_this_pydantic_reads_as_it_must():
    assert probe() is None


def test_the_service_is_refused_where_nothing_is_read_strictly(monkeypatch):
    monkeypatch.setattr(strict, "stricter", lambda part, *_: part)
    with pytest.raises(SystemExit, match="take another"):
        probe()


@pytest.mark.parametrize("kind", ["bytes", "float"])
def test_the_service_is_refused_where_one_kind_is_read_as_by_pydantic(monkeypatch, kind):
    monkeypatch.delitem(strict.READING, kind)
    with pytest.raises(SystemExit, match="take another"):
        probe()


def test_the_service_is_refused_where_only_the_outermost_class_is_read_strictly(monkeypatch):
    """As where pydantic takes what it has compiled of a nested class in the place of its schema."""
    loose = partial(SchemaValidator, config=strict.STRICT)
    compiled = partial(strict.compiled, lambda schema, **_: loose(schema))
    monkeypatch.setattr(program, "reader", lambda kind: compiled(kind).validate_json)
    with pytest.raises(SystemExit, match="take another"):
        probe()
