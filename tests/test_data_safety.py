"""Whatever text is allowed comes back from every file it reaches, read by that file's parser."""

import html.parser
import json
import re
import subprocess
import sys
from pathlib import Path

import check_jsonschema
import dockerfile
import jsonschema
import pytest
import yaml
from conftest import TEMPLATE, clean_environment, literal, sampled
from cookiecutter.main import cookiecutter
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

SCHEMAS = Path(check_jsonschema.__file__).parent / "builtin_schemas/vendor"
CFF = jsonschema.Draft7Validator(json.loads((SCHEMAS / "citation-file-format.json").read_text()))

AWKWARD = [
    "O'Brien",
    'Robert "Bob" Smith',
    "C:\\new\\",
    '\\"',
    "a: b # c - {x} [y]",
    "100% $HOME ${PORT} $(id) `id` \\$x",
    "rocket 🚀 family 👩‍👩‍👧 ＆ 日本語 ñ",
    "שלום \u202eevil\u202c e\u0301",
    "\u00a0no-break\u00a0",
    "  leading and trailing  ",
    "{{ 7*7 }} {% raw %} {# x #} }}",
    "'''\"\"\"",
    "null",
    "yes",
    "1e3",
    "2024. A model",
    "- # > + *item* _x_ ![a](b) <b>&amp;</b> | ~~x~~",
    "===",
    "# heading #",
    "</title><script>alert(1)</script>",
    "\ufeff\ufffe\uffff\U0010ffff",
    "<<EOF \\",
    "long " * 1999,
]
FREE_TEXT = ["project_name", "description", "author_given_names", "author_family_names"]
PIECES = st.sampled_from(
    ["'", '"', "\\", "$", "#", ": ", "{{", "}}", "{%", "`", " ", "\n"[:0], "<", "&", "*", "\u200d"]
)
LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
TEXTS = st.lists(PIECES | LETTERS, min_size=1, max_size=40).map("".join).filter(str.strip)
NAMES = st.just("") | TEXTS
URL_LETTERS = st.sampled_from("azAZ09-._~:/?#[]@!$&'()*+,;=") | st.just("%2F")
URLS = st.lists(URL_LETTERS, max_size=40).map(
    lambda letters: "https://example.org/" + "".join(letters)
)


@pytest.fixture(scope="module")
def render(tmp_path_factory):
    """Render without hooks into one folder, over and over: quick enough for hundreds of texts."""
    home = tmp_path_factory.mktemp("render")
    (home / "config.yaml").write_text(f"replay_dir: '{home}'\ncookiecutters_dir: '{home}'\n")

    def rendered(**answers: str) -> Path:
        project = cookiecutter(
            str(TEMPLATE),
            no_input=True,
            extra_context={name: literal(text) for name, text in answers.items()},
            output_dir=str(home),
            config_file=str(home / "config.yaml"),
            overwrite_if_exists=True,
            accept_hooks=False,
        )
        return Path(project)

    return rendered


def labels(project: Path) -> dict[str, str]:
    """The image's labels: split by BuildKit's own parser, then unquoted by its rules.

    Between double quotes BuildKit's lexer (frontend/dockerfile/shell/lex.go) takes a backslash
    away before a double quote, a dollar sign and a backslash, and before nothing else.
    """
    commands = dockerfile.parse_string((project / "Dockerfile").read_text("utf-8"))
    (label,) = [command for command in commands if command.cmd.upper() == "LABEL"]
    found = {}
    for key, value in zip(label.value[::2], label.value[1::2], strict=True):
        assert re.fullmatch(r'"([^"$\\]|\\.|\$[A-Z]+(?="))*"', value, re.S), value
        found[key.removeprefix("org.opencontainers.image.")] = re.sub(
            r'\\(["$\\])', r"\1", value[1:-1]
        )
    return found


def readme(project: Path) -> tuple[str, str]:
    """The heading and the first paragraph of the README, as a reader sees them."""
    tokens = MarkdownIt().parse((project / "README.md").read_text("utf-8"))
    inlines = [token for token in tokens if token.type == "inline"][:2]
    assert [tokens[0].tag, tokens[3].tag] == ["h1", "p"]
    return tuple("".join(child.content for child in token.children) for token in inlines)


def assert_everywhere(
    project: Path, name: str, description: str, given: str, family: str, url: str
):
    """Read the answers back from every file that they reach."""
    citation = yaml.safe_load((project / "CITATION.cff").read_text("utf-8"))
    CFF.validate(citation)
    assert citation["title"] == name
    assert citation["abstract"] == description
    assert citation["repository-code"] == url
    person = {"given-names": given, "family-names": family} if given else {"name": family}
    assert citation["authors"] == [person]
    author = f"{given} {family}" if given else family
    found = labels(project)
    assert found["title"] == name
    assert found["description"] == description
    assert found["authors"] == author
    assert found["source"] == url
    assert f"Copyright (c) {author}\n" in (project / "LICENSE").read_text("utf-8")
    assert readme(project) == (name.strip(), description.strip())


@pytest.mark.slow
@given(name=TEXTS, description=TEXTS, given=NAMES, family=TEXTS, url=URLS)
def test_any_text_comes_back_from_every_file(render, name, description, given, family, url):
    project = render(
        project_name=name,
        project_slug="any-text",
        description=description,
        author_given_names=given,
        author_family_names=family,
        repository_url=url,
    )
    assert_everywhere(project, name, description, given, family, url)


@pytest.mark.parametrize("text", sampled(AWKWARD, 3), ids=range(len(AWKWARD)))
def test_awkward_text_passes_the_hooks_and_comes_back_from_every_file(bake, text):
    project = bake(project_slug="awkward", **dict.fromkeys(FREE_TEXT, text))
    url = yaml.safe_load((project / "CITATION.cff").read_text("utf-8"))["repository-code"]
    assert_everywhere(project, text, text, text, text, url)


class Page(html.parser.HTMLParser):
    """The texts of the elements of a page, by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts, self.tags = {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.texts.update({f"meta-{dict(attributes).get('name')}": dict(attributes).get("content")})

    def handle_data(self, data):
        self.texts.setdefault(self.tags[-1] if self.tags else "", data)


@pytest.mark.slow
@pytest.mark.parametrize("text", AWKWARD[::2], ids=range(0, len(AWKWARD), 2))
def test_awkward_text_comes_back_from_the_page(bake, text):
    project = bake(project_slug="awkward", **dict.fromkeys(FREE_TEXT, text))
    program = "import sys, app; sys.stdout.buffer.write(app.app.test_client().get('/').data)"
    served = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project,
        env=clean_environment(),
        capture_output=True,
        check=True,
    )
    page = Page(served.stdout.decode("utf-8"))
    assert page.texts["title"] == page.texts["h1"] == text
    assert page.texts["meta-description"] == text
    assert page.texts["bdi"].startswith(f"{text} {text}") and page.texts["bdi"].count(text) == 3
    assert page.tags.count("script") == 2 and not page.texts.get("script", "").strip()
