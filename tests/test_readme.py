"""The READMEs, docs/ and AGENTS.md: what they say to type works, and what they say is so."""

import ast
import fnmatch
import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from commands import Person, copy_template, tree
from conftest import PYTHON, TEMPLATE, clean_environment, free_port, run_module, stand_in
from markdown_it import MarkdownIt
from test_prose import OURS, THEIRS

needs_make = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no make")

COMMANDS = {
    "README.md": r"""
docker compose up --build
make serve
py tools\environment.py
.venv\Scripts\python -m flask run --port 8123
curl "http://localhost:8123/api?value=2"
make environment
make try
make record
make test
make reproduce
docker build --no-cache --target lock --output locks .
git init
git add --all
git commit --message "First version"
git remote add origin https://github.com/your-name/my-model
git push --set-upstream origin HEAD
git tag v2.0
git push origin v2.0
docker run -p 8123:8123 ghcr.io/your-name/my-model:2.0
curl -H "Accept: application/x-bibtex" http://localhost:8123/citation
""",
    "docs/calling.md": "",
    "docs/deployment.md": """
docker compose --profile public up --build --detach
docker compose run --rm --no-deps proxy caddy hash-password --bcrypt-cost 4
docker compose --profile public logs --follow
docker build -t registry.example.org/my-model:2.0 .
docker push registry.example.org/my-model:2.0
kubectl apply -f deploy/kubernetes.yaml
kubectl rollout status deployment/my-model
kubectl port-forward service/my-model 8123:80
make version TO=1.2.0
""",
    "docs/images-and-locks.md": """
docker build -t my-model .
docker run -d -p 8123:8123 my-model
docker build --build-arg REVISION=$(git rev-parse HEAD) --build-arg DIRTY=false .
docker build --no-cache --target lock --output locks .
docker build --build-arg RUNTIME=debian:13-slim -t my-model:debug .
docker run -it --rm --entrypoint bash my-model:debug
""",
    "docs/model.md": """
python3 tools/environment.py notebook
.venv/bin/python -m ipykernel install --user --name my-model
""",
    "docs/proof.md": "",
    "docs/publishing.md": """
docker load --input image-amd64.tar.gz
docker buildx imagetools inspect "$(cat image.txt)" --format '{{ json .Provenance }}'
docker buildx imagetools inspect "$(cat image.txt)" --format '{{ json .SBOM }}'
""",
    "docs/settings.md": """
MODEL_WAIT=10 make serve
MODEL_PROCESSES=0 .venv/bin/python -m flask run --port 8123
.venv/bin/python -m gunicorn
.venv/bin/python -m flask run --port 8123
.venv/bin/python app.py
""",
    "docs/troubleshooting.md": """
docker build --no-cache --target lock --output locks .
""",
}


def typed(text: str) -> list[str]:
    """The commands of a page, each on a line of its own."""
    blocks = re.findall(r"^```(?:sh|bat)\n(.*?)^```", text, re.M | re.S)
    return "".join(blocks).splitlines()


