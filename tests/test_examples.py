"""Recorded examples: written by a command, checked before the port opens, never lost."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from conftest import refused_start, run_module, swapped

DRAWS = """
import random
from pydantic import BaseModel

class Input(BaseModel):
    seed: int | None = None

class Output(BaseModel):
    drawn: float

def predict(inputs: Input) -> Output:
    return Output(drawn=random.Random(inputs.seed).random())
"""
FLOATS = """
from pydantic import BaseModel

class Input(BaseModel):
    x: float

class Output(BaseModel):
    curve: list[float]
    label: str = "é"

def predict(inputs: Input) -> Output:
    return Output(curve=[inputs.x * 1000, inputs.x - 1])
"""

NOTHING = """
from pydantic import BaseModel, Field, RootModel

class Input(BaseModel):
    x: float = Field(examples=[-1.0])

class Output(RootModel[float | None]):
    pass

def predict(inputs: Input) -> Output:
    return Output(inputs.x if inputs.x > 0 else None)
"""
POWER = """
from pydantic import BaseModel, Field

class Input(BaseModel):
    x: int = Field(examples=[2])

class Output(BaseModel):
    powers: list[int]

def predict(inputs: Input) -> Output:
    return Output(powers=[10**inputs.x, -(10**inputs.x)])
"""
SERIES = """
from pydantic import BaseModel

class Input(BaseModel):
    values: list[float]

class Output(BaseModel):
    values: list[float]

def predict(inputs: Input) -> Output:
    \"\"\"Give the values back; no text in UTF-8 has this: \\ud800.\"\"\"
    return Output(values=inputs.values)
