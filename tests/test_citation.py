"""CITATION.cff as hands write it: valid, and read back from each form by those who take it."""

import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote, urljoin
from urllib.request import Request, urlopen

import pytest
import yaml
from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle
from citeproc import formatter as formatters
from citeproc.source.json import CiteProcJSON
from conftest import clean_environment, refused_start
from httplink import parse_link_header
from pybtex.database import parse_string
from pylatexenc.latex2text import LatexNodes2Text
from signposting import find_signposting_http_link
from test_contract import CHOICES
from test_data_safety import AWKWARD, CFF

DOI = "10.5281/zenodo.1234567"
ORCID = "https://orcid.org/0000-0003-1419-2405"
BIBTEX, CSL = "application/x-bibtex", "application/vnd.citationstyles.csl+json"
MARKS = '50% & #1_a $x$ ~ ^ {b} } \\alpha "q" 🚀 שלום ü {{ 7*7 }}'

# Names that reference managers take apart wrongly where they are not told.
AUTHORS = [
    {"family-names": "Lovelace", "given-names": "Ada", "orcid": ORCID},
    {"family-names": "Beethoven", "given-names": "Ludwig", "name-particle": "van"},
    {"family-names": "King", "given-names": "Martin Luther", "name-suffix": "Jr."},
    {"family-names": "Tom and Jerry", "given-names": "And Co"},
    {"family-names": "Last, First", "given-names": "A, B"},
    {"family-names": "Plato"},
    {"name": "Foo and Bar, Inc."},
    {"name": "others"},
    {"family-names": "כהן", "given-names": "שלום"},
    {"family-names": MARKS, "given-names": MARKS},
    {"name": MARKS},
]
PLAIN = {
    "cff-version": "1.2.0",
    "message": "Cite it.",
    "title": "Model",
    "version": "1.0",
    "authors": [{"name": "The authors"}],
}
PROGRAM = """
import json
from service.about import citation
from service.application import commands

app = commands()
citation.register(app, None)
kinds = [citation.TEXT, citation.BIBTEX, citation.CSL]
found = [app.test_client().get("/citation", headers={"Accept": kind}).text for kind in kinds]
print(json.dumps({"text": found[0], "bibtex": found[1], "csl": json.loads(found[2])[-1]}))
"""


def run(project: Path, said: bytes) -> subprocess.CompletedProcess:
    """Let a project read another CITATION.cff, and write how it is cited."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "service").symlink_to(project / "service")
        Path(folder, "CITATION.cff").write_bytes(said)
        command = [sys.executable, "-c", PROGRAM]
        return subprocess.run(command, cwd=folder, env=clean_environment(), capture_output=True)


def cited(project: Path, said: str) -> dict:
    """How a project cites itself when its CITATION.cff says something else."""
    done = run(project, said.encode())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def written(**changes: object) -> str:
    """A plain CITATION.cff with some of its keys changed."""
    return yaml.safe_dump(PLAIN | changes, allow_unicode=True)


def spoken(author: dict) -> str:
    """An author's name as people write it."""
    parts = ("given-names", "name-particle", "family-names", "name-suffix", "name")
    return " ".join(author[part] for part in parts if part in author)


def untexed(text: str) -> str:
    """A value of BibTeX as TeX prints it."""
    return LatexNodes2Text(keep_comments=True).latex_to_text(text).replace("ˆ", "^")


def entry(bibtex: str):
    """The one entry of a file, read by Pybtex."""
    (found,) = parse_string(bibtex, "bibtex").entries.values()
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("licence", "orcid", "given", "doi"),
    list(itertools.product(CHOICES["license"], ["", ORCID[-19:]], ["", "Ada"], [False, True])),
)
def test_the_file_is_valid_whatever_was_answered(bake, licence, orcid, given, doi):
    project = bake(license=licence, orcid=orcid, author_given_names=given)
    text = (project / "CITATION.cff").read_text("utf-8")
    assert text.count("\n# Once it is archived: doi: ") == 1
    if doi:
        text = text.replace("# Once it is archived: doi: ", "doi: ")
        # What stands there cannot be taken for the DOI of somebody else's work.
        assert "CITATION.cff cannot be used: doi: " in run(project, text.encode()).stderr.decode()
        text = text.replace("zenodo.…", "zenodo.1234567")
    said = yaml.safe_load(text)
    CFF.validate(said)
    assert ("doi" in said, "orcid" in said["authors"][0]) == (doi, bool(orcid))


