"""Other models behind the same plumbing: one folder is replaced, and nothing else is touched."""

import csv
import io
import json
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest
from conftest import refused_start, run_module, swapped

HEAD = "from pydantic import BaseModel, Field\n"
PENDULUM = (
    HEAD
    + '''
class Input(BaseModel):
    length: float = Field(gt=0, description="Length of the thread (m)", examples=[1.0])
    gravity: float = Field(9.80665, gt=0, description="Acceleration (m/s²)")
    note: str | None = Field(None, description="A remark", examples=["a, b"])

class Output(BaseModel):
    period: float = Field(description="Period (s)")
    note: str | None = None

def predict(inputs: Input) -> Output:
    """The period of small swings."""
    period = 2 * 3.141592653589793 * (inputs.length / inputs.gravity) ** 0.5
    return Output(period=period if inputs.note != "overflow" else float("inf"), note=inputs.note)
'''
)
NESTED = (
    HEAD
    + """
from datetime import datetime
from enum import Enum

class Kind(Enum):
    mean = "mean"
    largest = "largest"

class Sample(BaseModel):
    taken: datetime
    values: list[float] = Field(min_length=1)

class Input(BaseModel):
    sample: Sample = Field(examples=[{"taken": "2026-01-02T03:04:05+01:00", "values": [1, 2.5]}])
    kind: Kind = Field(Kind.mean, examples=["largest"])
    items: int | None = None

class Output(BaseModel):
    value: float
    taken: datetime

def predict(inputs: Input) -> Output:
    values = inputs.sample.values
    value = max(values) if inputs.kind is Kind.largest else sum(values) / len(values)
    return Output(value=value, taken=inputs.sample.taken)
"""
)
LISTS = (
    HEAD
    + """
from typing import Literal

class Input(BaseModel):
    x: list[int] = Field(min_length=1, examples=[[1, 2, 3]])
    power: Literal[1, 2] = Field(2, examples=[2])
    absolute: bool = Field(False, examples=[True])

class Output(BaseModel):
    total: int

def load():
    global OFFSET
    OFFSET = 0

def predict(inputs: Input) -> Output:
    total = sum(x**inputs.power for x in inputs.x) + OFFSET
    return Output(total=abs(total) if inputs.absolute else total)

def predict_batch(inputs: list[Input]) -> list[Output]:
    return [predict(one) for one in inputs]
"""
)
DICE = (
    HEAD
    + """
import random

class Input(BaseModel):
    sides: int = Field(ge=2, le=100, examples=[6])
    seed: int | None = Field(None, ge=2**40, lt=2**40 + 2**31, examples=[2**40])

class Output(BaseModel):
    thrown: int

def predict(inputs: Input) -> Output:
    return Output(thrown=random.Random(inputs.seed).randint(1, inputs.sides))
"""
)
IMAGE = (
    HEAD
    + """
class Area(BaseModel):
    left: float

class Input(BaseModel):
    note: str = Field("", description="A remark, given back", examples=["a b"])
    image: bytes = Field(max_length=5_500_000, description="The image", examples=["iVBORw=="])
    bins: int = Field(4, ge=1, le=256)
    masks: list[bytes] = Field([], examples=[["AAE="]])
    area: Area | None = None

class Output(BaseModel):
    size: int
    note: str
    first: bytes = Field(description="The first four bytes")
    masks: list[bytes]
    darkest: int
    left: float | None

def predict(inputs: Input) -> Output:
    darkest = min(inputs.image[:1000]) * inputs.bins // 256
    left = inputs.area.left if inputs.area else None
    first, size = inputs.image[:4], len(inputs.image)
    return Output(
        size=size, note=inputs.note, first=first, masks=inputs.masks, darkest=darkest, left=left
    )
"""
)
NUMPY = (
    HEAD
    + """
from typing import Any
import numpy as np

class Input(BaseModel):
    n: int = Field(ge=1, le=100, examples=[3])

class Output(BaseModel):
    mean: float
    single: float
    count: int
    even: bool
    curve: list[float]
    matrix: list[list[int]]
    rest: dict[str, Any]

def predict(inputs: Input) -> Output:
    if inputs.n == 4:
        return None
    curve = np.arange(inputs.n, dtype=float)
    lost = np.array([np.nan, np.inf])
    rest = {"largest": np.int64(2), "lost": [lost[0], lost[1:]], "names": np.array(["a"])}
    answer = Output(
        mean=curve.mean(),
        single=np.float32(0.5),
        count=np.int64(inputs.n),
        even=np.bool_(inputs.n % 2 == 0),
        curve=np.where(curve == 1, np.nan, curve),
        matrix=np.arange(4).reshape(2, 2),
        rest=rest if inputs.n != 5 else {"complex": object()},
    )
    return answer
"""
)
TREE = (
    HEAD
    + """
from datetime import date, datetime
from typing import Annotated, Literal

class Day(BaseModel):
    kind: Literal["day"] = "day"
    at: date

class Hour(BaseModel):
    kind: Literal["hour"]
    at: datetime

class Span(BaseModel):
    kind: Literal["span"]
    at: tuple[date, date]

class Word(BaseModel):
    kind: Literal["word", "era"]
    at: str

class Input(BaseModel):
    event: Annotated[Day | Hour | Span | Word, Field(discriminator="kind")] | None = Field(
        None, examples=[{"kind": "day", "at": "2024-02-29"}]
    )
    children: list["Input"] = []

class Output(BaseModel):
    depth: int
    events: list[Day | Hour | Span | Word]

def predict(inputs: Input) -> Output:
    below = [predict(child) for child in inputs.children]
    events = [inputs.event] if inputs.event else []
    return Output(
        depth=1 + max((one.depth for one in below), default=0),
        events=sum((one.events for one in below), events),
    )
"""
)
POWER = (
    HEAD
    + """
class Input(BaseModel):
    exponent: int = Field(ge=0, le=10_000, examples=[2])

class Output(BaseModel):
    power: int

def predict(inputs: Input) -> Output:
    return Output(power=10**inputs.exponent)
"""
)
PHOTON = (
    HEAD
    + r"""
class Input(BaseModel):
    lambda_: float = Field(alias="lambda", gt=0, description="Wavelength (nm)", examples=[500.0])
    note: str = Field("", description="A remark, given back", examples=["it's in \"C:\\new\\\""])

class Output(BaseModel):
    energy: float = Field(description="Energy (eV)")
    note: str

def predict(inputs: Input) -> Output:
    return Output(energy=1239.84198 / inputs.lambda_, note=inputs.note)
"""
)
EITHER = (
    HEAD
    + """
from pydantic import model_validator

class Input(BaseModel):
    celsius: float | None = Field(None, examples=[20.0])
    kelvin: float | None = None

    @model_validator(mode="after")
    def one_scale(self):
        if (self.celsius is None) == (self.kelvin is None):
            raise ValueError("Give either celsius or kelvin")
        return self

class Output(BaseModel):
    kelvin: float

def predict(inputs: Input) -> Output:
    return Output(kelvin=inputs.celsius + 273.15 if inputs.kelvin is None else inputs.kelvin)
"""
)
DEFAULTS = (
    HEAD
    + """
class Input(BaseModel):
    width: float = Field(1.5, gt=0)
    height: float = Field(2.0, gt=0)

class Output(BaseModel):
    area: float

def predict(inputs: Input) -> Output:
    return Output(area=inputs.width * inputs.height)
"""
)
NOTHING = (
    HEAD
    + """
class Input(BaseModel):
    pass

class Output(BaseModel):
    answer: int

def predict(inputs: Input) -> Output:
    return Output(answer=42)
"""
)
MODELS = {
    "pendulum": PENDULUM,
    "nested": NESTED,
    "lists": LISTS,
    "dice": DICE,
    "image": IMAGE,
    "numpy": NUMPY,
    "tree": TREE,
    "power": POWER,
    "photon": PHOTON,
    "either": EITHER,
    "defaults": DEFAULTS,
    "nothing": NOTHING,
}


