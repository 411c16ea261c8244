"""The front door: what a person types at a terminal, and what they then have on disk."""

import json
import os
import re
import shutil
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from commands import BIN, Person, commit, copy_template, tree
from conftest import TEMPLATE, free_port, literal

PROMPTS = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))["__prompts__"]

needs_terminal = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminal")
needs_shell = pytest.mark.skipif(os.name == "nt", reason="the command is quoted for a POSIX shell")

AWKWARD_FOLDER = "it's $HOME & été; 日本" if os.name == "nt" else 'it\'s "$HOME" & été\\; 日本'

# What is typed at each prompt: other than every default, and awkward where text is free.
LINES = {
    "project_name": 'Tide\'s "Table" {{ 7*7 }} {% raw %}',
    "project_slug": "tide-table",
    "description": "Tells {{ 7*7 }} {# tides #} $HOME `id` C:\\new\\ 🚀 日本",
    "version": "1.2.3",
    "author_given_names": "Ada {{ 7*7 }}",
    "author_family_names": "O'Brien {{ cookiecutter }}",
    "orcid": "0000-0001-5109-3700",
    "repository_url": "https://example.org/tide",
    "license": "4",
    "port": "6123",
    "python_version": "3",
}

# What CITATION.cff then says.
SAID = {
    "cff-version": "1.2.0",
    "message": "If you use this model, please cite it as below.",
    "type": "software",
    "title": LINES["project_name"],
    "abstract": LINES["description"],
    "version": LINES["version"],
    "license": "GPL-3.0-or-later",
    "repository-code": LINES["repository_url"],
    "authors": [
        {
            "given-names": LINES["author_given_names"],
            "family-names": LINES["author_family_names"],
            "orcid": f"https://orcid.org/{LINES['orcid']}",
        }
    ],
}


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """The template as it lies in a folder; no test may change it."""
    return copy_template(tmp_path_factory.mktemp("template") / "model-api")


@pytest.fixture(scope="session")
def plain(tmp_path_factory, template) -> dict:
    """What plain Cookiecutter renders from the folder, all answers left at their defaults."""
    return tree(Person(tmp_path_factory.mktemp("plain")).renders(template))


@pytest.fixture
def person(tmp_path) -> Person:
    """Somebody with an empty home folder and an empty desk."""
    return Person(tmp_path)


def question(name: str) -> str:
    """The question about an answer, numbered as it is shown."""
    label = PROMPTS[name] if isinstance(PROMPTS[name], str) else PROMPTS[name]["__prompt__"]
    return f"[{list(LINES).index(name) + 1}/{len(LINES)}] {label}"


def type_answers(person: Person, template: Path, **lines: str) -> tuple[int, str]:
    """Type these lines at their prompts, and Enter alone at the others."""
    typed = {question(name): lines.get(name, "") for name in LINES}
    return person.answers("cookiecutter", template, lines=typed)


def citation(project: Path) -> dict:
    """What the project's CITATION.cff says."""
    return yaml.safe_load((project / "CITATION.cff").read_text("utf-8"))


def advice(message: str) -> str:
    """The command that a refusal ends with."""
    return re.search(r"(?<=run it:\n\n).+", message)[0]


# How the template comes to a person


def as_zip(template: Path, folder: Path) -> Path:
    with ZipFile(folder / "model-api.zip", "w") as archive:
        archive.writestr("model-api-main/", b"")
        for name, (content, _) in tree(template).items():
            archive.writestr(f"model-api-main/{name}", content)
    return folder / "model-api.zip"


def as_repository(template: Path, folder: Path) -> str:
    repository = shutil.copytree(template, folder / "model-api.git")
    return commit(Person(folder), repository).as_uri()


def with_windows_line_endings(template: Path, folder: Path) -> Path:
    copy = shutil.copytree(template, folder / "copy")
    for name, (content, _) in tree(copy).items():
        (copy / name).write_bytes(content.replace(b"\n", b"\r\n"))
    return copy


def without_executable_bits(template: Path, folder: Path) -> Path:
    copy = shutil.copytree(template, folder / "copy")
    for name in tree(copy):
        (copy / name).chmod(0o644)
    return copy