@pytest.mark.slow
@pytest.mark.parametrize("author", AUTHORS, ids=range(len(AUTHORS)))
def test_a_name_comes_back_whole_and_alone(bake, author):
    found = cited(bake(), written(authors=[author, *AUTHORS[:1]], title=MARKS))
    assert found["text"].startswith(f"{spoken(author)}, Ada Lovelace. {MARKS} (version 1.0).")
    first, second = entry(found["bibtex"]).persons["author"]
    assert str(second) == "Lovelace, Ada"
    if {"family-names", "given-names"} <= set(author):
        last = first.prelast_names + first.last_names  # "van" may be of either
        parts = [first.first_names + first.middle_names, last, first.lineage_names]
        family = f"{author.get('name-particle', '')} {author['family-names']}".strip()
        assert [untexed(" ".join(part)) for part in parts] == [
            author["given-names"],
            family,
            author.get("name-suffix", ""),
        ]
    else:
        assert [untexed(part) for part in first.last_names] == [spoken(author)]
        assert found["csl"]["author"][0] == {"literal": spoken(author)}


@pytest.mark.slow
@pytest.mark.parametrize("text", [MARKS, *AWKWARD[:-1]], ids=range(len(AWKWARD)))
def test_a_title_comes_back_from_bibtex(bake, text):
    found = entry(cited(bake(), written(title=text, version=text))["bibtex"])
    plain = " ".join(text.replace("''", "”").replace("``", "“").split())
    assert found.type == "software"
    assert untexed(found.fields["title"].removeprefix("{").removesuffix("}")) == plain
    assert untexed(found.fields["version"]) == plain


def test_citeproc_reads_the_item(bake):
    said = {"authors": [AUTHORS[6], AUTHORS[1]], "doi": DOI, "date-released": "2026-01-31"}
    item = cited(bake(), written(title="Leśny potok", **said))["csl"]
    assert item["id"] == "lesny-potok-software-1.0"
    assert item["issued"] == {"date-parts": [[2026, 1, 31]]}
    assert item["author"][1] == {
        "given": "Ludwig",
        "non-dropping-particle": "van",
        "family": "Beethoven",
    }
    source = CiteProcJSON([item])
    style = CitationStylesStyle("harvard-cite-them-right", validate=False)
    bibliography = CitationStylesBibliography(style, source, formatters.plain)
    bibliography.register(Citation([CitationItem(item["id"])]))
    (line,) = map(str, bibliography.bibliography())
    assert "Beethoven" in line and "Foo and Bar, Inc." in line and "2026" in line


WAYS = {
    "nothing optional": ({}, "The authors. Model (version 1.0)."),
    "version as a number": ({"version": 1.10}, "The authors. Model (version 1.1)."),
    "date": ({"date-released": "2026-01-31"}, "The authors (2026). Model (version 1.0)."),
    "DOI": ({"doi": DOI}, f"The authors. Model (version 1.0). https://doi.org/{DOI}"),
    "DOI among identifiers": (
        {
            "identifiers": [
                {"type": "url", "value": "https://example.org"},
                {"type": "other", "value": "10.5281/zenodo.7654321"},
                {"type": "doi", "value": "to come"},
                {"type": "doi", "value": DOI},
            ]
        },
        f"The authors. Model (version 1.0). https://doi.org/{DOI}",
    ),
    "no DOI": (
        {"repository-code": "https://example.org/ü(x)"},
        "The authors. Model (version 1.0). https://example.org/%C3%BC(x)",
    ),
    "licences": ({"license": ["MIT", "Apache-2.0"]}, "The authors. Model (version 1.0)."),
    "a site": (
        {"url": "https://example.org"},
        "The authors. Model (version 1.0). https://example.org",
    ),
    "a question": ({"title": "How high?", "version": ""}, "The authors. How high?"),
    "lines": ({"title": "Model\nof the\r\nTide"}, "The authors. Model of the Tide (version 1.0)."),
}


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "text"), WAYS.values(), ids=WAYS)
def test_the_sentence_says_what_is_known_and_no_more(bake, changes, text):
    found = cited(bake(), written(**changes))
    assert found["text"] == f"{text}\n"
    fields = entry(found["bibtex"]).fields
    assert fields.get("year") == changes.get("date-released", "")[:4] or "year" not in fields
    assert fields.get("doi", DOI) == DOI