@pytest.fixture
def model(cookies, serve):
    """Serve a model of the name."""
    return lambda name: serve(swapped(cookies.bake().project_path, MODELS[name]))


def post(server, path: str, body: bytes | str, kind: str = "application/json", **options):
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    body = body if not isinstance(body, str) else body.encode()
    connection.request("POST", path, body, {"Content-Type": kind}, **options)
    response = connection.getresponse()
    status, text = response.status, response.read().decode()
    connection.close()
    return status, text


FAST = ("pendulum",)  # the others are of the slow tier


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in MODELS],
)
def test_the_plumbings_own_tests_hold_for_another_model(cookies, name):
    project = swapped(cookies.bake().project_path, MODELS[name])
    result = run_module(project, "pytest", "-q")
    assert result.returncode == 0, result.stdout


HONEST = """
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

class Input(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    temperature: float = Field(validation_alias=AliasChoices("temp", "temperature"))
    pressure: float = Field(1, alias="p")
    series: list[float] = []
    limit: float | None = None

class Output(BaseModel):
    given: int
    error: float
    error_in_row: float

def predict(inputs: Input) -> Output:
    return Output(given=len(inputs.model_fields_set), error=0, error_in_row=inputs.temperature)
"""
REQUESTS = {
    "first": {"temp": 1, "p": 2},
    "second": {"temperature": 1, "pressure": 2},
    "explicit": {"temp": 1, "series": [], "limit": None},
}


