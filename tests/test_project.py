"""The rendered project as its owner finds it: own tests, linters, and size."""

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import clean_environment, run_module
from test_data_safety import FREE_TEXT
from test_plumbing import within

AWKWARD = 'It\'s "C:\\new\\" ${HOME} {{ 7*7 }} שלום 🚀'
ANSWERS = {
    "defaults": {},
    "awkward": {"project_slug": "awkward", "port": "8123", **dict.fromkeys(FREE_TEXT, AWKWARD)},
}


@pytest.fixture(params=ANSWERS.values(), ids=ANSWERS)
def project(request, bake) -> Path:
    return bake(**request.param)


def test_its_own_tests_pass(project):
    result = run_module(project, "pytest", "-p", "no:cacheprovider", "-W", "error")
    assert result.returncode == 0, result.stdout
    assert re.search(r"\d\d passed", result.stdout) and "skipped" not in result.stdout


@pytest.mark.parametrize("command", ["check --no-cache .", "format --no-cache --diff ."])
def test_ruff_changes_nothing(project, command):
    result = run_module(project, "ruff", *shlex.split(command))
    assert result.returncode == 0, result.stdout + result.stderr


# In each file a fault, and the file of tests that notices it: one of the project's own, or, where
# these say nothing of it, one of the plumbing's.
MUTATIONS = {
    "model/square.py": ("inputs.value**2", "inputs.value**2 + 1", "model"),
    "service/application.py": ("batch, citation,", "batch,", "identity"),
    "service/batch.py": ("place + 1", "place", "batch"),
    "service/bodies.py": ('JSON = "application/json"', 'JSON = "text/json"', "examples"),
    "service/errors.py": ('"application/problem+json"', '"application/json"', "errors"),
    "service/fields.py": ('else "Give it once"', 'else ""', "fields"),
    "service/files.py": ("(data|examples)", "(data)", "provenance"),
    "service/forms.py": ("if file[0]", "", "forms"),
    "service/frames.py": ('"!cHI"', '"!cHH"', "frames"),
    "service/health.py": ('"model_busy"', '"model_queue"', "health"),
    "service/logs.py": ("return json.dumps(members)", "return str(members)", "logs"),
    "service/machine.py": ("RESERVE = 150_000_000", "RESERVE = 0", "machine"),
    "service/pool.py": ("kind != frames.READY", "kind == frames.READY", "examples"),
    "service/predictions.py": (
        '"Cache-Control": "no-cache"',
        '"Cache-Control": "no-store"',
        "predictions",
    ),
    "service/question.py": ("frame[0] != frames.READ", "frame[0] == frames.READ", "examples"),
    "service/schema.py": ('[] if schema.get("type") == "null" else [schema]', "[schema]", "fields"),
    "service/served.py": ('= self.settings["WAIT"]', "= None", "errors"),
    "service/settings.py": ('PORT = "5000"', 'PORT = "5001"', "identity"),
    "service/tables.py": ("strict=True", "strict=False", "batch"),
    "service/watch.py": ('"model_predictions"', '"model_answers"', "watch"),
    "service/words.toml": ('"> {}"', '"above {}"', "fields"),
    "service/keeper/__main__.py": (
        "frames.READY if self.facts",
        "frames.READY if not self.facts",
        "examples",
    ),
    "service/keeper/process.py": ('"service.runner"', '"service.keeper"', "examples"),
    "service/runner/__main__.py": ("frames.READY, ready", "frames.REFUSED, ready", "examples"),
    "service/runner/answers.py": ("if len(outputs) != number:", "if False:", "batch"),
    "service/runner/fit.py": ('instances": "always"', 'instances": "never"', "fit"),
    "service/runner/rows.py": ("if name not in lost", "", "batch"),
    "service/runner/schemas.py": (
        '"additionalProperties": False',
        '"additionalProperties": True',
        "schemas",
    ),
    "service/runner/strict.py": ('_behavior": "forbid"}', '_behavior": "ignore"}', "strict"),
    "service/runner/tables.py": ("row.get(name)", "row.get(name, 0)", "batch"),
    "service/runner/values.py": ("b64encode(data)", "urlsafe_b64encode(data)", "examples"),
    "service/about/citation.py": ("TEXT if is_any", "BIBTEX if is_any", "citation"),
    "service/about/headers.py": ('rel="status"', 'rel="state"', "headers"),
    "service/about/openapi.py": ('examples("response")', 'examples("request")', "openapi"),
    "service/about/openapi.yaml": ("/healthz:", "/health:", "openapi"),
    "service/about/page.py": ('"curl", urljoin(base, link)', '"curl", link', "page"),
    "service/about/provenance.py": ("hexdigest()[:16]", "hexdigest()[:15]", "provenance"),
    "service/about/static/style.css": (
        "body {",
        "@import 'https://example.org/a.css'; body {",
        "page",
    ),
    "service/about/citation.yaml": ("software: [software,", "software: [misc,", "citation"),
    "service/about/templates/citation.bib": ("@{{", "%{{", "citation"),
    "service/about/templates/citation.json": ('"id"', '"key"', "citation"),
    "service/about/templates/citation.txt": ("(version ", "(edition ", "citation"),
    "service/about/templates/field.html": (
        '"choice" if field.choices',
        '"line" if field.choices',
        "fields",
    ),
    "service/about/templates/answer.html": ('href="{{ link }}"', 'href="/elsewhere"', "page"),
    "service/about/templates/facts.html": ("{{ shown(facts[name]) }}", "", "provenance"),
    "service/about/templates/prose.html": ("{{ piece | urlize }}", "{{ piece | safe }}", "page"),
    "service/proof/comparison.py": ("Field(1e-5", "Field(1e-3", "comparison"),
    "service/proof/examples.py": ("if one.is_recorded}", "if not one.is_recorded}", "examples"),
    "Dockerfile": ('version="0.1.0"', 'version="0.2.0"', "identity"),
    "compose.yaml": (":0.1.0", ":0.2.0", "identity"),
    "deploy/Caddyfile": ("service 5000", "service 5001", "identity"),
    "deploy/kubernetes.yaml": (":0.1.0", ":0.2.0", "identity"),
    "CITATION.cff": ("license: MIT", "license: MIT-0", "identity"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_fault_is_noticed_by_its_own_tests_or_those_of_the_plumbing(cookies, name):
    project = cookies.bake().project_path
    before, after, noticed = MUTATIONS[name]
    text = (project / name).read_text("utf-8")
    assert before in text
    (project / name).write_text(text.replace(before, after), "utf-8")
    result = run_module(project, "pytest", "-q", "-x", f"tests/test_{noticed}.py")
    if result.returncode in (0, 4):  # it passes, or there is no such file
        result = within(project, f"test_{noticed}.py", option="--exitfirst")
    assert result.returncode == 1, result.stdout


def functions(path: Path) -> list[ast.FunctionDef]:
    return [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
    ]


def code(path: Path) -> set[int]:
    """The lines of a module without blank ones, comments and docstrings."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Expr)]
    texts = [node for node in nodes if isinstance(node.value, ast.Constant)]
    said = {line for node in texts for line in range(node.lineno, node.end_lineno + 1)}
    lines = enumerate(map(str.strip, path.read_text().splitlines()), start=1)
    return {n for n, line in lines if line and line[0] != "#" and n not in said}


def lines_of_code(*paths: Path) -> int:
    """How many lines of code modules have together."""
    return sum(len(code(path)) for path in paths)


# Names the functions of service/ that answer requests: good, refused and in batches, by link, body
# and file. With processes it sees the service process; without, the model in the same process.
PASSED = """
import json, sys
from service.application import create_app
client = create_app({"PROCESSES": int(sys.argv[1]), "CHECK": False}).test_client()
seen = set()
sys.setprofile(lambda frame, *_: seen.add((frame.f_code.co_filename, frame.f_code.co_firstlineno)))
for value in 2, "x":
    client.get(f"/api?value={value}")
    client.post("/api", json={"value": value})
    client.post("/api/batch", json=[{"value": 2}, {"value": value}])
    client.post("/api/batch", data=f"value\\n2\\n{value}\\n", content_type="text/csv")
sys.setprofile(None)
print(json.dumps(sorted(seen)))
"""


# The code around those, in processes that the client of the application does not have
AROUND = {
    "worker.py": {"Client", "handle", "handle_request", "handle_error"},
    "runner/__main__.py": {"Log", "serve", "finished"},
}


def test_what_happens_to_a_request_can_be_read_in_an_hour(bake):
    rooms, passed = bake() / "service", set()
    for processes in "01":
        command = [sys.executable, "-c", PASSED, processes]
        said = subprocess.run(command, cwd=bake(), env=clean_environment(), capture_output=True)
        passed |= set(map(tuple, json.loads(said.stdout.splitlines()[-1])))
    total = 0
    for path in rooms.rglob("*.py"):
        names, lines = AROUND.get(str(path.relative_to(rooms)), ()), set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                if node.name in names or (str(path), first) in passed:
                    lines |= set(range(first, node.end_lineno + 1))
        total += len(code(path) & lines)
    assert 700 < total <= 900


def test_the_whole_of_the_plumbing_does_not_grow(bake):
    assert lines_of_code(*(bake() / "service").rglob("*.py")) <= 4_245
    assert lines_of_code(bake() / "gunicorn.conf.py") <= 120


def test_the_scripts_of_the_page_do_not_grow_and_each_says_what_it_is_for(bake):
    total = 0
    for path in sorted((bake() / "service/about/static").glob("*.js")):
        lines = list(map(str.strip, path.read_text("utf-8").splitlines()))
        assert lines[0].startswith("// "), path
        total += sum(bool(line) and not line.startswith("//") for line in lines)
    assert total <= 878


def test_no_module_and_no_function_is_long_and_each_module_says_what_it_is_for(bake):
    for path in sorted((bake() / "service").rglob("*.py")):
        assert ast.get_docstring(ast.parse(path.read_text())), path
        assert lines_of_code(path) <= 180, path
        for function in functions(path):
            assert function.end_lineno - function.lineno < 30, (path, function.name)


def test_only_the_two_programs_read_their_arguments(bake):
    service = bake() / "service"
    names = {path.relative_to(service).as_posix(): path for path in service.rglob("*.py")}
    read = {name for name, path in names.items() if re.search(r"\bargv\b", path.read_text("utf-8"))}
    assert read == {"keeper/__main__.py", "runner/__main__.py"}


# Imports every module, and says what else came of it.
IMPORTS = """
import importlib, os, pkgutil, sys

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
effects = []

def heard(event, words):
    if event == "open" and (set(words[1] or "r") & set("wax+") or words[2] & WRITES):
        effects.append(words)
    if event in ("subprocess.Popen", "os.fork", "os.mkdir", "socket.bind", "socket.connect"):
        effects.append((event, words))

before = dict(os.environ)
sys.addaudithook(heard)
import service
modules = [module.name for module in pkgutil.walk_packages(service.__path__, "service.")]
for name in modules:
    importlib.import_module(name)
assert {"service.pool", "service.keeper.__main__", "service.runner.__main__"} <= {*modules}
assert not effects, effects
assert "model" not in sys.modules and dict(os.environ) == before
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Gunicorn does not run on Windows")
def test_importing_a_module_of_the_plumbing_has_no_effects(bake):
    result = subprocess.run(
        [sys.executable, "-B", "-c", IMPORTS],
        cwd=bake(),
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_root_has_no_more_entries_than_a_reader_takes_in(bake):
    shown = [path.name for path in bake().iterdir() if not path.name.startswith(".")]
    assert len(set(shown) - {"__pycache__"}) <= 18


def test_the_model_can_be_used_without_the_service(bake):
    program = "from model import Input, predict; print(predict(Input(value=3)).value_squared)"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=bake(), capture_output=True, text=True, check=True
    )
    assert result.stdout == "9\n"