"""


def flask(project: Path, *words: str, answer: str = "") -> subprocess.CompletedProcess:
    """Run a command of the project, typing an answer if it asks."""
    return run_module(project, "flask", *words, input=answer, encoding="utf-8", timeout=60)


@pytest.fixture
def project(cookies) -> Path:
    return cookies.bake().project_path


@pytest.fixture
def examples(project) -> Path:
    return project / "model/examples"


def square_differently(project: Path) -> None:
    """Change the model so that its answer to 2 is no longer 4."""
    path = project / "model/square.py"
    path.write_text(path.read_text().replace("inputs.value**2", "inputs.value**2 + 1"))


def test_a_drifted_model_stops_the_start_and_says_where_and_by_how_much(project, serve):
    square_differently(project)
    said = refused_start(project)
    assert "model/examples/two.json: Value Squared is 5, recorded as 4." in said
    assert "model/examples/very-large.json: Value Squared is 152415787532388367501905" in said
    assert "make record" in said and "Traceback" not in said
    assert "Value Squared is 5, recorded as 4." in flask(project, "routes").stderr
    with serve(project, MODEL_CHECK="false") as server:
        assert json.loads(server.get("/api?value=2").body) == {"Value Squared": 5}


@pytest.mark.slow
@pytest.mark.parametrize("waiting", [True, False], ids=["one waits", "none at all"])
def test_no_recorded_example_stops_the_start_and_names_the_command(project, examples, waiting):
    for path in examples.iterdir():
        path.unlink()
    if waiting:
        (examples / "one.json").write_text('{"request": {"value": 1}}')
    assert "make record" in refused_start(project)
    tests = run_module(project, "pytest", "-q")
    assert tests.returncode == 1 and "make record" in tests.stdout
    assert "\n1 failed, " in tests.stdout, tests.stdout  # said once, not by each test
    assert len(list(examples.iterdir())) == waiting


FAULTS = {
    "not JSON": ("{", "the file: Invalid JSON"),
    "empty": ("", "the file: Invalid JSON"),
    "not finite": (
        '{"request": {"value": 1}, "response": {"y": [NaN]}}',
        "response.y.0: Input should be a finite number",
    ),
    "a list": ("[]", "the file: Input should be an object"),
    "no request": ("{}", "request: Field required"),
    "request is no object": ('{"request": 1}', "request: Input should be"),
    "another member": ('{"request": {}, "answer": 1}', "answer: Extra inputs are not permitted"),
    "a refused request": (
        '{"request": {"value": "x"}}',
        "correct the request or the model. value: Input",
    ),
    "an unknown field": (
        '{"request": {"value": 1, "y": 2}}',
        "correct the request or the model. y: No such",
    ),
    "a negative tolerance": (
        '{"request": {"value": 1}, "tolerance": {"rtol": -1}}',
        "tolerance.rtol: Input should be greater",
    ),
    "a tolerance of nothing known": (
        '{"request": {"value": 1}, "tolerance": {"relative": 1}}',
        "tolerance.relative: Extra inputs",
    ),
    "a large tolerance for no reason": (
        '{"request": {}, "response": {"y": 2.5}, "tolerance": {"atol": 0.026}, "note": " "}',
        'y is tolerated to be off by more than 1 %: write down why, as "note"',
    ),
    "a field to skip of a number": (
        '{"request": {"value": 1}, "response": 1, "skip": ["y"], "note": "drawn"}',
        """"skip" names fields that the answer does not have: ['y']""",
    ),
    "a field to skip of a list": (
        '{"request": {"value": 1}, "response": [{}], "skip": ["y"], "note": "drawn"}',
        """"skip" names fields that the answer does not have: ['y']""",
    ),
    "any tolerance of nothing, for no reason": (
        '{"request": {"value": 1}, "response": {"y": 0.0}, "tolerance": {"atol": 1e-9}}',
        'y is tolerated to be off by more than 1 %: write down why, as "note"',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("text", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_malformed_example_is_refused_with_file_place_and_reason(
    project, examples, text, sentence
):
    (examples / "a b.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    result = flask(project, "record")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert f"model/examples/a b.json: {sentence}" in result.stderr
    kept = (examples / "a b.json").read_bytes()
    assert kept == (text if isinstance(text, bytes) else text.encode())


@pytest.mark.slow
def test_what_editors_leave_beside_or_in_an_example_does_no_harm(project, examples):
    (examples / ".#two.json").symlink_to("somebody@here.1234")
    (examples / "._two.json").write_bytes(b"\0\5\x16\7")
    (examples / "two.json").write_bytes(b"\xef\xbb\xbf" + (examples / "two.json").read_bytes())
    result = flask(project, "record")
    assert (result.returncode, result.stderr) == (0, "")
    assert "model/examples/two.json gives its recorded answer." in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["three.JSON", "three.Json.txt"])
def test_an_example_that_its_ending_would_leave_out_is_named(project, examples, name):
    (examples / name).write_text('{"request": {"value": 3}}')
    result = flask(project, "record")
    said = f"model/examples/{name}: its name must end in .json, in small letters.\n"
    assert (result.returncode, result.stderr) == (1, said)


@pytest.mark.slow
def test_without_a_file_there_is_nothing_to_record(project, examples):
    for path in examples.iterdir():
        path.unlink()
    said = 'model/examples/ has no file yet: first put {"request": …} into model/examples/a.json, '
    assert flask(project, "record").stderr == f"{said}then type: make record\n"


def test_what_is_no_text_is_refused_with_file_and_reason(project, examples):
    (examples / "a b.json").write_bytes(b"\xff")
    result = flask(project, "record")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "model/examples/a b.json: the file: Invalid JSON" in result.stderr
    assert (examples / "a b.json").read_bytes() == b"\xff"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "reason"), [("nowhere", "No such file or directory"), (".", "Is a directory")]
)
def test_an_example_that_cannot_be_read_is_refused_with_the_reason(
    project, examples, target, reason
):
    (examples / "three.json").symlink_to(target)
    said = f"model/examples/three.json cannot be read: {reason}."
    result = flask(project, "record")
    assert (result.returncode, result.stderr.strip()) == (1, said)
    started = refused_start(project)
    assert said in started and "Traceback" not in started


def test_a_pipe_is_no_example(project, examples):
    os.mkfifo(examples / "three.json")
    result = flask(project, "record")
    said = "model/examples/three.json is a pipe or a device: put a file in its place.\n"
    assert (result.returncode, result.stderr) == (1, said)


@pytest.mark.slow
def test_a_long_example_is_not_whole_on_the_page(project, examples, serve):
    swapped(project, SERIES, records=False)
    values = [number + 0.123456 for number in range(90_000)]
    example = {"request": {"values": values}, "response": {"values": values}}
    (examples / "long.json").write_text(json.dumps(example))
    with serve(project) as server:
        seconds = []
        for _ in range(5):  # of which the first reads the templates
            begun = time.monotonic()
            page = server.get("/")
            seconds.append(time.monotonic() - begun)
        assert min(seconds) < 0.1
        assert page.status == 200 and len(page.body) < 50_000 and b'href="examples"' in page.body
        assert json.loads(server.get("/examples").body) == {"long": example}
        assert server.get("/openapi.json").status == 200


@pytest.mark.slow
def test_a_large_tolerance_without_a_reason_is_not_recorded(project, examples):
    swapped(project, FLOATS, records=False)
    text = '{"request": {"x": 1.0}, "tolerance": {"rtol": 0.5}}'
    (examples / "far.json").write_text(text)
    result = flask(project, "record")
    assert result.returncode == 1 and "curve[0] is tolerated to be off by more" in result.stderr
    assert (examples / "far.json").read_text() == text


@pytest.mark.slow
def test_a_request_alone_waits_until_its_answer_is_recorded(project, examples, serve):
    written = '{"note": "né", "request": {"value": -7}}'
    (examples / "seven.json").write_text(written, "utf-8")
    with serve(project) as server:
        assert "response" not in json.loads(server.get("/examples").body)["seven"]
    assert (examples / "seven.json").read_text("utf-8") == written
    result = flask(project, "record")
    assert result.returncode == 0, result.stderr
    assert "model/examples/seven.json is recorded." in result.stdout
    assert "model/examples/two.json gives its recorded answer." in result.stdout
    recorded = json.loads((examples / "seven.json").read_text("utf-8"))
    assert recorded == json.loads(written) | {"response": {"Value Squared": 49}}
    assert "né" in (examples / "seven.json").read_text("utf-8")
    assert sorted(path.suffix for path in examples.iterdir()) == [".json"] * 3


@pytest.mark.slow
def test_an_answer_that_is_null_is_recorded_as_any_other(project, examples, serve):
    swapped(project, NOTHING, records=False)
    (examples / "none.json").write_text('{"request": {"x": -1}}')
    assert "model/examples/none.json is recorded." in flask(project, "record").stdout
    recorded = {"request": {"x": -1}, "response": None}
    assert json.loads((examples / "none.json").read_text()) == recorded
    assert "gives its recorded answer" in flask(project, "record").stdout
    with serve(project) as server:
        assert json.loads(server.get("/examples").body) == {"none": recorded}
        assert b"Answer to none" in server.get("/").body
    own = run_module(project, "pytest", "-q")
    assert own.returncode == 0, own.stdout
    (examples / "none.json").write_text('{"request": {"x": 1}, "response": null}')
    assert "the answer is 1.0, recorded as null." in refused_start(project)


@pytest.mark.slow
def test_an_integer_that_is_too_long_to_be_recorded_is_said_so(project, examples):
    swapped(project, POWER, records=False)
    (examples / "a.json").write_text('{"request": {"x": 4300}}')
    (examples / "b.json").write_text('{"request": {"x": 4299}}')
    said = "An integer of more than 4300 digits cannot be recorded."
    result = flask(project, "record")
    assert result.stderr == f"model/examples/a.json: give another request. {said}\n"
    assert "model/examples/b.json is recorded." in result.stdout
    assert "model/examples/b.json gives its recorded answer." in flask(project, "record").stdout
    assert str(10**4299) in (examples / "b.json").read_text()
    assert flask(project, "routes").returncode == 0
    text = (examples / "b.json").read_text().replace("4299\n", "4300\n")
    (examples / "b.json").write_text(text)
    assert f"model/examples/b.json: give another request. {said}" in refused_start(project)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "answer", "expected"),
    [([], "n\n", 4), ([], "", 4), ([], "y\n", 5), (["--yes"], "", 5)],
    ids=["no", "nobody to ask", "yes", "--yes"],
)
def test_a_recorded_answer_is_only_overwritten_with_consent(
    project, examples, words, answer, expected
):
    square_differently(project)
    result = flask(project, "record", *words, answer=answer)
    assert json.loads((examples / "two.json").read_text())["response"] == {
        "Value Squared": expected
    }
    if not words:
        question = "Value Squared is 5, recorded as 4. Overwrite the recorded answer?"
        assert f"model/examples/two.json: {question}" in result.stdout


@pytest.mark.slow
def test_an_answer_within_the_tolerance_is_left_as_it_is_recorded(project, examples):
    swapped(project, FLOATS, records=False)
    recorded = {"request": {"x": 1.0}, "response": {"curve": [1000.001, 0.001], "label": "é"}}
    (examples / "near.json").write_text(json.dumps(recorded))
    assert "gives its recorded answer" in flask(project, "record").stdout
    assert json.loads((examples / "near.json").read_text()) == recorded


@pytest.mark.slow
def test_an_example_of_a_model_that_draws_needs_a_seed(project, examples):
    swapped(project, DRAWS, records=False)
    (examples / "drawn.json").write_text('{"request": {}}')
    assert 'model/examples/drawn.json: give the request a "seed"' in flask(project, "record").stderr
    (examples / "drawn.json").write_text('{"request": {"seed": 1}}')
    assert flask(project, "record").returncode == 0
    assert json.loads((examples / "drawn.json").read_text())["response"] == {
        "drawn": 0.13436424411240122  # random.Random(1).random(), the same since Python 2.3
    }


def test_a_model_that_fails_on_an_example_stops_the_start_and_names_it(project):
    path = project / "model/square.py"
    path.write_text(path.read_text().replace("inputs.value**2", "inputs.value / 0"))
    said = refused_start(project)
    assert "model/examples/two.json: correct the request or the model." in said
    assert "model/examples/very-large.json: correct the request or the model." in said
    assert "ZeroDivisionError" in said
    assert "The model is loading; then it answers its recorded examples." in said


def test_an_example_that_has_no_answer_keeps_no_other_from_being_recorded(project, examples):
    (examples / "a.json").write_text('{"request": {"value": "two"}}')
    (examples / "seven.json").write_text('{"request": {"value": -7}}')
    result = flask(project, "record")
    assert result.returncode == 1
    assert result.stderr.startswith("model/examples/a.json: correct the request or the model. ")
    assert json.loads((examples / "seven.json").read_text())["response"] == {"Value Squared": 49}
    assert "model/examples/two.json gives its recorded answer." in result.stdout


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows stops no prediction.")
def test_what_takes_too_long_to_record_is_named_with_the_limit(project, monkeypatch):
    path = project / "model/square.py"
    slow = path.read_text().replace("    return Output", "    time.sleep(60)\n    return Output")
    path.write_text(slow.replace("from pydantic", "import time\n\nfrom pydantic"))
    monkeypatch.setenv("MODEL_TIMEOUT", "1")
    said = "correct the request or the model. The model took longer than MODEL_TIMEOUT allows.\n"
    lines = [f"model/examples/{name}.json: {said}" for name in ("two", "very-large")]
    assert flask(project, "record").stderr == "".join(lines)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no full device to write to.")
@pytest.mark.parametrize("reason", ["No space left on device", "Is a directory"])
def test_an_answer_that_cannot_be_written_costs_nothing(project, examples, reason):
    before = (examples / "two.json").read_text()
    if reason == "Is a directory":
        (examples / "two.part").mkdir()
    else:
        (examples / "two.part").symlink_to("/dev/full")
    square_differently(project)
    result = flask(project, "record", "--yes")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert f"could not be written, and is as it was: {reason}" in result.stderr
    assert (examples / "two.json").read_text() == before