@pytest.mark.slow
def test_the_plumbings_own_tests_hold_for_other_names_and_for_what_is_given_or_not(cookies):
    project = swapped(cookies.bake().project_path, HONEST, records=False)
    for name, asked in REQUESTS.items():
        path = project / f"model/examples/{name}.json"
        path.write_text(json.dumps({"request": asked}), "utf-8")
    assert run_module(project, "flask", "record").returncode == 0
    result = run_module(project, "pytest", "-q")
    assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_numbers_defaults_and_optional_text_work_in_a_link_and_a_table(model):
    with model("pendulum") as server:
        period = json.loads(server.get("/api?length=1").body)["period"]
        wrong = json.loads(server.get("/api?length=1,5").body)
        assert abs(period - 2.0064092925890407) < 1e-12  # 2π·√(1 m / 9.80665 m/s²)
        body = 'length,note\r\n1,"a, ""b"""\r\n"1,5",\r\n-1,\r\n4,\r\n'
        status, text = post(server, "/api/batch", body, "text/csv")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert status == 200
    assert [row["period"] for row in rows] == [str(period), "", "", str(2 * period)]
    assert "with a decimal point and not a comma" in wrong["errors"]["length"]
    assert rows[0]["note"] == 'a, "b"'
    assert "with a decimal point and not a comma" in rows[1]["error"]
    assert "row 3: length: Input should be greater than 0" in rows[2]["error"]


@pytest.mark.slow
def test_a_decimal_comma_without_quotes_is_refused_with_a_hint(model):
    with model("pendulum") as server:
        table = post(server, "/api/batch", "length\n1,5\n", "text/csv")[1]
    assert "2 under 1 names" in table and "write decimal points" in table


@pytest.mark.slow
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
def test_a_number_that_is_not_finite_is_refused_everywhere(model, number):
    with model("pendulum") as server:
        link = server.get(f"/api?length=1&gravity={number}")
        status, text = post(server, "/api", f'{{"length": 1, "gravity": {number}}}')
        batch = post(server, "/api/batch", f'[{{"length": {number}}}, {{"length": 1}}]')[1]
    assert (link.status, status) == (422, 422)
    assert "gravity" in json.loads(text)["errors"]
    assert [row.get("status") for row in json.loads(batch)] == [422, None]


@pytest.mark.slow
def test_an_answer_that_is_not_finite_is_null(model):
    with model("pendulum") as server:
        answer = json.loads(server.get("/api?length=1&note=overflow").body)
    assert answer == {"period": None, "note": "overflow"}


@pytest.mark.slow
def test_a_nested_model_takes_a_body_and_json_in_a_link_and_a_cell(model):
    body = {"sample": {"taken": "2026-01-02T03:04:05+01:00", "values": [1, 2.5]}, "kind": "largest"}
    with model("nested") as server:
        status, text = post(server, "/api", json.dumps(body))
        assert (status, json.loads(text)) == (
            200,
            {"value": 2.5, "taken": "2026-01-02T03:04:05+01:00"},
        )
        query = urlencode({"sample": json.dumps(body["sample"]), "kind": "largest"})
        assert server.get(f"/api?{query}").body.decode() == text
        assert b"curl" in server.get("/").body
        quoted = json.dumps(body["sample"]).replace('"', '""')
        table = post(server, "/api/batch", f'sample,kind\n"{quoted}",largest\n', "text/csv")[1]
        assert table.splitlines()[1] == "2.5,2026-01-02T03:04:05+01:00,"
        body["sample"]["values"] = []
        problem = json.loads(post(server, "/api", json.dumps(body))[1])
    assert list(problem["errors"]) == ["sample.values"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("taken", "status"),
    [
        ("2024-02-29T12:00:00+01:00", 200),
        ("2024-02-29 12:00Z", 200),
        ("2024", 422),
        ("0", 422),
        ("-1.5", 422),
        (0, 422),
    ],
)
def test_a_date_is_no_number_of_seconds(model, taken, status):
    body = {"sample": {"taken": taken, "values": [1]}}
    with model("nested") as server:
        code, text = post(server, "/api", json.dumps(body))
    assert code == status, text


