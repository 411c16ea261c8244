"""The prompts, and the tree that the answers become."""

import hashlib
import itertools
import json
import re
import tomllib
from pathlib import Path

import dockerfile
import pytest
import yaml
from conftest import TEMPLATE, sampled
from markdown_it import MarkdownIt

CONTEXT = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))
PROMPTS = [name for name in CONTEXT if not name.startswith("_")]
CHOICES = {name: CONTEXT[name] for name in PROMPTS if isinstance(CONTEXT[name], list)}
OPTIONAL = {"author_given_names": ["", "Ada"], "orcid": ["", "0000-0003-1419-2405"]}
PRODUCT = [
    dict(zip([*CHOICES, *OPTIONAL], answers, strict=True))
    for answers in itertools.product(*CHOICES.values(), *OPTIONAL.values())
]
CODE = {".py", ".js", ".css", ".toml"}
FILES = """
.dockerignore .gitattributes .github/workflows/check.yml .github/workflows/publish.yml
.github/workflows/reproduce.yml .gitignore AGENTS.md CITATION.cff Dockerfile LICENSE Makefile
README.md app.py compose.yaml deploy/Caddyfile deploy/kubernetes.yaml docs/calling.md
docs/deployment.md docs/images-and-locks.md docs/model.md docs/proof.md docs/publishing.md
docs/settings.md docs/troubleshooting.md environment.yml gunicorn.conf.py locks/lock.py
model/__init__.py model/examples/two.json model/examples/very-large.json model/square.py
pyproject.toml service/__init__.py service/about/__init__.py service/about/citation.py
service/about/citation.yaml service/about/headers.py service/about/openapi.py
service/about/openapi.yaml service/about/page.py service/about/provenance.py
service/about/sample.cff service/about/static/answer.js service/about/static/ask.js
service/about/static/batch.js service/about/static/calls.js service/about/static/csv.js
service/about/static/dom.js service/about/static/figure.js service/about/static/form.js
service/about/static/json.js service/about/static/page.js
service/about/static/plot.js service/about/static/schema.js service/about/static/style.css
service/about/static/table.js service/about/static/ticks.js service/about/static/values.js
service/about/static/views.js service/about/templates/about.html
service/about/templates/answer.html service/about/templates/batch.html
service/about/templates/calls.html service/about/templates/citation.bib
service/about/templates/citation.json service/about/templates/citation.txt
service/about/templates/cite.html service/about/templates/copies.html
service/about/templates/examples.html
service/about/templates/facts.html service/about/templates/field.html
service/about/templates/form.html service/about/templates/index.html
service/about/templates/prose.html service/about/templates/reproduction.txt service/application.py
service/batch.py service/bodies.py service/errors.py service/fields.py
service/files.py service/forms.py service/frames.py service/heads.py
service/health.py service/keeper/__init__.py service/keeper/__main__.py
service/keeper/process.py service/logs.py service/machine.py
service/packages.txt service/pictures.py service/pool.py service/predictions.py
service/proof/__init__.py service/question.py service/proof/comparison.py
service/proof/examples.py service/proof/record.py service/proof/replay.py
service/proof/reproduce.py service/proof/weights.py
service/runner/__init__.py service/runner/__main__.py service/runner/answers.py
service/runner/contract.py service/runner/fit.py service/runner/loose.py service/runner/refusals.py
service/runner/rows.py service/runner/schemas.py service/runner/shapes.py service/runner/strict.py
service/runner/tables.py service/runner/values.py
service/schema.py service/served.py service/settings.py service/slots.py service/tables.py
service/watch.py service/words.py service/words.toml service/worker.py tests/conftest.py
tests/test_examples.py tests/test_identity.py tests/test_model.py tests/test_openapi.py
tests/test_packages.py tests/test_page.py tests/test_provenance.py tools/environment.py
tools/packages.py tools/trial.py tools/version.py
""".split()

# As published: https://www.gnu.org/licenses/gpl-3.0.txt, https://www.apache.org/licenses/LICENSE-2.0.txt
PUBLISHED = {
    "GPL-3.0-or-later": "3972dc9744f6499f0f9b2dbf76696f2ae7ad8af9b23dde66d6af86c9dfb36986",
    "Apache-2.0": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
}

PARSERS = {
    ".toml": tomllib.loads,
    ".yml": yaml.safe_load,
    ".yaml": lambda text: list(yaml.safe_load_all(text)),
    ".cff": yaml.safe_load,
    ".py": lambda text: compile(text, "rendered", "exec"),
    "Dockerfile": dockerfile.parse_string,
}