@pytest.mark.slow
@pytest.mark.parametrize(
    "bring", [as_zip, as_repository, with_windows_line_endings, without_executable_bits]
)
def test_the_project_is_the_same_however_the_template_comes(bring, template, plain, person):
    assert tree(person.renders(bring(template, person.folder))) == plain


@pytest.mark.parametrize("words", [["--accept-hooks", "no"], ["--default-config"]])
def test_the_project_is_the_same_without_hooks_or_user_configuration(
    words, template, plain, person
):
    assert tree(person.renders(template, *words)) == plain


def test_the_project_is_the_same_through_the_api(template, plain, cookies):
    assert tree(cookies.bake(template=str(template)).project_path) == plain


# Where the template lies and the project goes


def test_the_template_and_the_project_may_lie_in_awkward_folders(template, plain, person):
    elsewhere = shutil.copytree(template, person.folder / AWKWARD_FOLDER / "template")
    person.renders(elsewhere, "--output-dir", AWKWARD_FOLDER)
    assert tree(person.desk / AWKWARD_FOLDER / "square-api") == plain


def test_neither_git_nor_docker_nor_conda_is_needed(template, plain, person):
    assert tree(person.renders(template, PATH=str(person.home))) == plain


def test_a_home_that_cannot_be_written_needs_one_setting(template, plain, person):
    configuration = person.folder / "configuration.yml"
    configuration.write_text(f"replay_dir: {json.dumps(str(person.folder / 'replay'))}\n")
    home = person.folder / "file"  # not even root, whom no mode stops, writes inside a file
    home.touch()
    at_home = dict.fromkeys(["HOME", "USERPROFILE"], str(home))
    project = person.renders(template, COOKIECUTTER_CONFIG=str(configuration), **at_home)
    assert tree(project) == plain


def test_a_repository_around_the_project_sees_one_new_folder(template, person):
    (person.desk / "paper.md").write_text("A paper.\n")
    commit(person, person.desk)
    project = person.renders(template)
    status = person.types("git", "status", "--porcelain").stdout
    assert status == "?? square-api/\n"
    assert person.types("git", "rev-list", "--count", "HEAD").stdout == "1\n"
    assert not (project / ".git").exists()


# A project that is there already


@pytest.mark.slow
def test_rendering_again_changes_nothing_and_removes_nothing(template, plain, person):
    notes = person.renders(template) / "model" / "notes.txt"
    notes.write_text("Mine.\n")
    project = person.renders(template, "--overwrite-if-exists")
    assert notes.read_text() == "Mine.\n"
    notes.unlink()
    assert tree(project) == plain


def test_rendering_again_puts_back_a_lost_file_and_keeps_an_edited_one(template, plain, person):
    project = person.renders(template)
    (project / "app.py").unlink()
    (project / "model" / "square.py").write_text("Mine.\n")
    person.renders(template, "--overwrite-if-exists", "--skip-if-file-exists")
    assert tree(project) == plain | {"model/square.py": (b"Mine.\n", False)}


def test_a_folder_that_is_there_already_is_left_alone(template, person):
    (person.desk / "square-api").mkdir()
    (person.desk / "square-api" / "notes.txt").write_text("Mine.\n")
    done = person.types("cookiecutter", template, "--no-input")
    assert done.returncode == 1
    assert "already exists" in done.stdout
    assert tree(person.desk) == {"square-api/notes.txt": (b"Mine.\n", False)}


# Answers typed, remembered and configured


@needs_terminal
def test_eleven_prompts_are_asked_in_order_and_what_is_typed_stays_as_it_is(template, person):
    code, screen = type_answers(person, template, **LINES)
    assert code == 0, screen
    project = person.desk / LINES["project_slug"]
    assert citation(project) == SAID
    assert "- python>=3.12,<3.13\n" in (project / "environment.yml").read_text("utf-8")
    assert f"http://localhost:{LINES['port']}" in screen