@pytest.mark.slow
def test_a_list_is_a_repeated_key(model):
    with model("lists") as server:
        answer = server.get("/api?x=-3&x=4&power=1&absolute=true")
        refused = server.get("/api?x=1&power=3")
        commas = json.loads(server.get("/api?x=1,2,3").body)
        rows = json.loads(post(server, "/api/batch", '[{"x": [1, 2]}, {}, {"x": [3]}]')[1])
    assert json.loads(answer.body) == {"total": 1}
    assert refused.status == 422
    assert commas["errors"]["x.0"].endswith("x= before each in a link, or a JSON list")
    assert [row.get("total") for row in rows] == [5, None, 9]


@pytest.mark.slow
def test_a_model_that_draws_tells_its_seed(model):
    with model("dice") as server:
        drawn = server.get("/api?sides=100")
        again = server.get(f"/api?sides=100&seed={drawn.headers['Model-Seed']}")
        others = {server.get("/api?sides=100").headers["Model-Seed"] for _ in range(3)}
        rows = json.dumps([{"sides": 6}, {"sides": 6, "seed": 2**40}])
        rows = json.loads(post(server, "/api/batch", rows)[1])
    assert again.status == 200 and again.body == drawn.body
    assert drawn.headers["Cache-Control"] == "no-store" and "ETag" not in drawn.headers
    assert len(others) == 3
    assert list(rows[0]["errors"]) == ["seed"] and rows[1]["thrown"] in range(1, 7)


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_of_five_megabytes_arrives_whole(model, chunked):
    numbers = [10**9 + number for number in range(420_000)]
    body = json.dumps({"x": numbers, "power": 1}).encode()
    assert len(body) > 5_000_000
    parts = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    with model("lists") as server:
        options = {"encode_chunked": True} if chunked else {}
        status, text = post(server, "/api", parts if chunked else body, **options)
    assert (status, json.loads(text)) == (200, {"total": sum(numbers)})


FAULTS = {
    "no Input": (PENDULUM.replace("class Input", "class Inputs"), "must export Input"),
    "Input is no pydantic model": (PENDULUM + "\nInput = dict\n", "no RootModel or dataclass"),
    "no Output": (PENDULUM + "\ndel Output\n", "must export Output"),
    "no predict": (PENDULUM + "\ndel predict\n", "must export predict"),
    "load is no function": (PENDULUM + "\nload = 1\n", "must export load"),
    "load wants a path": (PENDULUM + "\ndef load(path):\n    pass\n", "function without arguments"),
    "predict is async": (
        PENDULUM.replace("def predict", "async def predict"),
        "there it is an async function of (inputs)",
    ),
    "predict takes two": (PENDULUM.replace("(inputs: Input)", "(a, b)"), "a function of (a, b)"),
    "Refusal is no class": (PENDULUM + "\nRefusal = 'no'\n", "must export Refusal"),
    "Refusal is of others too": (PENDULUM + "\nRefusal = ValueError\n", "must export Refusal"),
    "a field is an array": (
        "from array import array\n"
        + PENDULUM.replace("period: float", "mean7: array\n    period: float"),
        "Output.mean7 is <class 'array.array'>, which JSON cannot say: write float",
    ),
    "a package is missing": ("import torch_geometry\n" + PENDULUM, "imports torch_geometry"),
    "load fails": (
        PENDULUM + "\ndef load():\n    raise OSError('no weights in model/weights.npz')\n",
        "no weights in model/weights.npz",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("source", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_model_stops_the_start_and_says_why(cookies, source, sentence):
    source = source.replace("(inputs: Inputs)", "(inputs)").replace("(inputs: Input)", "(inputs)")
    source = "from __future__ import annotations\n" + source
    project = swapped(cookies.bake().project_path, source, records=False)
    said = refused_start(project)
    assert sentence in said
    assert ("Traceback" in said) == (sentence == FAULTS["load fails"][1])


@pytest.mark.parametrize("value", ["1MB", "-", "true", "1.5"])
def test_a_bad_setting_stops_the_start(bake, value):
    assert "MODEL_MAX_CONTENT_LENGTH=" in refused_start(bake(), MODEL_MAX_CONTENT_LENGTH=value)
