"""What the hooks refuse, what they print, and that they only ever treat answers as data."""

import importlib.util
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE, literal
from cookiecutter.utils import create_env_with_context

CONTEXT = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))

UNPRINTABLE = "\0\t\n\r\x1b\x7f\x85\u2028\u2029\ud800"
SLUGS = ". .. ../evil /tmp/evil a/b a\\b C:x UPPER -a a- a--b a_b ünï con nul com1 lpt9"
PORTS = "0 -1 80 1023 65536 70000 08080 8_080 6667 +8080 ٨٠٨٠ 8080.0 http"
ADDRESSES = "nowhere ftp://example.org/x https:// //a/b javascript:alert(1) https://a/%x"
ORCIDS = "0000-0003-1419-2404 0000-0002-1825-0097 0000-0000-0000-0001 0000000314192405 x"
REFUSED = {
    "project_name": ["", " \u3000"],
    "project_slug": ["", " ", "a\n", "My App", "a" * 64, "a" * 300, *SLUGS.split()],
    "description": [" \u3000", "x" * 10_001, *(f"a{text}b" for text in UNPRINTABLE)],
    "version": ["", "1.0 ", "1.0\n", *"1!1.0 1.0+local one 1..0 ١.0 v1.0".split()],
    "author_given_names": [" "],
    "author_family_names": [" \u3000"],
    "orcid": ["https://orcid.org/0000-0003-1419-2405", *ORCIDS.split()],
    "repository_url": [
        "",
        "https://a b/c",
        "https://example.org/a b",
        "https://me:secret@example.org/x",
        *ADDRESSES.split(),
    ],
    "port": ["", " 8080 ", "8080\n", "9" * 5000, *PORTS.split()],
}
ACCEPTED = {
    "project_slug": ["a", "7", "a-1", "a" * 63, "console", "refused-project-slug"],
    "description": ["x" * 10_000],
    "version": ["1", "1.2.3", "2026.08.01", "1.0rc1", "1.0.post1", "1.0.dev0"],
    "author_given_names": [""],
    "orcid": ["", "0000-0003-1419-2405", "0000-0002-9079-593X"],
    "repository_url": "http://localhost:3000/x https://a.org/?q=1&b='x'#y https://a.org/%C3%A9".split(),
    "port": ["1024", "65535", "8080"],
}


def together(texts: dict[str, list[str]]) -> list[dict[str, str]]:
    """As few sets of answers as have each text once."""
    return [
        {name: texts[name][place] for name in texts if place < len(texts[name])}
        for place in range(max(map(len, texts.values())))
    ]


@pytest.mark.parametrize("answers", together(REFUSED))
def test_each_faulty_answer_is_refused_by_name_and_leaves_nothing(
    cookies, capfd, tmp_path, answers
):
    before = set(tmp_path.parent.rglob("*"))
    written = {
        name: literal(text) if text.isprintable() else jinja(text) for name, text in answers.items()
    }
    result = cookies.bake(written)
    report = capfd.readouterr().err
    assert result.exit_code != 0
    assert [name for name in CONTEXT if f"- {name} must" in report] == list(answers)
    assert report.count("\n  - ") == len(answers)
    assert not [
        path for path in set(tmp_path.parent.rglob("*")) - before if path.name == "README.md"
    ]
    assert not Path("/tmp/evil").exists()


@pytest.mark.slow
@pytest.mark.parametrize("answers", together(ACCEPTED))
def test_good_answers_are_accepted(cookies, answers):
    result = cookies.bake({name: literal(text) for name, text in answers.items()})
    assert result.exit_code == 0


def jinja(text: str) -> str:
    """Write any text, such as one of control characters, as an answer on the command line."""
    return "{{ " + repr(text) + " }}"


def test_the_report_ends_with_the_command_to_correct(cookies, capfd):
    cookies.bake({"port": "80", "description": 'it\'s "$HOME"'})
    *_, command, _ = capfd.readouterr().err.split("\n\n")
    words = shlex.split(command.strip().splitlines()[0])
    assert words[:3] == ["cookiecutter", str(TEMPLATE), "--no-input"]
    answers = dict(word.split("=", 1) for word in words if "=" in word)
    assert list(answers) == [name for name in CONTEXT if not name.startswith("_")]
    assert answers["description"] == 'it\'s "$HOME"'


def hook(name: str, tmp_path: Path, **answers: str):
    """The hook as a module, rendered with these answers."""
    defaults = {key: value for key, value in CONTEXT.items() if isinstance(value, str)}
    context = {"cookiecutter": {**defaults, "_jinja2_env_vars": {}} | answers}
    source = (TEMPLATE / f"hooks/{name}.py").read_text("utf-8")
    path = tmp_path / f"{name}.py"
    path.write_text(create_env_with_context(context).from_string(source).render(context), "utf-8")
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


CANARY = "'''\"\"\"; open('canary', 'w') #"


@pytest.mark.parametrize("name", ["pre_gen_project", "post_gen_project"])
@pytest.mark.parametrize(
    "text", [CANARY, "\\", "'", "\ud800", "🚀", "\n", "{{ 7*7 }}", "'''"], ids=ascii
)
def test_an_answer_reaches_a_hook_as_it_is(tmp_path, monkeypatch, name, text):
    monkeypatch.chdir(tmp_path)
    module = hook(name, tmp_path, description=text)
    assert module.CONTEXT["description"] == text
    assert not Path("canary").exists()


@pytest.mark.parametrize("digits", ["000000021825009", "000000015109370", "000000021694233"])
def test_each_orcid_has_one_check_digit(tmp_path, digits):
    is_orcid = hook("pre_gen_project", tmp_path).is_orcid
    whole = ["-".join((digits + last)[i : i + 4] for i in (0, 4, 8, 12)) for last in "0123456789X"]
    published = {"0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-1694-233X"}
    assert {text for text in whole if is_orcid(text)} == published & set(whole)


@pytest.mark.parametrize("windows", [False, True])
def test_the_next_steps_are_at_most_eight_lines_right_for_the_answers(bake, tmp_path, windows):
    text = hook("post_gen_project", tmp_path, port="8123").next_steps("/a b/it's", windows)
    assert len(text.splitlines()) <= 8
    assert "http://localhost:8123" in text and "5000" not in text
    assert ('cd "/a b/it\'s"' if windows else shlex.join(["cd", "/a b/it's"])) in text
    assert ("flask run --port 8123" in text) == windows
    page = (bake(port="8123") / "README.md").read_text("utf-8").splitlines()
    assert {line.strip() for line in text.splitlines()[4:6]} <= set(page)


@pytest.mark.parametrize("output", ["closed", "ascii"])
def test_the_last_hook_cannot_fail(tmp_path, output):
    hook("post_gen_project", tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8=0", tmp_path / "post_gen_project.py"],
        stdout=subprocess.PIPE,
        env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        cwd=next_folder(tmp_path),
    )
    if output == "closed":
        process.stdout.close()
    else:
        assert "café 🚀" in process.communicate()[0].decode("utf-8")
    assert process.wait() == 0


def next_folder(tmp_path: Path) -> Path:
    """A folder whose name ASCII cannot say."""
    folder = tmp_path / "café 🚀"
    folder.mkdir()
    return folder