@needs_terminal
def test_a_single_space_clears_a_default(template, person):
    mine = "default_context: {author_given_names: Ada, orcid: 0000-0001-5109-3700}\n"
    (person.home / ".cookiecutterrc").write_text(mine)
    code, screen = type_answers(person, template, author_given_names=" ", orcid=" ")
    assert code == 0, screen
    project = person.desk / "square-api"
    assert citation(project)["authors"] == [{"name": "The Square API authors"}]


@needs_terminal
def test_clearing_an_answer_that_is_needed_is_refused_in_a_sentence(template, person):
    code, screen = type_answers(person, template, description=" ")
    assert code == 1
    assert "description must not be empty." in screen
    assert tree(person.desk) == {}


@pytest.mark.slow
def test_replay_renders_the_same_project_again(template, person):
    answers = [f"{name}={literal(LINES[name])}" for name in ("project_name", "description")]
    first = tree(person.renders(template, *answers, "project_slug=square-api", "port=6123"))
    done = person.types("cookiecutter", template, "--replay", "--output-dir", "again")
    assert done.returncode == 0, done.stderr
    assert tree(person.desk / "again" / "square-api") == first


def test_the_defaults_of_the_users_configuration_are_taken(template, person):
    mine = {"default_context": {"author_family_names": "O'Brien", "license": "Apache-2.0"}}
    (person.home / ".cookiecutterrc").write_text(yaml.safe_dump(mine))
    project = person.renders(template)
    assert citation(project)["authors"] == [{"name": "O'Brien"}]
    assert "Apache License" in (project / "LICENSE").read_text("utf-8")


def test_a_wrong_default_of_the_users_configuration_is_refused(template, person):
    (person.home / ".cookiecutterrc").write_text("default_context: {port: 80}\n")
    done = person.types("cookiecutter", template, "--no-input")
    assert done.returncode == 1
    assert "port must be a number from 1024 to 65535" in done.stderr
    assert tree(person.desk) == {}


# The last words


@needs_shell
def test_the_last_words_lead_into_the_project_wherever_it_is(template, person):
    words = ["--no-input", "--output-dir", AWKWARD_FOLDER, "port=6123"]
    said = person.types("cookiecutter", template, *words).stdout
    assert len(said.splitlines()) <= 8
    assert "http://localhost:6123" in said and "5000" not in said
    (enter,) = [line for line in said.splitlines() if line.strip().startswith("cd ")]
    arrived = person.types("sh", "-c", f"{enter}\npwd", folder=person.home).stdout
    assert Path(arrived.rstrip("\n")) == person.desk / AWKWARD_FOLDER / "square-api"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Gunicorn does not run on Windows")
def test_two_projects_serve_at_their_own_ports_and_know_nothing_of_each_other(bake, serve):
    ports = free_port(), free_port()
    first, second = (bake(port=str(port)) for port in ports)
    with serve(first, port=ports[0]) as one, serve(second, port=ports[1]) as other:
        assert one.get("/api?value=3").status == other.get("/api?value=3").status == 200
    for project, stranger in ((first, ports[1]), (second, ports[0])):
        strangers = re.compile(rf"\b({stranger}|5000)\b".encode())
        assert [name for name, (text, _) in tree(project).items() if strangers.search(text)] == []


# Refusals, and text that would like to be code

TEXTS = [name for name, label in PROMPTS.items() if isinstance(label, str)]  # not the choices
REFUSED = {name: LINES[name] for name in TEXTS} | {"project_slug": "../a/t", "port": "80"}


def refuse(person: Person, template: Path, answers: dict[str, str]) -> str:
    """Give answers as key=value, see them refused, and return the message."""
    words = [f"{name}={literal(text)}" for name, text in answers.items()]
    done = person.types("cookiecutter", template, "--no-input", *words)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_a_refusal_names_every_fault_and_leaves_nothing_behind(template, person):
    before = [path for path in person.folder.rglob("*") if person.home not in path.parents]
    message = refuse(person, template, REFUSED)
    assert "project_slug must be" in message and "port must be" in message
    after = [path for path in person.folder.rglob("*") if person.home not in path.parents]
    assert after == before


@needs_terminal
def test_a_refusal_ends_with_its_sentence_and_without_a_traceback(template, person):
    message = refuse(person, template, {"port": "80"})
    assert message.endswith(f"{advice(message)}\n\n\nAborted!\n")
    assert person.types("ls", person.desk).stdout == ""


