"""The prose for readers: the READMEs, docs/ and AGENTS.md are short, in short sentences."""

import re
from pathlib import Path

import pytest
from conftest import TEMPLATE
from markdown_it import MarkdownIt

LONGEST = 25  # words of a sentence
PAGES = ["README.md", "AGENTS.md"]
OURS = [*PAGES, "CONTRIBUTING.md"]
TOPICS = (
    "calling deployment images-and-locks model proof publishing settings troubleshooting".split()
)
THEIRS = [*PAGES, *(f"docs/{topic}.md" for topic in TOPICS)]


def paragraphs(text: str) -> list[str]:
    """What a person reads word by word: no code blocks, tables, pictures and link targets."""
    found, in_table = [], False
    for token in MarkdownIt().enable("table").parse(text):
        if token.type in ("table_open", "table_close"):
            in_table = token.type == "table_open"
        if token.type == "inline" and not in_table:
            found.append("".join(map(said, token.children)))
    return found


def said(token) -> str:
    """The words of a part of a paragraph."""
    if token.type in ("softbreak", "hardbreak"):
        return " "
    return token.content if token.type in ("text", "code_inline") else ""


def words(text: str) -> list[str]:
    return [word for word in text.split() if re.search(r"\w", word)]


def sentences(text: str) -> list[str]:
    """The sentences of a text; each heading, item of a list and paragraph ends one."""
    return [found for part in paragraphs(text) for found in re.split(r"(?<=[.!?])\W*\s+", part)]


def count(text: str) -> int:
    return sum(len(words(part)) for part in paragraphs(text))


def test_a_sentence_is_counted_as_it_is_read():
    text = (
        "# A\n\nOne `two three` [four](http://five.six). Five\nsix!\n\n```\nno\n```\n\n- Seven: 7."
    )
    text += "\n\n| no | no |\n| --- | --- |\n| no | no |\n"
    assert [len(words(sentence)) for sentence in sentences(text)] == [1, 4, 2, 2]
    assert count(text) == 9


@pytest.mark.parametrize("name", OURS)
def test_no_sentence_of_the_template_is_long(name):
    assert too_long(TEMPLATE / name) == []


@pytest.mark.parametrize("name", THEIRS)
def test_no_sentence_of_a_project_is_long(bake, name):
    assert too_long(bake() / name) == []


def test_every_page_of_a_project_is_counted(bake):
    found = {path.relative_to(bake()).as_posix() for path in bake().rglob("*.md")}
    assert found - {"service"} == set(THEIRS)


def too_long(path: Path) -> list[str]:
    return [s for s in sentences(path.read_text("utf-8")) if len(words(s)) > LONGEST]


def test_the_readme_of_the_template_has_700_words_before_it_comes_to_developing():
    text = (TEMPLATE / "README.md").read_text("utf-8")
    before, heading, _ = text.partition("\n## Develop")
    assert heading and count(before) <= 700


def test_the_readme_of_a_project_has_600_words(bake):
    assert count((bake() / "README.md").read_text("utf-8")) <= 600
