"""Values of every kind, through a real Gunicorn: files, arrays, unions, numbers of any length."""

import base64
import csv
import io
import json
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from conftest import clean_environment, missing, run_module, swapped
from test_models import MODELS, post

pytestmark = pytest.mark.slow

JSON = "application/json"
BOUNDARY = "x7Qv"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
PICTURE = b"\x89PNG\r\n\x1a\n\x00--x7Qv"  # not UTF-8, and with what looks like an end


def form(*parts: tuple, end: str = f"--{BOUNDARY}--\r\n") -> bytes:
    """The body of a form: parts of a name and a text, or a name, a file's name and its bytes."""
    body = b""
    for name, *named, content in parts:
        file = "".join(f'; filename="{text}"' for text in named)
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        content = content if isinstance(content, bytes) else content.encode()
        body += head.encode() + content + b"\r\n"
    return body + end.encode()


@pytest.fixture(scope="module")
def server(cookies_session, serve):
    """A service whose model takes files."""
    with serve(swapped(cookies_session.bake().project_path, MODELS["image"])) as started:
        yield started
    assert "Traceback" not in started.log.read_text()


IMAGE = ("image", "a.png", PICTURE)
ANSWER = {"size": len(PICTURE), "note": "", "first": "iVBORw==", "masks": [], "darkest": 0}


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ([IMAGE], {}),
        ([IMAGE, ("note", " é\r\n'@x ")], {"note": " é\n'@x "}),
        ([IMAGE, ("bins", "016")], {}),
        ([IMAGE, ("masks", "1", b"\xff"), ("masks", "2", b"\0")], {"masks": ["/w==", "AA=="]}),
        ([IMAGE, ("masks", "", b""), ("bins", ""), ("area", "")], {}),
        ([IMAGE, ("area", '{"left": 1.5}')], {"left": 1.5}),
        ([IMAGE, ("note", "x" * 2_000_000)], {"note": "x" * 2_000_000}),
    ],
    ids=["file", "text", "number", "files", "none chosen", "nested", "long text"],
)
def test_a_form_is_read_like_a_link(server, parts, answer):
    status, text = post(server, "/api", form(*parts), FORM)
    assert status == 200, text
    assert json.loads(text) == {"left": None, **ANSWER, **answer}


@pytest.mark.parametrize(
    ("parts", "field", "reason"),
    [
        ([("bins", "4")], "image", "Field required"),
        ([("image", "", b"")], "image", "Field required"),
        ([("image", "a.png", b"")], "image", "a file, not empty"),
        ([IMAGE, IMAGE], "image", "Give it once"),
        ([("image", "iVBORw==")], "image", "Send it as a file"),
        ([IMAGE, ("bins", "a.txt", b"4")], "bins", "Send it as text"),
        ([IMAGE, ("bins", "4.5")], "bins", "valid integer"),
        ([IMAGE, ("bins", "4"), ("bins", "5")], "bins", "Give it once"),
        ([IMAGE, ("mask", "4")], "mask", "No such field"),
        ([IMAGE, ("mask", "a.txt", b"4")], "mask", "No such field"),
        ([IMAGE, ("area", '{"left": "1"}')], "area.left", "valid number"),
        ([IMAGE, ("area", '{"left": NaN}')], "area.left", "finite"),
        ([IMAGE, ("area", "nonsense")], "area", "Write JSON"),
        ([IMAGE, ("area", "[" * 100_000)], "area", "Write JSON"),
        ([IMAGE, ("area", 'null, "bins": 5')], "area", "Write JSON"),
        ([("image", "a.png", b"\0" * 5_500_001)], "image", "at most 5500000 bytes"),
    ],
)
def test_a_part_that_does_not_fit_is_refused_by_name(server, parts, field, reason):
    status, text = post(server, "/api", form(*parts), FORM)
    assert status == 422, text
    assert reason in json.loads(text)["errors"][field]
    assert len(text) < 5000