@pytest.mark.slow
@needs_terminal
def test_a_cookiecutter_that_does_not_listen_to_an_interrupt_still_refuses(template, person):
    """The shell lets it ignore the signal, as it does with what runs in the background."""
    command = f"trap '' INT; exec {BIN}/cookiecutter '{template}' --no-input port=80"
    done = person.types("sh", "-c", command)
    assert done.returncode == 1 and "port must be" in done.stderr
    assert "Hook script failed" in done.stdout
    assert tree(person.desk) == {} and not any(person.desk.iterdir())


@needs_terminal
def test_the_sample_of_an_orcid_is_told_as_one(template, person):
    sample = re.search(r"\d{4}-\d{4}-\d{4}-\d{4}", PROMPTS["orcid"])[0]
    assert "sample and nobody's" in PROMPTS["orcid"]
    said = refuse(person, template, {"orcid": sample})
    assert "orcid must be your own ORCID iD, or empty: this one is a sample and nobody's." in said


@pytest.mark.slow
@needs_shell
def test_the_command_of_a_refusal_once_corrected_renders_the_very_texts(template, person):
    awkward = shutil.copytree(template, person.folder / AWKWARD_FOLDER)
    command = advice(refuse(person, awkward, REFUSED))
    corrected = command.replace("port=80", "port=6123").replace("=../a/t", "=tide-table")
    done = person.types("sh", "-c", corrected, folder=person.home)
    assert done.returncode == 0, done.stdout + done.stderr
    said = citation(person.desk / "tide-table")
    assert (said["title"], said["abstract"]) == (LINES["project_name"], LINES["description"])
    assert said["authors"][0]["family-names"] == LINES["author_family_names"]


@pytest.mark.slow
@needs_shell
def test_the_command_of_a_refusal_by_cruft_once_corrected_renders_at_the_same_place(
    template, person
):
    repository = commit(person, shutil.copytree(template, person.folder / "it's"))
    answers = json.dumps({name: literal(text) for name, text in REFUSED.items()})
    words = ["--no-input", "--output-dir", AWKWARD_FOLDER, "--extra-context", answers]
    message = person.types("cruft", "create", repository, *words).stderr
    corrected = advice(message).replace('"80"', '"6123"').replace("../a/t", "tide-table")
    done = person.types("sh", "-c", corrected, folder=person.home)
    assert done.returncode == 0, done.stdout + done.stderr
    said = citation(person.desk / AWKWARD_FOLDER / "tide-table")
    assert (said["title"], said["abstract"]) == (LINES["project_name"], LINES["description"])


CODE = {
    "python": "'''+str(open(r'CANARY','w'))+'''",
    "python in double quotes": '"""+str(open(r"CANARY","w"))+"""',
    "shell": "'; touch CANARY; \"; touch CANARY; $(touch CANARY) `touch CANARY` #",
    "jinja": "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}",
}
FREE_TEXT = ["project_name", "description", "author_given_names", "author_family_names"]


@pytest.mark.slow
@needs_terminal
@pytest.mark.parametrize("kind", CODE)
def test_code_typed_at_a_prompt_is_not_executed(kind, template, person):
    canary = person.folder / "canary"
    code = CODE[kind].replace("CANARY", str(canary))
    lines = dict.fromkeys(FREE_TEXT, code) | {"project_slug": "square-api"}
    exit_code, screen = type_answers(person, template, **lines)
    assert exit_code == 0, screen
    imported = person.types(sys.executable, "-c", "import app", folder=person.desk / "square-api")
    assert imported.returncode == 0, imported.stderr
    assert not canary.exists()


@pytest.mark.slow
@needs_shell
@pytest.mark.parametrize("kind", CODE)
def test_code_given_for_every_answer_is_refused_and_not_executed(kind, template, person):
    canary = person.folder / "canary"
    code = CODE[kind].replace("CANARY", str(canary))
    message = refuse(person, template, dict.fromkeys(TEXTS, code))
    again = person.types("sh", "-c", advice(message))
    assert advice(again.stderr) == advice(message)
    assert not canary.exists()