def test_a_version_is_the_text_that_stands_there(bake):
    said = written().replace("version: '1.0'", "version: 1.10")
    assert "(version 1.10)" in cited(bake(), said)["text"]


REFUSALS = {
    "not YAML": ("title: a: b", "mapping values are not allowed here"),
    "a conflict": (f"<<<<<<< HEAD\n{written()}=======\n", "mapping values are not allowed here"),
    "not UTF-8": (b"title: \xff", "invalid start byte"),
    "empty": ("", "the file: "),
    "a list": ("- title", "the file: "),
    "a paper without authors": (
        written(**{"preferred-citation": {"type": "article", "title": "P"}}),
        "preferred-citation.authors: Field required",
    ),
    "no title": (written(title=" "), "title: String should match"),
    "no authors": (written(authors=[]), "authors: List should have at least 1 item"),
    "authors as text": (written(authors="Ada"), "authors: Input should be a valid list"),
    "an author as text": (written(authors=["Ada"]), "authors.0: Input should be a valid"),
    "DOI as link": (
        written(doi=f"https://doi.org/{DOI}"),
        "doi: write it like 10.5281/zenodo.",
    ),
    "no month": (
        written(**{"preferred-citation": PLAIN | {"type": "article", "year": 2024, "month": 13}}),
        "preferred-citation.month: write a number from 1 to 12",
    ),
    "no ORCID": (
        written(authors=[{"name": "A", "orcid": "javascript:alert(1)"}]),
        "authors.0.orcid: String should match",
    ),
    "injection": (written(license="MIT\r\nX-Evil: 1"), "license.0: String should match"),
    "no licence": (written(license=["MIT", "a b"]), "license.1: String should match"),
    "half a character": ('title: "\\ud83d"\nversion: 1\nauthors: [{name: A}]', "title: "),
    "not a date": (written(**{"date-released": "January"}), "date-released: String should match"),
    "not a link": (written(**{"repository-code": "javascript:alert(1)"}), "repository-code: "),
}