def test_a_refusal_names_the_file_and_its_size(server):
    problem = json.loads(post(server, "/api", form(IMAGE, ("bins", "0")), FORM)[1])
    assert problem["supplied"] == {"image": f"a.png ({len(PICTURE)} bytes)", "bins": "0"}
    assert problem["required"]["image"] == "file, required: The image"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (form(IMAGE), "multipart/form-data", 400),
        (form(IMAGE), "multipart/form-data; boundary=", 400),
        (form(IMAGE), "multipart/form-data; boundary=é", 400),
        (form(IMAGE), "multipart/form-data; boundary=other", 400),
        (form(IMAGE, end=""), FORM, 400),
        (form(IMAGE)[:50], FORM, 400),
        (b"", FORM, 400),
        (b"\0" * 9_000_000, FORM, 400),
        (b"\r\n" * 4_500_000, FORM, 400),
        (form(), FORM, 422),
        (form(*[("note", "x")] * 2000), FORM, 413),
        (form(("\\", "x"), IMAGE, IMAGE), FORM, 400),
        (form(IMAGE, ("note", b"caf\xe9")), FORM, 400),
        (form(IMAGE, IMAGE, IMAGE).replace(b' name="image";', b"", 1), FORM, 400),
        (b"image=iVBORw==", "application/x-www-form-urlencoded", 415),
    ],
    ids=range(15),
)
def test_what_is_no_form_is_refused_with_a_sentence(server, body, kind, status):
    code, text = post(server, "/api", body, kind)
    assert (code, json.loads(text)["status"]) == (status, status), text
    assert json.loads(text)["detail"].endswith(".")


@pytest.mark.parametrize("way", ["form", "JSON", "batch"])
def test_five_megabytes_arrive_byte_for_byte(server, way):
    data = random.Random(1).randbytes(5_000_000)
    if way == "form":
        status, text = post(server, "/api", form(IMAGE, ("masks", "m", data)), FORM)
    else:
        row = {"image": "iVBORw==", "masks": [base64.b64encode(data).decode()]}
        path, body = ("/api", row) if way == "JSON" else ("/api/batch", [row])
        status, text = post(server, path, json.dumps(body))
    assert status == 200, text[:500]
    found = json.loads(text)
    mask = (found if way != "batch" else found[0])["masks"][0]
    assert base64.b64decode(mask, validate=True) == data


@pytest.mark.parametrize(
    "image",
    ["", "a!", "iVBORw", "iVBORw==\n", "iVBORx==", "-_-_", "é", "iVBORw==iVBORw==", 7, [], None],
)
def test_what_is_no_base64_is_refused_by_name(server, image):
    status, text = post(server, "/api", json.dumps({"image": image}))
    assert (status, list(json.loads(text)["errors"])) == (422, ["image"])
    rows = [{"image": image}, {"image": "iVBORw=="}]
    first, second = json.loads(post(server, "/api/batch", json.dumps(rows))[1])
    assert list(first["errors"]) == ["image"] and second["first"] == "iVBORw=="


def test_a_model_of_files_has_no_link_and_no_table(server):
    assert server.get("/api?image=iVBORw==").status == 405
    assert post(server, "/api/batch", "image\niVBORw==\n", "text/csv")[0] == 415
    call = """-F 'image=@"image"'"""
    assert json.dumps(call)[1:-1] in server.log.read_text()


def test_no_temporary_file_is_needed(cookies_session, serve):
    project = swapped(cookies_session.bake().project_path, MODELS["image"])
    with serve(project, TMPDIR="/proc") as started:  # where nobody can write
        status, text = post(started, "/api", form(("image", "a", b"\0" * 3_000_000)), FORM)
    assert status == 200, text


def test_a_form_over_the_limit_is_refused(cookies_session, serve):
    project = swapped(cookies_session.bake().project_path, MODELS["image"])
    with serve(project, MODEL_MAX_CONTENT_LENGTH="1000") as started:
        status, text = post(started, "/api", form(("image", "a", b"\0" * 1000)), FORM)
    assert status == 413, text


def test_a_form_is_refused_where_no_field_is_a_file(bake, serve):
    with serve(bake()) as started:
        status, text = post(started, "/api", form(("value", "2")), FORM)
    assert status == 415, text


def test_in_python_a_file_is_its_bytes(cookies):
    project = swapped(cookies.bake().project_path, MODELS["image"])
    program = "from model import *; print(predict(Input(image=b'\\xff\\xfe')).first)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=project, env=clean_environment(), capture_output=True)
    assert done.stdout == b"b'\\xff\\xfe'\n"