def code(text: str) -> list[str]:
    """The pieces of code within the sentences and tables of a page."""
    tokens = MarkdownIt().enable("table").parse(text)
    parts = itertools.chain.from_iterable(token.children or [] for token in tokens)
    return [part.content for part in parts if part.type == "code_inline"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_a_page_has_the_answers(bake, name):
    text = (bake(project_slug="my-model", port="8123", version="2.0") / name).read_text("utf-8")
    assert typed(text) == COMMANDS[name].strip().splitlines()
    assert "5000" not in text


def test_every_page_has_its_commands_here():
    assert set(COMMANDS) == set(THEIRS) - {"AGENTS.md"}


@pytest.fixture
def project(bake, tmp_path) -> Path:
    """A project whose .venv is the tests' own Python, so that make has nothing to install."""
    origin = bake(port=str(free_port()))
    return stand_in(Path(shutil.copytree(origin, tmp_path / "square")))


def types(project: Path, *words: str) -> str:
    """Type a command in the project; it must succeed."""
    result = subprocess.run(
        words,
        cwd=project,
        env=clean_environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def port(project: Path) -> int:
    return int(re.search(r"EXPOSE (\d+)", (project / "Dockerfile").read_text("utf-8"))[1])


SHELL = "import os, sys; os.execvp('sh', ['sh', '-c', 'exec env ' + sys.argv[1]])"
LINES = "".join(COMMANDS.values()).splitlines()
SERVING = [
    line.replace("8123", "{port}")
    for line in dict.fromkeys(LINES)
    if re.search(r"(make serve|make try|gunicorn|flask run.*|app\.py)$", line) and "\\" not in line
]


@needs_make
@pytest.mark.parametrize("command", SERVING)
def test_what_serves_gives_the_answer_of_the_readme(project, serve, command):
    text = (project / "README.md").read_text("utf-8")
    called = re.search(r'^curl "http://localhost:\d+(\S+)"$', text, re.M)[1]
    answer = re.search(r"^The answer is `(.+?)`", text, re.M)[1]
    number = port(project)
    command, flask = command.format(port=number), {"FLASK_RUN_PORT": str(number)}
    with serve(project, "-c", SHELL, command, port=number, **flask) as started:
        assert started.get(called).body.decode() == answer + "\n"


def test_the_citation_is_bibtex(bake, serve):
    command = COMMANDS["README.md"].strip().splitlines()[-1]
    with serve(bake()) as started:
        got = subprocess.run(
            [*shlex.split(command.rpartition(" ")[0]), "-s", f"localhost:{started.port}/citation"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert got.stdout.startswith("@software{")


def test_what_is_published_is_the_whole_project_and_its_tag_starts_the_workflow(bake, tmp_path):
    person = Person(tmp_path)
    left = shutil.ignore_patterns("__pycache__", ".*_cache", ".venv")
    project = Path(shutil.copytree(bake(), tmp_path / "project", ignore=left))
    (project / "model/pendulum.py").touch()
    origin, text = tmp_path / "origin", (project / "README.md").read_text("utf-8")
    person.types("git", "init", "--quiet", "--bare", origin)
    address = re.search(r"git remote add origin (\S+)", text)[1]
    person.types("git", "config", "--global", f"url.{origin}.insteadOf", address)
    for command in [line for line in typed(text) if line[:4] == "git "]:
        done = person.types(*shlex.split(command), folder=project)
        assert done.returncode == 0, done.stderr
    clone = tmp_path / "clone"
    person.types("git", "clone", "--quiet", origin, clone)
    assert tree(clone) == tree(project)
    (tag,) = person.types("git", "tag", "--list", folder=origin).stdout.split()
    assert tag == "v" + yaml.safe_load((project / "CITATION.cff").read_text("utf-8"))["version"]
    workflow = yaml.safe_load((project / ".github/workflows/publish.yml").read_text("utf-8"))
    assert fnmatch.fnmatch(tag, *workflow[True]["push"]["tags"])  # YAML 1.1 calls `on` true


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "image"),
    [
        ("https://github.com/Ada/Tides.git", "ghcr.io/ada/tides"),
        ("https://github.com/ada/tides/", "ghcr.io/ada/tides"),
        ("https://gitlab.com/ada/tides", "ghcr.io/your-name/square-api"),
        ("https://github.com/ada/$(id)", "ghcr.io/ada/id"),
    ],
)
def test_the_published_image_has_the_name_of_the_repository(bake, address, image):
    project = bake(repository_url=address)
    page = (project / "README.md").read_text("utf-8")
    assert f"docker run -p 5000:5000 {image}:0.1.0" in typed(page)
    assert run_module(project, "pytest", "-q", "tests/test_identity.py").returncode == 0


@pytest.mark.slow
def test_the_placeholder_does_not_outlive_another_address_in_the_citation(cookies):
    project = cookies.bake().project_path
    path, page = project / "CITATION.cff", project / "README.md"
    address = "https://github.com/Ada/Tides"
    path.write_text(re.sub('https://github.com.*(?=")', address, path.read_text("utf-8")), "utf-8")
    label = (project / "Dockerfile").read_text("utf-8")
    (project / "Dockerfile").write_text(re.sub('https://github.com.*(?=")', address, label))
    for said in (address, "ghcr.io/ada/tides"):
        tested = run_module(project, "pytest", "-q", "tests/test_identity.py")
        assert tested.returncode == 1 and f"README.md: write {said}, as " in tested.stdout
        pattern = said.rpartition("/")[0].rpartition("/")[0] + "/your-name/square-api"
        page.write_text(page.read_text("utf-8").replace(pattern, said), "utf-8")
    assert run_module(project, "pytest", "-q", "tests/test_identity.py").returncode == 0


def written(text: str) -> dict[str, str]:
    """The files that a text shows, by the names in the sentence before; "" for what has none."""
    found, name = {}, ""
    for token in MarkdownIt().parse(text):
        if token.type == "inline":
            named = re.findall(r"`([\w/-]+/[\w-]+\.(?:py|json))`", token.content)
            name = named[-1] if named else ""
        if token.type == "fence" and token.info in ("python", "json"):
            found[name] = token.content
    return found


@needs_make
def test_the_five_steps_put_another_model_in(project, tmp_path, serve):
    mine = Path(shutil.copytree(project, tmp_path / "pendulum"))
    text = (mine / "README.md").read_text("utf-8")
    steps = text.partition("\n## Make it yours")[2].partition("\n## ")[0]
    files = written(steps)
    notebook = files.pop("")
    assert list(files) == [
        "model/pendulum.py",
        "model/__init__.py",
        "model/examples/one-metre.json",
        "tests/test_model.py",
    ]
    for old in [mine / "model/square.py", *mine.glob("model/examples/*.json")]:
        old.unlink()
    for name, content in files.items():
        (mine / name).write_text(content, "utf-8")
    environment, served, *commands = typed(steps)
    assert served == "make try"
    for command in [environment, *commands]:
        types(mine, *command.split())
    recorded = json.loads((mine / "model/examples/one-metre.json").read_text("utf-8"))
    assert abs(recorded["response"]["period"] - 2.0064) < 1e-4
    types(mine, PYTHON, "-W", "error", "-c", notebook)
    for check in ("check --no-cache .", "format --no-cache --check ."):
        types(mine, sys.executable, "-m", "ruff", *check.split())
    with serve(mine, "-c", SHELL, served, port=port(mine)) as started:
        assert b'"period":2.006' in started.get("/api?length=1").body


def test_the_example_of_a_tolerance_is_one(bake, tmp_path):
    project = Path(shutil.copytree(bake(), tmp_path / "project"))
    shown = written((project / "docs/proof.md").read_text("utf-8"))
    (project / "model/examples/shown.json").write_text(*shown.values())
    types(project, PYTHON, "-m", "flask", "record")


@pytest.mark.parametrize("name", ["README.md", "docs/model.md"])
def test_refusal_is_shown_as_a_class_of_just_this_name(bake, name):
    assert "class Refusal(Exception)" in code((bake() / name).read_text("utf-8"))


def test_the_mark_of_an_axis_is_the_one_that_the_page_looks_for(bake):
    script = (bake() / "service/about/static/figure.js").read_text("utf-8")
    (mark,) = set(re.findall(r'"axis"\) === "(\w+)"', script))
    text = (bake() / "docs/model.md").read_text("utf-8")
    assert f'`json_schema_extra={{"axis": "{mark}"}}` stands on the list' in text
    assert f'The text is always `"{mark}"`' in text


def test_the_example_of_listed_weights_is_one(bake):
    shown = re.search(r"```json\n(.*?)```", (bake() / "docs/model.md").read_text("utf-8"), re.S)[1]
    program = "import sys; from service.proof.weights import Weight, TypeAdapter; "
    program += "TypeAdapter(list[Weight]).validate_json(sys.argv[1])"
    types(bake(), PYTHON, "-c", program, shown)


def test_the_outcomes_have_their_exit_codes(bake):
    rows = re.findall(
        r"(?m)^\| ([A-Z]+) \| (\d+) \|", (bake() / "docs/proof.md").read_text("utf-8")
    )
    source = (bake() / "service/proof/replay.py").read_text("utf-8")
    codes = ast.literal_eval(re.search(r"^CODES = (\{.*\})$", source, re.M)[1])
    assert {name: int(number) for name, number in rows} == codes


def test_an_outcome_means_the_same_on_the_page_and_in_the_report(bake):
    page = (bake() / "docs/proof.md").read_text("utf-8")
    report = (bake() / "service/about/templates/reproduction.txt").read_text("utf-8")
    rows = re.findall(r"(?m)^\| ([A-Z]+) \| \d+ \| (.+) \|$", page)
    meanings = dict(re.findall(r'(?m)^  "([A-Z]+)": "(.+)",$', report))
    assert dict(rows).keys() == meanings.keys()
    assert "report begins with" in page and "\n{{ outcome }}: " in report
    for name, meaning in rows:
        assert meanings[name].lower().startswith(meaning.lower()), name


# Variables that a web server hands on, or that only the project itself sets and reads.
INNER = r"HTTP_|IMAGE_|PATH_INFO|PROMETHEUS_|PYTHONBREAKPOINT|REQUEST_METHOD|SERVER_PROTOCOL"


def test_every_variable_that_is_read_stands_on_a_page(bake):
    sources = [*bake().glob("*.py"), *bake().glob("service/**/*.py")]
    text = "".join(path.read_text("utf-8") for path in sources)
    read = set(re.findall(r'environ(?:\.get|\.setdefault)?[\[(]"([A-Z_]+)"', text))
    read |= set(re.findall(r"\b\w+_NUM_THREADS\b|\bFORWARDED_ALLOW_IPS\b", text))
    read = {name for name in read if not re.match(INNER, name)}
    assert {"LISTEN", "TMPDIR", "OMP_NUM_THREADS", "FORWARDED_ALLOW_IPS"} <= read
    pages = "".join((bake() / name).read_text("utf-8") for name in THEIRS)
    assert {name for name in read if f"`{name}" not in pages} == set()


def test_what_the_service_says_is_quoted_as_it_says_it(bake):
    """Each piece of a heading between dots stands in the sources."""
    sources = [path for path in bake().rglob("*") if path.suffix == ".py"]
    sources = [*sources, bake() / "Dockerfile"]
    text = "".join(path.read_text("utf-8") for path in sources).replace("\\\n", "")
    page = (bake() / "docs/troubleshooting.md").read_text("utf-8")
    quoted = re.findall(r"(?m)^### `(.+)`$", page)
    assert len(quoted) >= 10
    for piece in itertools.chain.from_iterable(re.split("[…;]", line) for line in quoted):
        assert piece.strip() in text, piece


def targets(makefile: Path) -> set[str]:
    return set(re.search(r"(?m)^\.PHONY: (.*)$", makefile.read_text("utf-8"))[1].split())


def test_the_pages_name_no_target_that_make_does_not_know(bake):
    known = targets(bake() / "Makefile")
    for name in THEIRS:
        text = (bake() / name).read_text("utf-8")
        pieces = "\n".join([*typed(text), *code(text)])
        assert set(re.findall(r"\bmake (\w+)", pieces)) <= known, name


def messages(project: Path) -> list[str]:
    """The sentences in the sources of a project, without docstrings."""
    found = []
    for path in [*project.glob("*.py"), *project.glob("[st][eo]*/**/*.py")]:
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        texts = [node for node in nodes if isinstance(node, ast.Constant)]
        found += [node.value for node in texts if id(node) not in docstrings]
    return [text for text in found if isinstance(text, str) and " " in text]


def test_every_message_names_a_command_that_is_there(bake):
    """No other Flask or Python of the person's PATH, and no target that make does not know."""
    found = "\n".join(messages(bake()))
    named = set(re.findall(r"(?:type|then|Type the new version|to): make (\w+)", found))
    assert named == {"environment", "record", "weights", "test", "version"}
    assert named <= targets(bake() / "Makefile")
    assert (
        re.findall(
            r"(?<![/\w])(?<!\.venv/bin/python -m )(?:flask|python3?|gunicorn) +[a-z/.]+", found
        )
        == []
    )
    assert re.findall(r"\.venv/bin/\w+", found) == [".venv/bin/python"] * 2


def commands_of(folder: Path) -> dict[str, str]:
    """The commands of an AGENTS.md, each with what it does."""
    lines = [line.partition("#") for line in typed((folder / "AGENTS.md").read_text("utf-8"))]
    return {command.strip(): said.strip() for command, _, said in lines}


def test_the_commands_for_assistants_are_those_that_make_lists(bake):
    listed = re.findall(r"(?m)^(\w+):.*## (.+)$", (bake() / "Makefile").read_text("utf-8"))
    listed = {f"make {name}": said for name, said in listed}
    assert commands_of(bake()) == listed | {"make": "lists the targets"}
    assert len((bake() / "AGENTS.md").read_text("utf-8").splitlines()) <= 40


def test_the_commands_for_assistants_of_the_template_are_there():
    typed = commands_of(TEMPLATE)
    made = {name.removeprefix("make ") for name in typed if name.startswith("make ")}
    assert made == targets(TEMPLATE / "Makefile")
    everywhere = (TEMPLATE / "CONTRIBUTING.md").read_text("utf-8")
    assert [name for name in typed if "ruff" in name] == [
        *re.search(
            r"`(\.venv/bin/ruff check \.) && (\.venv/bin/ruff format \.)`", everywhere
        ).groups()
    ]


@pytest.mark.parametrize("name", [*OURS, *THEIRS])
def test_every_link_leads_to_a_file(bake, name):
    folders = ([TEMPLATE] if name in OURS else []) + ([bake()] if name in THEIRS else [])
    for page in [folder / name for folder in folders]:
        for target in re.findall(r"\]\(([^):]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_what_only_people_read_is_not_in_the_image(bake):
    let_in = re.findall(r"(?m)^!(.+)$", (bake() / ".dockerignore").read_text("utf-8"))
    assert let_in and not set(let_in) & {"docs", "AGENTS.md", "README.md", "tests"}


# The README of the template


def readme() -> str:
    return (TEMPLATE / "README.md").read_text("utf-8")


def test_the_model_that_the_readme_shows_is_the_one_in_the_project(bake):
    shown = re.search(r"^```python\n(.*?)^```", readme(), re.M | re.S)[1]
    assert (bake() / "model/square.py").read_text("utf-8").endswith(f"\n\n\n{shown}")


def test_its_commands_are_those_that_the_tests_run():
    assert typed(readme()) == [
        "make demo",
        'curl "http://localhost:5000/api?value=2"',
        "make test",
        "pipx install cookiecutter",
        "cookiecutter gh:org/cookiecutter-model-api",
        "cookiecutter ../cookiecutter-model-api",
    ]


def test_the_public_address_stands_in_one_place():
    pages = [*TEMPLATE.glob("*.*"), *TEMPLATE.glob("*/*.md"), *TEMPLATE.glob("hooks/*")]
    texts = "".join(page.read_text("utf-8") for page in pages if page.is_file())
    assert texts.count("gh:") == 1


def test_a_clone_is_rendered_by_the_name_of_its_folder(tmp_path):
    person = Person(tmp_path)
    copy_template(tmp_path / "cookiecutter-model-api")
    assert "README.md" in tree(person.renders(typed(readme())[-1].split()[1]))


def test_the_tree_shows_every_entry_and_whose_it_is(bake):
    shown = re.search(r"^```text\nsquare-api/\n(.*?)^```", readme(), re.M | re.S)[1]
    rows = re.findall(r"(?m)^ +([\w.-]+)/? +(yours|ours) +\S.*$", shown)
    assert len(rows) == len(shown.splitlines())
    there = {path.name for path in bake().iterdir() if path.name[0] not in "._"}
    assert {name for name, _ in rows} == there | {"examples"}
    settings = tomllib.loads((bake() / "pyproject.toml").read_text("utf-8"))
    skipped = {Path(name).parts[0] for name in settings["tool"]["cruft"]["skip"]}
    assert {name for name, whose in rows if whose == "yours"} == skipped | {"examples"}