@pytest.mark.slow
@pytest.mark.parametrize(("said", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_a_file_that_says_too_little_stops_with_the_way_out(bake, said, reason):
    done = run(bake(), said if isinstance(said, bytes) else said.encode())
    assert done.returncode == 1 and "Traceback" not in done.stderr.decode()
    said, _, sample = done.stderr.decode().partition(" Write it like this:\n")
    assert said.startswith("CITATION.cff cannot be used: ") and reason in said
    assert cited(bake(), sample)["text"].startswith(
        "Ada Lovelace, The Tide Office (2026). My model"
    )


@pytest.mark.slow
def test_the_service_does_not_start_without_the_file(cookies):
    project = cookies.bake().project_path
    (project / "CITATION.cff").unlink()
    assert "CITATION.cff cannot be used: [Errno 2] No such file" in refused_start(project)


def change(project: Path, **changes: object) -> Path:
    """The project with some keys of its CITATION.cff changed."""
    said = yaml.safe_load((project / "CITATION.cff").read_text("utf-8")) | changes
    (project / "CITATION.cff").write_text(yaml.safe_dump(said, allow_unicode=True), "utf-8")
    return project


@pytest.fixture(scope="module")
def server(cookies_session, serve):
    """A service with a DOI, and with people whose names are no ASCII."""
    project = cookies_session.bake({"license": "GPL-3.0-or-later"}).project_path
    everyone = [{"family-names": f"Ü{i}", "given-names": "é"} for i in range(300)]
    everyone[0]["orcid"] = ORCID
    with serve(change(project, doi=DOI, authors=everyone)) as started:
        yield started


@pytest.mark.slow
def test_the_page_leads_to_the_authors(server):
    page = server.get("/").body.decode()
    assert f'<bdi>é Ü0</bdi> <a rel="author" href="{ORCID}">{ORCID}</a>' in page


@pytest.mark.parametrize("path", ["/", "/api?value=2", "/examples", "/openapi.json", "/citation"])
def test_a_program_finds_the_rest_by_the_links(server, path):
    response = server.get(path)
    header = response.headers["Link"]
    assert len(f"Link: {header}") <= 400
    # As if a web server had given the service another host, and a prefix.
    found = find_signposting_http_link([header], f"https://example.org/model{path}")
    assert found.citeAs.target == f"https://doi.org/{DOI}"
    assert found.license.target == "https://spdx.org/licenses/GPL-3.0-or-later"


def targets(header: str, path: str) -> dict[str, str]:
    """Where the links of a header lead, seen from an address behind a prefix."""
    links = parse_link_header(header).links
    return {
        rel: urljoin(f"https://example.org/p{path}", link.target)
        for link in links
        for rel in link.rel
    }


def test_every_link_leads_somewhere_from_any_depth(server):
    batch = urlopen(
        Request(
            f"http://127.0.0.1:{server.port}/api/batch", b"[]", {"Content-Type": "application/json"}
        )
    )
    for path, header in [
        ("/api/batch", batch.headers["Link"]),
        ("/", server.get("/").headers["Link"]),
    ]:
        found = targets(header, path)
        for relation in ("service-desc", "service-doc", "service-meta", "status"):
            prefix, _, rest = found[relation].partition("https://example.org/p")
            assert prefix == "" and server.get(rest).status == 200, relation


@pytest.mark.parametrize("path", ["/nowhere", "/api?value=x", "/static/style.css"])
def test_errors_and_files_carry_no_links(server, path):
    assert "Link" not in server.get(path).headers


def test_without_a_doi_nothing_says_cite_as(bake, serve):
    with serve(bake()) as started:
        assert "cite-as" not in started.get("/").headers["Link"]


ACCEPTED = {
    "": "text/plain",
    "*/*": "text/plain",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "text/plain",
    BIBTEX: BIBTEX,
    f"{BIBTEX};q=0.5, text/plain;q=0.4": BIBTEX,
    f"{CSL}, {BIBTEX};q=0.9": CSL,
    f"{CSL}; style=apa, text/plain;q=0.9": CSL,
    "text/plain; charset=utf-8": "text/plain",
    "application/json": "application/problem+json",
    "text/plain;q=0": "application/problem+json",
}


@pytest.mark.parametrize(("accept", "kind"), ACCEPTED.items())
def test_the_accept_header_chooses(server, accept, kind):
    headers = {"Accept": accept} if accept else {}
    request = Request(f"http://127.0.0.1:{server.port}/citation", headers=headers)
    try:
        response = urlopen(request)
    except OSError as error:
        response = error
    assert response.headers.get_content_type() == kind
    assert response.status == (406 if "problem" in kind else 200)
    assert response.status == 406 or "Accept" in response.headers["Vary"]
    body = response.read().decode("utf-8")
    if kind == BIBTEX:
        assert entry(body).fields["doi"] == DOI
    if kind == CSL:
        assert CiteProcJSON(json.loads(body)) and json.loads(body)[0]["DOI"] == DOI


def test_a_doi_cannot_leave_its_header(bake):
    doi = "10.5281/a\\b[c]"
    assert cited(bake(), written(doi=doi))["text"].endswith(quote(doi, "/[]") + "\n")
