"""CITATION.cff with a work that is to be cited first, of every type, and whatever else is valid."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import citeproc
import pytest
import yaml
from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle
from citeproc import formatter as formatters
from citeproc.source.json import CiteProcJSON
from conftest import clean_environment
from pybtex.database import parse_string
from pybtex.plugin import find_plugin
from test_citation import PLAIN, untexed
from test_data_safety import CFF

# citeproc-py knows fewer names than CSL 1.0.2.
pytestmark = pytest.mark.filterwarnings("ignore:The following arguments for Reference")

REFERENCE = CFF.schema["definitions"]["reference"]
TYPES = REFERENCE["properties"]["type"]["enum"]
STYLE = CitationStylesStyle("harvard-cite-them-right", validate=False)
SCHEMAS = Path(citeproc.__file__).parent / "data/schema/schemas/styles"
# Cites each file of a list, as the service does.
PROGRAM = """
import json, sys
from pathlib import Path
from service.about import citation, headers, openapi, provenance
from service.application import commands

found = []
for said in json.load(sys.stdin):
    Path("CITATION.cff").write_text(said, "utf-8")
    citation.FILE = Path("CITATION.cff")
    citation.cited.cache_clear()
    app = commands()
    citation.register(app, None)
    client = app.test_client()
    forms = [client.get("/citation", headers={"Accept": kind}).text for kind in citation.FORMS]
    others = provenance.described(), openapi.info(), headers.links()
    found.append([*forms, others])
