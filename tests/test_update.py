"""The template's later versions: cruft brings them into a project that has its own model."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml
from commands import Person, commit, copy_template, tree
from conftest import literal

pytestmark = pytest.mark.slow

PROJECT = "{{cookiecutter.project_slug}}"
OWNERS = (
    "model/",
    "environment.yml",
    "CITATION.cff",
    "LICENSE",
    "README.md",
    "tests/test_model.py",
)
WITHOUT_COMMENTS = {".ico", ".js", ".json", ".png", ".svg"}  # a line that begins with # breaks them
MINE, NEWS = b"\n# Mine.\n", b"\n# News of the template.\n"

MODEL = '''"""Temperatures on the scale of Kelvin."""

from pydantic import BaseModel, Field


class Input(BaseModel):
    celsius: float = Field(examples=[20.5])


class Output(BaseModel):
    kelvin: float


def predict(inputs: Input) -> Output:
    return Output(kelvin=inputs.celsius + 273.15)
'''
FACE = "from model.temperature import Input, Output, predict\n"
ICE = '{"request": {"celsius": 0}, "response": {"kelvin": 273.15}}\n'
TEST = """from model import Input, predict


def test_ice():
    assert predict(Input(celsius=0)).kelvin == 273.15
"""


@dataclass
class Life:
    """A project's life: as cruft created it, as its owner left it, and as an update left it."""

    person: Person
    template: Path
    project: Path
    created: dict
    owned: dict
    outdated: CompletedProcess[str]
    update: CompletedProcess[str]
    updated: dict


@pytest.fixture(scope="module")
def life(tmp_path_factory) -> Life:
    """A project is created, gets another model, and is updated after the template has changed."""
    person, template = publish(tmp_path_factory.mktemp("life"))
    project = create(person, template)
    created = tree(project)
    make_it_mine(project)
    owned = files(commit(person, project))
    publish_news(person, template)
    outdated = person.types("cruft", "check", folder=project)
    update = person.types("cruft", "update", "--skip-apply-ask", folder=project)
    return Life(person, template, project, created, owned, outdated, update, files(project))


def publish(folder: Path) -> tuple[Person, Path]:
    """A person, and the template in a git repository."""
    person = Person(folder)
    return person, commit(person, copy_template(folder / "model-api"))


def create(person: Person, template: Path, **answers: str) -> Path:
    """Make a project with cruft and put it under git, as cruft's users do."""
    words = ["--no-input", "--extra-context", json.dumps(answers)]
    done = person.types("cruft", "create", template, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return commit(person, person.desk / "square-api")


def make_it_mine(project: Path) -> None:
    """Change every file of the owner's, replace the model, and turn one knob of the plumbing."""
    shutil.rmtree(project / "model")
    (project / "model/examples").mkdir(parents=True)
    (project / "model/examples/ice.json").write_text(ICE)
    (project / "model" / "__init__.py").write_text(FACE)
    (project / "model" / "temperature.py").write_text(MODEL)
    (project / "tests" / "test_model.py").write_text(TEST)
    owned = [name for name in files(project) if name.startswith(OWNERS)]
    append(MINE, [project / name for name in owned if not name.endswith(".json")])
    knobs = project / "gunicorn.conf.py"
    knobs.write_text(
        knobs.read_text("utf-8").replace("graceful_timeout = 9", "graceful_timeout = 8"), "utf-8"
    )


def publish_news(person: Person, template: Path) -> None:
    """Change every file of the project in the template, the owner's too, and add two."""
    append(NEWS, [template / PROJECT / name for name in tree(template / PROJECT)])
    for folder in ("model", "service"):
        (template / PROJECT / folder / "news.py").write_text('"""News."""\n')
    commit(person, template)


def append(text: bytes, paths: list[Path]) -> None:
    """Write a text at the end of these files, where it is a comment."""
    for path in paths:
        if path.suffix not in WITHOUT_COMMENTS:
            path.write_bytes(path.read_bytes() + text)


def files(project: Path) -> dict[str, bytes]:
    """What stands in the project's files, but for cruft's own."""
    return {name: text for name, (text, _) in tree(project).items() if name != ".cruft.json"}


def owners(project: dict[str, bytes]) -> dict[str, bytes]:
    """The owner's files among all."""
    return {name: text for name, text in project.items() if name.startswith(OWNERS)}


def plumbing(project: dict[str, bytes]) -> dict[str, bytes]:
    """The files that are not the owner's."""
    return {name: text for name, text in project.items() if not name.startswith(OWNERS)}


def test_cruft_creates_what_cookiecutter_renders_and_a_file_of_its_own(life, tmp_path):
    plain = Person(tmp_path).renders(copy_template(tmp_path / "model-api"))
    assert life.created.keys() - tree(plain).keys() == {".cruft.json"}
    assert {name: life.created[name] for name in tree(plain)} == tree(plain)


def test_an_update_leaves_the_owners_files_alone(life):
    assert owners(life.updated) == owners(life.owned)


def test_an_update_brings_the_plumbing_without_conflict_and_keeps_a_turned_knob(life):
    assert life.update.returncode == 0, life.update.stdout + life.update.stderr
    news = {
        name: text if Path(name).suffix in WITHOUT_COMMENTS else text + NEWS
        for name, text in plumbing(life.owned).items()
    }
    assert plumbing(life.updated) == news | {"service/news.py": b'"""News."""\n'}


def test_the_projects_own_tests_pass_with_another_model_after_an_update(life):
    words = ["-m", "pytest", "-p", "no:cacheprovider"]
    tested = life.person.types(sys.executable, *words, folder=life.project)
    assert tested.returncode == 0, tested.stdout


def test_an_updated_project_is_up_to_date_and_differs_only_in_the_turned_knob(life):
    check = life.person.types("cruft", "check", folder=life.project)
    assert (life.outdated.returncode, check.returncode) == (1, 0)
    diff = life.person.types("cruft", "diff", folder=life.project).stdout
    changed = [line for line in diff.splitlines() if line.startswith(("+", "-"))]
    assert [line for line in changed if "upstream-template" not in line] == [
        "-graceful_timeout = 8",
        "+graceful_timeout = 9",
    ]


def test_cruft_says_no_next_steps_for_a_folder_that_vanishes(life):
    assert "cd " not in life.update.stdout
    assert life.update.stdout.startswith("Good work!")


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("Tells {{ 7*7 }}", False), ("Tells {% raw %}", True)],
    ids=["text that Jinja reads otherwise", "text that Jinja cannot read, quoted in .cruft.json"],
)
def test_text_in_the_owners_files_survives_an_update(text, quoted, tmp_path):
    person, template = publish(tmp_path)
    project = create(person, template, description=literal(text))
    if quoted:  # cruft renders every answer again, as Cookiecutter does with key=value
        answers = project / ".cruft.json"
        answers.write_text(answers.read_text("utf-8").replace(text, literal(text)), "utf-8")
        commit(person, project)
    publish_news(person, template)
    update = person.types("cruft", "update", "--skip-apply-ask", folder=project)
    assert update.returncode == 0, update.stdout + update.stderr
    assert (project / "app.py").read_bytes().endswith(NEWS)
    assert yaml.safe_load((project / "CITATION.cff").read_text("utf-8"))["abstract"] == text