@pytest.fixture(scope="module")
def arrays(cookies_session, serve):
    """A service whose model answers with numpy's numbers."""
    with serve(swapped(cookies_session.bake().project_path, MODELS["numpy"])) as started:
        yield started


def test_numbers_and_arrays_of_numpy_are_plain_numbers(arrays):
    status, text = post(arrays, "/api", '{"n": 3}')
    assert (status, json.loads(text)) == (
        200,
        {
            "mean": 1.0,
            "single": 0.5,
            "count": 3,
            "even": False,
            "curve": [0.0, None, 2.0],
            "matrix": [[0, 1], [2, 3]],
            "rest": {"largest": 2, "lost": [None, [None]], "names": ["a"]},
        },
    )


def test_an_answer_that_does_not_fit_costs_its_row_alone(arrays):
    rows = json.loads(post(arrays, "/api/batch", '[{"n": 3}, {"n": 4}, {"n": 5}, {"n": 6}]')[1])
    assert [row.get("status", 200) for row in rows] == [200, 500, 500, 200]
    assert [post(arrays, "/api", f'{{"n": {n}}}')[0] for n in (4, 5)] == [500, 500]
    log = arrays.log.read_text()
    assert "valid dictionary or instance of Output" in log and "which JSON cannot say: give" in log


def test_the_service_itself_needs_no_numpy(bake):
    program = "import app, sys; sys.exit('numpy' in sys.modules)"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, cwd=bake(), env=clean_environment()).returncode == 0


@pytest.fixture(scope="module")
def tree(cookies_session, serve):
    """A service whose input holds itself, and a choice of models that have names."""
    with serve(swapped(cookies_session.bake().project_path, MODELS["tree"])) as started:
        yield started


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"kind": "day", "at": "2024-02-29"}, 200),
        ({"kind": "day", "at": "0"}, 422),
        ({"at": "0"}, 422),
        ({"kind": "word", "at": "2024"}, 200),
        ({"kind": "era", "at": "2024"}, 200),
        ({"kind": "span", "at": ["2024-02-29", "2024-03-01"]}, 200),
        ({"kind": "span", "at": ["2024-02-29", "0"]}, 422),
        ({"kind": "hour", "at": "2024"}, 422),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_date_in_a_choice_of_models_is_no_number_of_seconds(tree, event, status, deep):
    body = {"event": event} if not deep else {"children": [{"event": event}]}
    code, text = post(tree, "/api", json.dumps(body))
    assert code == status, text


def test_an_input_that_holds_itself_has_its_fields_on_the_page(tree):
    page = tree.get("/").body.decode()
    assert 'name="children"' in page and 'name="event"' in page


def test_an_integer_of_any_length_is_answered(cookies, serve):
    project = swapped(cookies.bake().project_path, MODELS["power"])
    with serve(project) as started:
        status, text = post(started, "/api", '{"exponent": 5000}')
        assert (status, text) == (200, f'{{"power":1{"0" * 5000}}}\n')
        status, text = post(started, "/api/batch", "exponent\n5000\n", "text/csv")
    assert status == 200, text
    assert next(csv.DictReader(io.StringIO(text)))["power"] == "1" + "0" * 5000


ONE = """
from pydantic import BaseModel, Field, RootModel

class Input(BaseModel):
    x: float = Field(-1, examples=[1])

"""
HOLDS = """
class Output(BaseModel):
    below: list["Output"] = []

def predict(inputs: Input) -> Output:
    return Output(below=[Output()])
"""
OUTPUTS = {
    "is a list": """
class Output(RootModel[list[float]]):
    pass

def predict(inputs: Input) -> Output:
    return Output([inputs.x])
""",
    "has members of any name": """
class Output(BaseModel, extra="allow"):
    sum: float

def predict(inputs: Input) -> Output:
    return Output(sum=inputs.x, more=1)
""",
    "may be null": """
class Area(BaseModel):
    area: float

class Output(RootModel[Area | None]):
    pass

def predict(inputs: Input) -> Output:
    return Output(Area(area=inputs.x) if inputs.x == 1 else None)
""",
    "has members that a serializer adds": """
from pydantic import model_serializer

class Output(BaseModel):
    sum: float

    @model_serializer
    def written(self):
        return {"sum": self.sum, "more": 1}

def predict(inputs: Input) -> Output:
    return Output(sum=inputs.x)
""",
}
CHOICES = """
class Circle(BaseModel):
    area: float

class Square(BaseModel):
    area: float
    side: float

class Output(RootModel[Circle | Square]):
    pass

def predict(inputs: Input) -> Output:
    area = inputs.x**2
    return Output(Square(area=area, side=inputs.x) if inputs.x > 1 else Circle(area=area))
"""