json.dump(found, sys.stdout)
"""


def cited(project: Path, folder: Path, *said: dict) -> list[list]:
    """How a project cites itself with each of these files: text, BibTeX, CSL-JSON, and the rest."""
    if not (folder / "service").exists():
        (folder / "service").symlink_to(project / "service")
    files = [yaml.safe_dump(one, allow_unicode=True) for one in said]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env=clean_environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps(files),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ADA = {"family-names": "Lovelace", "given-names": "Ada"}
OFFICE = {"name": "The Tide Office", "city": "Bergen", "country": "NO"}
# The fields of a reference; then the sentence, the entry of BibTeX and the item of CSL-JSON.
SAMPLES = {
    "article": (
        {
            "journal": "Journal of Tides",
            "volume": 3,
            "issue": "2",
            "start": 11,
            "end": 19,
            "year": 2024,
            "month": 3,
            "doi": "10.1234/tides.1",
            "issn": "1234-567X",
        },
        "Ada Lovelace (2024). Low water. Journal of Tides, 3(2), 11–19. "
        "https://doi.org/10.1234/tides.1",
        "article journal={Journal of Tides} volume={3} number={2} pages={11--19} year={2024} "
        "month={March} issn={1234-567X} doi={10.1234/tides.1}",
        {
            "type": "article-journal",
            "container-title": "Journal of Tides",
            "volume": "3",
            "issue": "2",
            "page": "11-19",
            "issued": {"date-parts": [[2024, 3]]},
            "ISSN": "1234-567X",
        },
    ),
    "book": (
        {
            "publisher": OFFICE,
            "year": "1843",
            "isbn": "978-0-00-000000-2",
            "edition": "2nd",
            "editors": [ADA, OFFICE],
            "collection-title": "Shore & Sea",
        },
        "Ada Lovelace (1843). Low water. The Tide Office.",
        "book publisher={The Tide Office} address={Bergen} year={1843} edition={2nd} "
        "series={Shore & Sea} isbn={978-0-00-000000-2}",
        {
            "type": "book",
            "publisher": "The Tide Office",
            "publisher-place": "Bergen",
            "collection-title": "Shore & Sea",
            "ISBN": "978-0-00-000000-2",
            "editor": [{"family": "Lovelace", "given": "Ada"}, {"literal": "The Tide Office"}],
        },
    ),
    "conference-paper": (
        {
            "collection-title": "Proceedings of the Tides",
            "conference": {"name": "Tides 2025", "city": "Oslo", "date-start": "2025-06-01"},
            "start": 7,
        },
        "Ada Lovelace (2025). Low water. Proceedings of the Tides, 7.",
        "inproceedings booktitle={Proceedings of the Tides} eventtitle={Tides 2025} venue={Oslo} "
        "pages={7} year={2025}",
        {
            "type": "paper-conference",
            "container-title": "Proceedings of the Tides",
            "event-title": "Tides 2025",
            "event-place": "Oslo",
            "issued": {"date-parts": [[2025, 6, 1]]},
        },
    ),
    "conference-paper of a conference alone": (
        {"conference": {"name": "Tides 2025"}, "type": "conference-paper", "year": "to appear"},
        "Ada Lovelace (to appear). Low water. Tides 2025.",
        "inproceedings booktitle={Tides 2025} year={to appear}",
        {
            "type": "paper-conference",
            "event-title": "Tides 2025",
            "issued": {"literal": "to appear"},
        },
    ),
    "thesis": (
        {"thesis-type": "Master's thesis", "institution": OFFICE, "date-published": "2026-02-03"},
        "Ada Lovelace (2026). Low water. Master's thesis, The Tide Office.",
        "phdthesis school={The Tide Office} type={Master's thesis} address={Bergen} year={2026} "
        "month={February}",
        {
            "type": "thesis",
            "genre": "Master's thesis",
            "publisher": "The Tide Office",
            "issued": {"date-parts": [[2026, 2, 3]]},
        },
    ),
    "report": (
        {"institution": OFFICE, "number": 12, "year": 2020, "url": "https://example.org/ü"},
        "Ada Lovelace (2020). Low water. The Tide Office. https://example.org/%C3%BC",
        "techreport institution={The Tide Office} number={12} url={https://example.org/%C3%BC}",
        {"type": "report", "publisher": "The Tide Office", "number": "12"},
    ),
    "website": (
        {"url": "https://example.org/", "date-released": "2021-12-24"},
        "Ada Lovelace (2021). Low water. https://example.org/",
        "online url={https://example.org/} year={2021} month={December}",
        {"type": "webpage", "URL": "https://example.org/"},
    ),
    "software": (
        {"version": "1.10", "date-released": "2021-12-24", "license": ["MIT", "0BSD"]},
        "Ada Lovelace (2021). Low water (version 1.10).",
        "software version={1.10} license={MIT OR 0BSD} year={2021}",
        {"type": "software", "version": "1.10"},
    ),
}


@pytest.fixture(scope="module")
def samples(bake, tmp_path_factory) -> dict[str, list]:
    """How each sample is cited."""
    works = [
        {"type": name, "title": "Low water", "authors": [ADA], **said[0]}
        for name, said in SAMPLES.items()
    ]
    files = [PLAIN | {"preferred-citation": work} for work in works]
    for one in files:
        CFF.validate(one)
    return dict(
        zip(SAMPLES, cited(bake(), tmp_path_factory.mktemp("samples"), *files), strict=True)
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_the_work_is_cited_first_and_the_software_second(samples, name):
    text, bibtex, items, _ = samples[name]
    _, sentence, entry, item = SAMPLES[name]
    assert text.splitlines() == [sentence, "The authors. Model (version 1.0)."]
    first, second = parse_string(bibtex, "bibtex").entries.values()
    kind, *fields = re.findall(r"^\w+|(?<= )\w+={.*?}", entry)
    assert (first.type, second.type) == (kind, "software")
    for field in fields:
        label, _, value = field.partition("=")
        assert untexed(first.fields[label]) == untexed(value.replace("&", r"\&")[1:-1]), label
    first, second = json.loads(items)
    assert (item | {"title": "Low water"}).items() <= first.items()
    assert second["title"] == "Model"


@pytest.mark.parametrize("name", SAMPLES)
def test_bibliographies_print_the_work(samples, name):
    _, bibtex, items, _ = samples[name]
    for line in (*by_citeproc(json.loads(items)), by_pybtex(bibtex)):
        assert "Model" in line or {"Lovelace", "water"} <= set(re.findall(r"\w+", line)), line


def by_citeproc(items: list[dict]) -> list[str]:
    """The items as citeproc prints them."""
    bibliography = CitationStylesBibliography(STYLE, CiteProcJSON(items), formatters.plain)
    bibliography.register(Citation([CitationItem(item["id"]) for item in items]))
    return [str(line) for line in bibliography.bibliography()]


def by_pybtex(bibtex: str) -> str:
    """The entries as the plain style of BibTeX prints them."""
    style = find_plugin("pybtex.style.formatting", "plain")()
    data = parse_string(bibtex, "bibtex")
    found = style.format_bibliography(data)
    return "\n".join(entry.text.render_as("text") for entry in found)


def rows(file: str) -> set[str]:
    """The words in quotes in a part of the schema of CSL."""
    return set(re.findall(r'"([\w-]+)"', (SCHEMAS / file).read_text("utf-8")))


def made(chance: random.Random, schema: dict, name: str = "") -> object:
    """Something that a schema of the Citation File Format allows, mostly of awkward texts."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return made(chance, CFF.schema["definitions"][name], name)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return made(chance, chance.choice(schema[choice]), name)
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if schema["type"] == "array":
        return [made(chance, schema["items"], name) for _ in range(chance.randint(1, 3))]
    if schema["type"] == "object":
        needed = schema.get("required", [])
        return {
            field: made(chance, inner, field)
            for field, inner in schema["properties"].items()
            if field in needed or chance.random() < 0.3
        }
    if schema["type"] in ("integer", "number"):
        return chance.choice([1, 12, 2024])
    return chance.choice(TEXTS.get(name) or TEXTS["url" if "uri" in str(schema) else ""])


