"""A refusal names paths into the input, and costs no more than the input weighs."""

import json
import time
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, create_model, field_validator

from service import frames
from service.errors import ROW, InvalidInput
from service.runner.answers import Model
from service.runner.contract import Contract
from service.runner.refusals import Reader, Stop


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    bark: float


class Metal(BaseModel):
    nk: list[float]


class Glass(BaseModel):
    index: float
    name: str


class Input(BaseModel):
    either: int | str = 0
    nir: float | list[float] = 1.0
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    layers: list[Metal | Glass] = []
    shares: dict[str, float] = {}
    pairs: list[tuple[float, float]] = []
    size: float = Field(1, alias="Größe", gt=0)
    even: int = 2

    @field_validator("even")
    @classmethod
    def check(cls, value: int) -> int:
        if value % 2:
            raise ValueError("An odd number of electrodes has no pairs. " * 5)
        return value


class Output(BaseModel):
    anything: Any = None


class Declined(Exception):
    pass


def predict(inputs: Input) -> Output:
    if inputs.even == 4:
        raise Declined("Four stations are too few.")
    return Output(anything=inputs.even)


MODEL = Model(Contract(Input, Output, predict, None, None, Declined), 20_000)
BIG = create_model("Big", **{f"field_{number}": (float, ...) for number in range(300)})
MANY = Model(Contract(BIG, Output, predict, None, None), 20_000)
NESTED = Model(Contract(create_model("Outer", a=(BIG, ...)), Output, predict, None, None), 20_000)


def refused(body: str, model: Model = MODEL) -> dict:
    """The refusal of a body by a model process."""
    kind, _, found = model.answer(frames.PREDICT, b"", body.encode())
    assert kind == frames.INVALID, found
    return json.loads(found)


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"nir": ["a", 1]}, {"nir.0": "Input should be a valid number"}),
        ({"nir": "a"}, {"nir": "Input should be a valid number or a valid array"}),
        ({"either": []}, {"either": "Input should be a valid string or a valid integer"}),
        ({"pet": {"kind": "cat"}}, {"pet.lives": "Field required"}),
        ({"pet": {"kind": "dog", "bark": "a"}}, {"pet.bark": "Input should be a valid number"}),
        ({"layers": [{"nk": [1, "a"]}]}, {"layers.0.nk.1": "Input should be a valid number"}),
        ({"shares": {"Fe": "a"}}, {"shares.Fe": "Input should be a valid number"}),
        ({"pairs": [[1, 2], [1, None]]}, {"pairs.1.1": "Input should be a valid number"}),
        ({"Größe": 0}, {"Größe": "Input should be greater than 0"}),
        ({"size": 1}, {"size": "No such field"}),
        ([], {"body": "Input should be an object"}),
    ],
)
def test_a_fault_is_named_as_its_sender_would_name_it(given, errors):
    found = refused(json.dumps(given))["errors"]
    assert errors.items() <= found.items(), found
    assert not any(sign in place for place in found for sign in "[]()"), found


def test_the_words_of_the_author_are_whole():
    assert (
        refused('{"even": 1}')["errors"]["even"] == "An odd number of electrodes has no pairs. " * 5
    )


def test_all_faults_of_an_input_are_named_at_once():
    found = refused('{"even": "a", "either": null, "other": 1, "pairs": [[1, "a"], [null, 1]]}')
    assert list(found["errors"]) == ["either", "pairs.0.1", "pairs.1.0", "even", "other"]
    assert found["number"] == 5


def test_of_many_faults_the_first_are_named_and_all_are_counted():
    found = refused(json.dumps({"shares": {f"k{number}": "a" for number in range(300)}}))
    assert (len(found["errors"]), found["number"]) == (20, 300)
    detail = InvalidInput(found["errors"], {}, found["supplied"], found["number"]).members()[
        "detail"
    ]
    assert detail.endswith("These are 20 of 300 faults.")


def test_another_choice_of_a_union_fits_where_a_name_of_the_first_is_missing():
    kind, _, _ = MODEL.answer(
        frames.PREDICT, b"", b'{"layers": [{"index": 1.5, "name": "BK7"}, {"nk": [1]}]}'
    )
    assert kind == frames.ANSWER


def test_what_is_read_is_what_pydantic_makes():
    read = Reader(Input).read('{"Größe": 2, "nir": [1]}')
    assert read == Input(**{"Größe": 2, "nir": [1]})
    assert read.model_extra is None and read.model_fields_set == {"size", "nir"}


KEYS = ",".join(f'"k{number}": 1' for number in range(300_000))


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ("{" + KEYS + "}", MODEL),
        ("{" + KEYS + "}", MANY),
        ('{"a": {' + KEYS + "}}", NESTED),
        ('{"nir": [' + ",".join(['""'] * 1_000_000) + "]}", MODEL),
        ('{"layers": [' + ",".join(["{}"] * 1_000_000) + "]}", MODEL),
        ('{"shares": {' + KEYS.replace(" 1", '""') + "}}", MODEL),
    ],
    ids=["unknown", "of many fields", "nested", "items", "objects", "members"],
)
def test_a_long_body_is_refused_at_its_first_faults(body, model):
    start = time.process_time()
    found = refused(body, model)
    assert time.process_time() - start < 2
    assert len(json.dumps(found)) < 10_000
    detail = InvalidInput(found["errors"], {}, {}, found["number"]).members()["detail"]
    assert "may have more" in detail or "faults" in detail


AS_JSON = b"[[], true]"  # how a batch is answered


def test_rows_that_lack_many_fields_cost_little():
    start = time.process_time()
    body = MANY.answer(frames.PART, b"", frames.join([AS_JSON, *[b"{}"] * 500]))[2]
    assert (time.process_time() - start) / len(frames.split(body)) < 0.0005  # seconds a row


@pytest.mark.parametrize("kind", [frames.PREDICT, frames.PART])
def test_the_model_itself_may_refuse_an_input(kind):
    body = b'{"even": 4}'
    sent = body if kind == frames.PREDICT else frames.join([AS_JSON, body])
    said, _, words = MODEL.answer(kind, b"", sent)
    if kind == frames.PART:
        (row,) = frames.split(words)
        said, words = row[:1], row[1:]
    assert (said, words) == (frames.DECLINED, b"Four stations are too few.")


@pytest.mark.parametrize("author", ["x" * 50_000, "é" * 50_000, "\x00" * 50_000])
def test_an_answer_to_a_refusal_is_short(author):
    names = [f"field {number}" for number in range(300)]
    required, reasons = dict.fromkeys(names, "x" * 300), dict.fromkeys(names, author)
    error = InvalidInput(reasons, required, {name: [author] for name in names})
    assert len(json.dumps(error.first(ROW), ensure_ascii=False)) < 6 * 1000
    assert len(json.dumps(error.members(), ensure_ascii=False).encode()) < 64_000


def test_stop_is_no_fault_of_the_model():
    with pytest.raises(Stop):
        Reader(BIG).read("{}")
    with pytest.raises(ValidationError):
        Reader(BIG).read_whole("{}")


def test_a_list_that_is_too_deep_to_read_is_refused_all_the_same(served):
    name = next(iter(served.named))
    assert served.told(f"{name}.0", "No number", {name: ["[" * 100_000]}).startswith("No number")