@pytest.mark.parametrize("source", OUTPUTS.values(), ids=OUTPUTS)
def test_an_output_that_is_no_row_of_a_table_comes_as_json_alone(cookies, serve, source):
    with serve(swapped(cookies.bake().project_path, ONE + source)) as server:
        assert post(server, "/api/batch", "x\n1\n", "text/csv")[0] == 415
        status, text = post(server, "/api/batch", '[{"x": 1}, {"y": 1}]')
    assert (status, len(json.loads(text))) == (200, 2)


def test_a_table_has_the_columns_of_all_that_an_answer_may_be(cookies, serve):
    project = swapped(cookies.bake().project_path, ONE + CHOICES)
    with serve(project) as server:
        status, text = post(server, "/api/batch?keep=id", "x,id\n1,a\n2,b\n", "text/csv")
    assert status == 200, text
    circle, square = csv.DictReader(io.StringIO(text))
    assert circle == {"id": "a", "area": "1.0", "side": "", "error": ""}
    assert square == {"id": "b", "area": "4.0", "side": "2.0", "error": ""}
    own = run_module(project, "pytest", "-q", "tests/test_examples.py")
    assert own.returncode == 0 and "skipped" not in own.stdout, own.stdout


def test_an_output_that_holds_itself_is_a_row_with_json_in_its_cell(cookies, serve):
    with serve(swapped(cookies.bake().project_path, ONE + HOLDS)) as server:
        status, text = post(server, "/api/batch", "x\n1\n", "text/csv")
    assert status == 200, text
    (row,) = csv.DictReader(io.StringIO(text))
    assert json.loads(row.pop("below")) == [{"below": []}] and row == {"error": ""}


OPEN = """
from pydantic import BaseModel, Field

class Input(BaseModel, extra="allow"):
    x: float = Field(1, examples=[1])

class Output(BaseModel):
    x: float = Field(exclude_if=lambda value: value > 8)

def predict(inputs: Input) -> Output:
    return Output(x=inputs.x)
"""


def test_a_table_whose_names_are_long_takes_no_more_room_than_it_is_worth(cookies, serve):
    with serve(swapped(cookies.bake().project_path, OPEN)) as server:
        status, text = post(
            server, "/api/batch", f"x,{'n' * 400_000}\n" + "1,1\n" * 2000, "text/csv"
        )
        assert (status, "send fewer rows" in text) == (413, True), text[:200]
        assert post(server, "/api/batch", "x,more\n" + "1,1\n" * 2000, "text/csv")[0] == 200
        # An answer without members has none to stand between those that are kept.
        kept = post(server, "/api/batch?keep=id", '[{"x": 9, "id": 1}, {"x": 8, "id": 2}]')[1]
        assert json.loads(kept) == [{"id": 1}, {"id": 2, "x": 8.0}]


ERRS = """
class Output(BaseModel):
    energy: float
    error: float = 0.5

def predict(inputs: Input) -> Output:
    return Output(energy=inputs.x)
"""


def test_an_empty_line_under_one_name_is_a_row_and_an_error_may_be_an_answer(cookies, serve):
    with serve(swapped(cookies.bake().project_path, ONE + ERRS)) as server:
        text = post(server, "/api/batch", "x\n1\n\nfar\n\n", "text/csv")[1]
    first, empty, wrong, last = csv.DictReader(io.StringIO(text))
    assert first == {"energy": "1.0", "error": "0.5", "error_in_row": ""}
    assert empty == last == {"energy": "-1.0", "error": "0.5", "error_in_row": ""}
    assert wrong.pop("error_in_row").startswith("row 3: x: ") and set(wrong.values()) == {""}


