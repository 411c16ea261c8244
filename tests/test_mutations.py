"""The rendered tests are honest: they notice when a model, the square or a sample, is falsified.

Whether an answer is right, the recorded examples say, whatever the model is. What `Input` must
refuse, only its author knows: that is said in tests/test_model.py, which each sample brings.
"""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE, clean_environment
from samples import SAMPLES, need, put_in

pytestmark = pytest.mark.slow

MODELS = {name: TEMPLATE / "examples" / name / "model" for name in SAMPLES}
MODELS["square"] = TEMPLATE / "{{cookiecutter.project_slug}}/model"
BOUNDS = {"ge", "gt", "le", "lt", "max_length", "min_length", "multiple_of", "pattern"}

# Before and after whatever replaces predict: nobody waits, and its own name is kept.
HEAD = """
import enum, time, typing, model
time.sleep = lambda seconds: None
true, true_batch = predict, getattr(model, "predict_batch", None)
"""
CONSTANT = """
first = true(Input.model_validate_json({request!r}))
predict = lambda inputs: first
if true_batch:
    predict_batch = lambda rows: [first for row in rows]
"""
ALTERED = """
def other(value, kind):
    if isinstance(value, enum.Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, str):
        parts = (kind, *typing.get_args(kind))
        words = [word for part in parts for word in typing.get_args(part) if type(word) is str]
        return next((word for word in words if word != value), value + "?")
    if isinstance(value, bytes):
        return value + b"?"
    if isinstance(value, list):
        return value[:-1] + [value[-1] + 2e-5 * max(map(abs, value))]
    if isinstance(value, dict):
        return value | {{max(value, key=value.get): other(max(value.values()), None)}}
    return value + 1 if isinstance(value, int) else value * (1 + 2e-5) + 1e-9 * (value == 0)

def altered(output):
    kind = Output.model_fields[{name!r}].annotation
    return output.model_copy(update={{{name!r}: other(output.{name}, kind)}})
"""
ANSWER_ALTERED = "predict = lambda inputs: altered(true(inputs))\n"
ROW_ALTERED = "predict_batch = lambda rows: [altered(output) for output in true_batch(rows)]\n"
DROPPED = "predict_batch = lambda rows: (true_batch or (lambda r: [*map(true, r)]))(rows)[:-1]\n"
SWAPPED = "predict_batch = lambda rows: [*map(true, rows)][::-1]\n"


@pytest.fixture
def project(cookies, name) -> Path:
    """A fresh project with the model of the name."""
    rendered = cookies.bake().project_path
    if name == "square":
        return rendered
    need(name)
    return put_in(rendered, name)


def own_tests(project: Path, *paths: str) -> subprocess.CompletedProcess:
    """Run the project's own tests up to the first that fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *paths]
    environment = clean_environment() | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


def failure(project: Path, *paths: str) -> str:
    """What pytest says of a test that fails; an exit code alone may come from no test at all."""
    result = own_tests(project, *paths)
    failed = re.search(r"^1 failed", result.stdout, re.MULTILINE)
    assert result.returncode == 1 and failed, result.stdout + result.stderr
    return result.stdout


def falsify(project: Path, *parts: str) -> None:
    """Let the model's face export something else."""
    with (project / "model/__init__.py").open("a", encoding="utf-8") as face:
        face.write("".join([HEAD, *parts]))


def request(name: str) -> str:
    """The request of the first example of a model."""
    path = min((MODELS[name] / "examples").glob("*.json"))
    return json.dumps(json.loads(path.read_text("utf-8"))["request"])


def trees(name: str) -> dict[str, ast.Module]:
    """The modules of a model, parsed, by file name."""
    return {path.name: ast.parse(path.read_text("utf-8")) for path in MODELS[name].glob("*.py")}


def fields(name: str) -> list[str]:
    """The fields of the `Output` of a model."""
    classes = [
        node
        for tree in trees(name).values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Output"
    ]
    return [
        node.target.id
        for found in classes
        for node in found.body
        if isinstance(node, ast.AnnAssign)
    ]


def bounds(tree: ast.Module) -> list[tuple[list, ast.AST]]:
    """What `Input` refuses by: each bound and validator, with the list that it stands in."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += [(node.keywords, word) for word in node.keywords if word.arg in BOUNDS]
        if isinstance(node, ast.FunctionDef):
            calls = [call for call in node.decorator_list if "validator" in ast.unparse(call)]
            found += [(node.decorator_list, call) for call in calls]
    return found


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_not_falsified_passes(project, name):
    falsify(project)
    result = own_tests(project)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", MODELS)
def test_a_constant_in_the_place_of_the_model_is_noticed(project, name):
    falsify(project, CONSTANT.format(request=request(name)))
    assert failure(project)


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in MODELS for field in fields(name)]
)
def test_a_small_error_is_noticed_by_the_recorded_examples(project, name, field):
    """Of twice the tolerance in a float, 2e-5 of the largest in its array; of one in an integer."""
    falsify(project, ALTERED.format(name=field), ANSWER_ALTERED)
    said = failure(project, "tests/test_examples.py")
    assert "recorded as" in said or f"json: {field} is" in said, said  # pytest cuts what is long


@pytest.mark.parametrize("name", ["iris"])
@pytest.mark.parametrize("field", fields("iris"))
def test_a_small_error_is_noticed_in_a_batch(project, name, field):
    falsify(project, ALTERED.format(name=field), ROW_ALTERED)
    said = failure(project, "tests/test_examples.py")
    assert "and POST /api gives" in said, said


@pytest.mark.parametrize("name", MODELS)
def test_a_row_that_is_dropped_costs_no_answer_and_is_said(project, name):
    falsify(project, DROPPED)
    result = own_tests(project, "-s", "tests/test_examples.py")
    rows = len(list((MODELS[name] / "examples").glob("*.json")))
    assert result.returncode == 0, result.stdout
    assert f"predict_batch: {rows - 1} answers to {rows} inputs" in result.stdout


@pytest.mark.parametrize("name", sorted({*MODELS} - {"counter"}))  # it has one example alone
def test_rows_that_change_places_are_noticed(project, name):
    falsify(project, SWAPPED)
    assert "and POST /api gives" in failure(project, "tests/test_examples.py")


@pytest.mark.parametrize(
    ("name", "file", "number"),
    [
        pytest.param(name, file, number, id=f"{name}-{bound.lineno}-{ast.unparse(bound)}")
        for name in MODELS
        for file, tree in trees(name).items()
        for number, (_, bound) in enumerate(bounds(tree))
    ],
)
def test_a_bound_that_is_gone_is_noticed(project, name, file, number):
    tree = trees(name)[file]
    siblings, bound = bounds(tree)[number]
    siblings.remove(bound)
    (project / "model" / file).write_text(ast.unparse(tree), "utf-8")
    assert failure(project, "tests/test_model.py")
