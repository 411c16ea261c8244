"""The rendered project as its owner finds it: own tests, linters, README, and size."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import clean_environment
from test_data_safety import FREE_TEXT

AWKWARD = 'It\'s "C:\\new\\" ${HOME} {{ 7*7 }} שלום 🚀'
ANSWERS = {
    "defaults": {},
    "awkward": {"project_slug": "awkward", "port": "8123", **dict.fromkeys(FREE_TEXT, AWKWARD)},
}


@pytest.fixture(params=ANSWERS.values(), ids=ANSWERS)
def project(request, bake) -> Path:
    return bake(**request.param)


def run(project: Path, *command: str) -> subprocess.CompletedProcess:
    """Run a module of the tests' Python in the project, without the tests' own settings."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )


def test_its_own_tests_pass(project):
    result = run(project, "pytest", "-p", "no:cacheprovider")
    assert result.returncode == 0, result.stdout
    assert re.search(r"\d\d passed", result.stdout) and "skipped" not in result.stdout


@pytest.mark.parametrize("command", ["check --no-cache .", "format --no-cache --diff ."])
def test_ruff_changes_nothing(project, command):
    result = run(project, "ruff", *shlex.split(command))
    assert result.returncode == 0, result.stdout + result.stderr


MUTATIONS = {
    "model/square.py": ("inputs.value**2", "inputs.value**2 + 1"),
    "service/predictions.py": ('JSON = "application/json"', 'JSON = "text/json"'),
    "service/inputs.py": ('extra="forbid"', 'extra="ignore"'),
    "service/strict.py": ("b64encode(data)", "urlsafe_b64encode(data)"),
    "service/capacity.py": ("retry_after=wait", "retry_after=None"),
    "service/errors.py": ('"application/problem+json"', '"application/json"'),
    "service/openapi.py": ('"/healthz": (', '"/health": ('),
    "service/templates/index.html": ('href="{{ link }}"', 'href="/elsewhere"'),
    "service/pages.py": ("_external=True", "_external=False"),
    "service/form.py": ('return "choice"', 'return "line"'),
    "service/citation.py": ("else TEXT", "else BIBTEX"),
    "service/logs.py": ("return json.dumps(members)", "return str(members)"),
    "service/metrics.py": ('"model_predictions"', '"model_answers"'),
    "service/headers.py": ("origin in allowed", "origin"),
    "service/static/style.css": ("body {", "@import 'https://example.org/font.css'; body {"),
    "service/__init__.py": ('"CORS_ORIGINS": "*"', '"CORS_ORIGINS": ""'),
    "Dockerfile": ('version="0.1.0"', 'version="0.2.0"'),
    "compose.yaml": (":0.1.0", ":0.2.0"),
    "deploy/Caddyfile": ("service 5000", "service 5001"),
    "deploy/kubernetes.yaml": (":0.1.0", ":0.2.0"),
    "app.py": ('"5000"', '"5001"'),
    "CITATION.cff": ("license: MIT", "license: MIT-0"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_its_own_tests_notice_a_fault(cookies, name):
    project = cookies.bake().project_path
    before, after = MUTATIONS[name]
    text = (project / name).read_text("utf-8")
    assert before in text
    (project / name).write_text(text.replace(before, after), "utf-8")
    assert run(project, "pytest", "-q", "-x").returncode == 1


def functions(path: Path) -> list[ast.FunctionDef]:
    return [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
    ]


def lines_of_code(path: Path) -> int:
    """How many lines a module has without blank ones, comments and docstrings."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Expr)]
    texts = [node for node in nodes if isinstance(node.value, ast.Constant)]
    said = {line for node in texts for line in range(node.lineno, node.end_lineno + 1)}
    lines = enumerate(map(str.strip, path.read_text().splitlines()), start=1)
    return sum(bool(line) and line[0] != "#" and n not in said for n, line in lines)


def test_the_plumbing_can_be_read_in_an_hour(bake):
    modules = sorted((bake() / "service").glob("*.py"))
    assert sum(map(lines_of_code, modules)) <= 1780
    for path in modules:
        assert ast.get_docstring(ast.parse(path.read_text())), path
        for function in functions(path):
            assert function.end_lineno - function.lineno < 30, (path, function.name)


def test_the_root_has_no_more_entries_than_a_reader_takes_in(bake):
    shown = [path.name for path in bake().iterdir() if not path.name.startswith(".")]
    assert len(set(shown) - {"__pycache__"}) <= 16


def test_the_model_can_be_used_without_the_service(bake):
    program = "from model import Input, predict; print(predict(Input(value=3)).value_squared)"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=bake(), capture_output=True, text=True, check=True
    )
    assert result.stdout == "9\n"


def test_the_call_of_the_readme_gives_the_answer_of_the_readme(bake, serve):
    text = (bake(port="8123") / "README.md").read_text("utf-8")
    command = re.search(r'^curl "http://localhost:8123(\S+)"$', text, re.M)
    answer = re.search(r"^answers `(.+?)`", text, re.M)[1]
    with serve(bake(port="8123")) as started:
        assert started.get(command[1]).body.decode() == answer + "\n"


def test_every_command_of_the_readme_has_the_answers(bake):
    text = (bake(project_slug="my-model", port="8123", version="2.0") / "README.md").read_text(
        "utf-8"
    )
    commands = "".join(re.findall(r"^```(?:sh|bat)\n(.*?)^```", text, re.M | re.S))
    assert commands.splitlines() == [
        "docker compose up --build",
        'curl "http://localhost:8123/api?value=2"',
        "docker build --no-cache --target lock --output locks .",
        "docker compose --profile public up --build --detach",
        "docker build -t registry.example.org/my-model:2.0 .",
        "docker push registry.example.org/my-model:2.0",
        "kubectl apply -f deploy/kubernetes.yaml",
        "kubectl rollout status deployment/my-model",
        "kubectl port-forward service/my-model 8123:80",
        "make reproduce",
    ]
    assert re.findall(r"`((?:docker|make|py|\.venv\S+) .+?)`", text) == [
        "docker build -t my-model:2.0 .",
        "docker run -d -p 8123:8123 my-model:2.0",
        "make serve",
        "py environment.py",
        r".venv\Scripts\flask run --port 8123",
        "make record",
        "make test",
        "make serve",
        "docker build --build-arg RUNTIME=debian:13-slim -t my-model:debug .",
        "docker run -it --rm --entrypoint bash my-model:debug",
        "docker run --gpus all",
        "docker compose run --rm --no-deps proxy caddy hash-password",
        "docker compose --profile public logs --follow",
        ".venv/bin/flask reproduce --image REF",
        "docker build .",
        "docker run --rm --entrypoint flask IMAGE reproduce --local",
        "docker build --build-arg REVISION=$(git rev-parse HEAD) --build-arg DIRTY=false .",
    ]
    assert "5000" not in text