PANDAS = """
import pandas
from typing import Any
from pydantic import BaseModel
from functools import partial
from service.runner.answers import WRITTEN, write
from service.runner.strict import writer

class Output(BaseModel):
    value: Any = None

to_json = partial(writer(list[Output]).to_json, **WRITTEN)

days = pandas.Series([pandas.Timestamp("2024-03-01T12:00"), None])
for value in (
    pandas.NaT,
    {"a": [pandas.NA, (pandas.NaT, "NaT")]},
    days,
    days.dt.tz_localize("UTC"),
    days.to_numpy("M8[ns]"),
    pandas.Series([1, None], dtype="Int64"),
    Output(value=pandas.NaT),
):
    print(write(to_json, [Output(value=value)]).decode())
"""
WRITTEN = """
null
{"a":[null,[null,"NaT"]]}
["2024-03-01T12:00:00",null]
["2024-03-01T12:00:00Z",null]
["2024-03-01T12:00:00",null]
[1,null]
{"value":null}
"""


def test_what_pandas_calls_missing_is_null(bake):
    found = find_spec("pandas") or missing("pandas")
    environment = clean_environment() | {"PYTHONPATH": str(Path(found.origin).parents[1])}
    command = [sys.executable, "-B", "-c", PANDAS]
    printed = subprocess.check_output(command, cwd=bake(), env=environment, text=True)
    expected = [f'[{{"value":{text}}}]' for text in WRITTEN.split()]
    assert printed.splitlines() == expected


DRAWS = """
class Output(BaseModel):
    mass: float
    map: bytes = Field(json_schema_extra={"contentMediaType": "image/png"})
    rows: bytes = Field(json_schema_extra={"contentMediaType": "text/plain"})

class Refusal(Exception):
    pass

def predict(inputs: Input) -> Output:
    if inputs.x < 0:
        raise Refusal("The series does not converge below 0.")
    return Output(mass=inputs.x, map=b"\\x89PNG\\r\\n\\x1a\\n", rows=b"12")
"""


@pytest.fixture(scope="module")
def drawing(cookies_session, serve):
    """A service whose answers hold a picture, and whose model refuses some inputs itself."""
    with serve(swapped(cookies_session.bake().project_path, ONE + DRAWS)) as started:
        yield started
    assert "Traceback" not in started.log.read_text()


def test_a_picture_comes_as_itself_to_those_who_ask_for_it(drawing):
    url = f"http://127.0.0.1:{drawing.port}"
    with urlopen(Request(f"{url}/api?x=1", headers={"Accept": "image/png"})) as answer:
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Vary"] == "Accept" and answer.headers["ETag"]
        assert answer.read() == PICTURE[:8]
    with urlopen(Request(f"{url}/api?x=1", headers={"Accept": "text/plain"})) as answer:
        assert answer.headers.get_content_type() == "text/plain" and answer.read() == b"12"
    found = json.loads(drawing.get("/api?x=1").body)
    assert found == {"mass": 1.0, "map": "iVBORw0KGgo=", "rows": "MTI="}
    described = json.loads(drawing.get("/openapi.json").body)["paths"]["/api"]
    for way in ("get", "post"):
        assert list(described[way]["responses"]["200"]["content"]) == [
            JSON,
            "image/png",
            "text/plain",
        ]


def test_the_model_itself_may_refuse_an_input_or_a_row(drawing):
    alone = drawing.get("/api?x=-1")
    rows = post(drawing, "/api/batch", '[{"x": 1}, {"x": -1}, {"x": 2}]')[1]
    assert alone.status == 422
    words = json.loads(alone.body)["detail"]
    assert words == json.loads(rows)[1]["detail"] == "The series does not converge below 0."
    assert [row.get("mass") for row in json.loads(rows)] == [1, None, 2]


SETS = """
class Output(BaseModel):
    found: dict

def predict(inputs: Input) -> Output:
    return Output(found={"names": set("abcdefghij")})
"""


def test_a_set_in_an_answer_of_any_type_has_one_order_in_all_processes(cookies, serve):
    with serve(swapped(cookies.bake().project_path, ONE + SETS)) as server:
        assert len({server.get("/api?x=1").body for _ in range(4)}) == 1