TEXTS = {
    "": ["Ångström & Co.", "{a}_b", "50 %", "null", "12", "in press", "x\ny", '"q"', "a, b and c"],
    "cff-version": ["1.2.0"],
    "date": ["2024-02-30", "1999-12-31"],
    "doi": ["10.1234/a_b(c)[d]", "10.1234.5/x;y"],
    "email": ["a@example.org"],
    "isbn": ["978-0-00-000000-2"],
    "issn": ["1234-567X"],
    "languages": ["en"],
    "orcid": ["https://orcid.org/0000-0003-1419-2405"],
    "pmcid": ["PMC1234567"],
    "swh-identifier": ["swh:1:rev:" + "0123456789" * 4],
    "tel": ["+47 1"],
    "url": [
        "https://example.org/a%20b?c=d&e",
        "sftp://example.org",
        "http://[",
        "ftp://ü.example/ x",
    ],
}


@pytest.mark.slow
def test_everything_that_is_valid_is_taken(bake, tmp_path):
    chance = random.Random(1)
    files = [made(chance, CFF.schema) for _ in range(150)]
    for kind in TYPES:
        work = made(chance, REFERENCE) | {"type": kind, "title": "Low water"}
        files.append(PLAIN | {"preferred-citation": work})
    files += [PLAIN | {"authors": [one]} for one in ({}, {"alias": "ada"}, {"given-names": "Ada"})]
    files = [one for one in files if CFF.is_valid(one)]
    assert len(files) >= 100
    kinds, variables = rows("csl-types.rnc"), rows("csl-variables.rnc")
    names = {"id", "type", "author", "editor", "issued"} | variables
    for said, (text, bibtex, items, _) in zip(files, cited(bake(), tmp_path, *files), strict=True):
        items = json.loads(items)
        entries = parse_string(bibtex, "bibtex").entries
        assert len(items) == len(entries) == len(text.splitlines()), said
        assert {item["type"] for item in items} <= kinds and set().union(*items) <= names
        assert by_citeproc(items)


def test_a_person_without_a_name_is_called_by_what_is_known(bake, tmp_path):
    people = {
        "Anonymous": {},
        "ada": {"alias": "ada"},
        "Ada": {"given-names": "Ada", "alias": "ada"},
        "The Tide Office": {"affiliation": "The Tide Office", "email": "a@example.org"},
        "https://orcid.org/0000-0003-1419-2405": {"orcid": "https://orcid.org/0000-0003-1419-2405"},
    }
    files = [PLAIN | {"authors": [one]} for one in people.values()]
    for name, (text, bibtex, items, _) in zip(people, cited(bake(), tmp_path, *files), strict=True):
        assert text == f"{name}. Model (version 1.0).\n"
        assert json.loads(items)[0]["author"] == [{"literal": name}]
        (entry,) = parse_string(bibtex, "bibtex").entries.values()
        assert [*map(str, entry.persons["author"])] == [f"{{{name}}}"]


def test_a_work_that_is_the_software_is_cited_once(bake, tmp_path):
    same = {key: PLAIN[key] for key in ("title", "version", "authors")} | {"doi": "10.1234/a"}
    said = PLAIN | {"preferred-citation": same | {"type": "software"}}
    ((text, bibtex, items, _),) = cited(bake(), tmp_path, said)
    assert text == "The authors. Model (version 1.0). https://doi.org/10.1234/a\n"
    assert bibtex.count("@") == len(json.loads(items)) == 1


def test_a_work_of_others_with_the_same_title_and_version_is_cited_beside_the_software(
    bake, tmp_path
):
    paper = {"type": "software", "title": "Model", "version": "1.0", "doi": "10.1234/a"}
    said = PLAIN | {"preferred-citation": paper | {"authors": [ADA]}}
    ((text, bibtex, items, _),) = cited(bake(), tmp_path, said)
    assert text.splitlines() == [
        "Ada Lovelace. Model (version 1.0). https://doi.org/10.1234/a",
        "The authors. Model (version 1.0).",
    ]
    names = [item["id"] for item in json.loads(items)]
    assert len(set(names)) == 2 and names == [*parse_string(bibtex, "bibtex").entries]


def test_a_work_under_references_gives_the_software_no_doi(bake, tmp_path):
    """As docs/publishing.md says it for the files of the image."""
    kind = re.search(
        r"`references`, with the type `([\w-]+)`",
        (bake() / "docs/publishing.md").read_text("utf-8"),
    )[1]
    files = {"type": kind, "title": "Its image", "authors": [ADA], "doi": "10.1234/image"}
    CFF.validate(said := PLAIN | {"references": [files]})
    ((*forms, others),) = cited(bake(), tmp_path, said)
    assert "10.1234/image" not in str([*forms, others])
    said = PLAIN | {"identifiers": [{"type": "doi", "value": "10.1234/image"}]}
    assert "10.1234/image" in str(cited(bake(), tmp_path, said))


def test_without_a_version_the_rest_says_so_or_nothing(bake, tmp_path):
    said = {key: PLAIN[key] for key in PLAIN if key != "version"}
    ((text, bibtex, _, others),) = cited(bake(), tmp_path, said)
    assert text == "The authors. Model.\n" and "version" not in bibtex
    facts, info, _ = others
    assert facts["version"] == facts["type"]["version"] == info["version"] == "unknown"