def files(project: Path) -> list[Path]:
    """The files of a rendered project, without what running it leaves behind."""
    left = {"__pycache__", ".pytest_cache", ".ruff_cache", ".venv", ".hypothesis"}
    paths = [path for path in sorted(project.rglob("*")) if path.is_file()]
    return [path for path in paths if not left & set(path.relative_to(project).parts)]


def test_there_are_eleven_prompts_each_with_a_label():
    labels = CONTEXT["__prompts__"]
    assert list(labels) == PROMPTS
    assert len(PROMPTS) == 11


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_has_a_label(name):
    labels = dict(CONTEXT["__prompts__"][name])
    assert labels.pop("__prompt__")
    assert list(labels) == CHOICES[name]


def test_no_label_has_square_brackets_which_the_prompt_would_swallow():
    assert not re.findall(r"[\[\]]", str(CONTEXT["__prompts__"]))


def test_the_readme_lists_the_prompts_and_their_defaults():
    rows = re.findall(
        r"^\| `(\w+)` \| (.+?) \| (.*?) \|$", (TEMPLATE / "README.md").read_text("utf-8"), re.M
    )
    assert [row[0] for row in rows] == PROMPTS
    for name, _, default in rows:
        value = CONTEXT[name]
        values = (
            value if isinstance(value, list) else [re.sub(r"{.*?}}", "…", value)] if value else []
        )
        assert re.findall(r"`(.+?)`", default) == values, name


def test_the_template_version_is_the_newest_in_the_changelog():
    newest = re.search(r"^## ([0-9.]+)", (TEMPLATE / "CHANGELOG.md").read_text("utf-8"), re.M)[1]
    assert CONTEXT["_template_version"] == newest
    citation = yaml.safe_load((TEMPLATE / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == newest


def test_the_project_has_exactly_these_files(bake):
    project = bake()
    assert [path.relative_to(project).as_posix() for path in files(project)] == sorted(FILES)


@pytest.mark.parametrize("answers", [{}, PRODUCT[-1]], ids=["defaults", "others"])
def test_every_file_is_clean_text(bake, answers):
    for path in files(bake(**answers)):
        text = path.read_bytes().decode("utf-8")
        assert text.endswith("\n") and not text.endswith("\n\n"), path
        assert "\r" not in text and "\n\n\n\n" not in text, path
        assert not re.search(r"[ \t]$", text, re.M), path
        ours = r"cookiecutter\.(?!json)|{%-?\s*(raw|endraw)"
        if "templates" not in path.parts:  # whose macros are for Flask
            ours += r"|{%-?\s*macro"
        assert not re.search(ours, text), path


@pytest.mark.parametrize(
    "answers", sampled(PRODUCT, 5), ids=lambda answers: "-".join(answers.values())
)
def test_every_combination_of_choices_parses(bake, answers):
    project = bake(**answers)
    for path in files(project):
        if parse := PARSERS.get(path.suffix or path.name):
            parse(path.read_text("utf-8"))


def test_cookiecutter_leaves_code_as_it_is(bake):
    project, source = bake(), TEMPLATE / "{{cookiecutter.project_slug}}"
    files = [path.relative_to(source) for path in source.rglob("*") if path.suffix in CODE]
    changed = {
        str(path) for path in files if (project / path).read_bytes() != (source / path).read_bytes()
    }
    assert changed == {"service/settings.py", "pyproject.toml"}  # which hold answers


@pytest.mark.slow
@pytest.mark.parametrize("licence", CHOICES["license"])
def test_the_licence_is_whole(bake, licence):
    text = (bake(license=licence, author_family_names="Ada & Söhne") / "LICENSE").read_text("utf-8")
    if licence in PUBLISHED:
        assert hashlib.sha256(text.encode()).hexdigest() == PUBLISHED[licence]
    else:
        assert "Copyright (c) Ada & Söhne\n" in text
        assert len(text) > 1000 and "WARRANTIES" in text


def test_the_chosen_python_is_the_one_of_the_environment(bake):
    listed = yaml.safe_load((bake(python_version="3.14") / "environment.yml").read_text("utf-8"))
    assert "python>=3.14,<3.15" in listed["dependencies"]


def test_rendering_twice_gives_the_same_bytes(cookies_session):
    first, second = (cookies_session.bake().project_path for _ in range(2))
    for path in files(first):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path


def test_the_readme_leads_to_a_command_in_sixty_words_and_has_few_lines_besides_code(bake):
    text = (bake() / "README.md").read_text("utf-8")
    first, *others = [token for token in MarkdownIt().parse(text) if token.type == "fence"]
    before = "\n".join(text.splitlines()[: first.map[0]])
    assert first.content == "docker compose up --build\n"
    assert len(re.sub(r"\(http\S+\)", "", before).split()) <= 60
    code = sum(fence.map[1] - fence.map[0] for fence in [first, *others])
    assert len(text.splitlines()) - code <= 120
