"""GET /citation: how to cite the software, from CITATION.cff, which nothing else reads."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import yaml
from flask import Blueprint, Response, request
from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError
from werkzeug.exceptions import NotAcceptable

bp = Blueprint("citation", __name__)

TEXT, BIBTEX = "text/plain", "application/x-bibtex"
CSL = "application/vnd.citationstyles.csl+json"

SAMPLE = """title: "My model"
version: "1.0.0"
authors:
  - {given-names: Ada, family-names: Lovelace, orcid: "https://orcid.org/0000-0002-1825-0097"}
  - {name: The Tide Office}
license: MIT
repository-code: "https://example.org/my-model"
date-released: 2026-01-31"""
IS_DOI = r"^10\.[0-9.]+/[-A-Za-z0-9:/_;.()\[\]\\]+$"
Words = Annotated[str, Field(pattern=r"\S")]
Licence = Annotated[str, Field(pattern="^[A-Za-z0-9.+-]+$")]
OneOrMore = BeforeValidator(lambda found: [found] if isinstance(found, str) else found)

# Braces have names, because BibTeX counts those after a backslash too.
MARKS = {mark: f"\\{mark}" for mark in "&%$#_"}
MARKS |= {"\\": r"\textbackslash{}", "{": r"\lbrace{}", "}": r"\rbrace{}"}
MARKS |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


class Author(BaseModel):
    """A name in the parts of CSL-JSON, in the order in which they are spoken."""

    given: Words = Field("", validation_alias="given-names")
    particle: Words = Field("", alias="name-particle", serialization_alias="non-dropping-particle")
    family: Words = Field(validation_alias=AliasChoices("family-names", "name"))
    suffix: Words = Field("", validation_alias="name-suffix")
    orcid: str = Field("", pattern=r"^https://orcid\.org/[0-9X-]{19}$")


class Citation(BaseModel):
    """What is used of the Citation File Format 1.2.0."""

    title: Words
    version: Words
    authors: list[Author] = Field(min_length=1)
    abstract: str = ""
    license: Annotated[list[Licence], OneOrMore] = []  # any of which holds
    code: str = Field("", alias="repository-code", pattern=r"^https?://\S+$")
    released: str = Field("", alias="date-released", pattern="^[0-9]{4}-[01][0-9]-[0-3][0-9]$")
    doi: str = Field("", pattern=IS_DOI)
    identifiers: list[dict[str, str]] = []


def read(path: Path) -> dict:
    """What the file says, every value as the text that stands there, or stop with the way out."""
    try:
        # The usual loader would take the version 1.10 for the number 1.1.
        said = yaml.load(path.read_bytes(), yaml.BaseLoader)
        return Citation.model_validate(said).model_dump(by_alias=True, exclude_defaults=True)
    except ValidationError as error:
        fault = error.errors()[0]
        reason = f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
    except (OSError, yaml.YAMLError) as error:
        reason = str(error)
    sys.exit(f"CITATION.cff cannot be used: {reason}. Write it like this:\n{SAMPLE}")


CITATION = read(Path(__file__).parents[1] / "CITATION.cff")
TITLE, VERSION, DATE = CITATION["title"], CITATION["version"], CITATION.get("date-released", "")
ORCIDS = [name.pop("orcid", "") for name in CITATION["authors"]]  # of which CSL-JSON has none
AUTHORS = [" ".join(name.values()) for name in CITATION["authors"]]
LICENCES = CITATION.get("license", [])
OTHERS = [one for one in CITATION.get("identifiers", []) if one.get("type") == "doi"]
DOIS = [CITATION.get("doi", ""), *(one.get("value", "") for one in OTHERS)]
DOI = next((one for one in DOIS if re.fullmatch(IS_DOI, one)), "")
# By its DOI, which lasts, or where its code is.
FOUND_AT = f"https://doi.org/{DOI}" if DOI else CITATION.get("repository-code", "")
FOUND_AT = quote(FOUND_AT, safe="%:/?#[]@!$&'()*+,;=~")
PEOPLE = ", ".join(AUTHORS) + (f" ({DATE[:4]})" if DATE else "")
SENTENCE = " ".join(f"{PEOPLE.removesuffix('.')}. {TITLE} (version {VERSION}).".splitlines())


def csl() -> dict:
    """The citation as an item of CSL-JSON, which Zotero and Pandoc read."""
    names = zip(CITATION["authors"], AUTHORS, strict=True)
    fields = {
        "id": "-".join(re.findall("[a-z0-9.]+", f"{TITLE[:40]} {VERSION}".lower())) or "model",
        "type": "software",
        "title": TITLE,
        "author": [name if "given" in name else {"literal": whole} for name, whole in names],
        "version": VERSION,
        "issued": DATE and {"date-parts": [[int(part) for part in DATE.split("-")]]},
        "DOI": DOI,
        "URL": FOUND_AT,
    }
    return {name: value for name, value in fields.items() if value}


def bibtex(item: dict) -> str:
    """The same item for BibTeX and BibLaTeX."""
    fields = {
        "title": braced(tex(TITLE)),  # or some styles would change its capitals
        "author": " and ".join(map(bibtex_name, item["author"])),
        "year": DATE[:4],
        "version": tex(VERSION),
        "doi": DOI,
        "url": FOUND_AT,
        "license": " OR ".join(LICENCES),
    }
    lines = [f"  {name} = {braced(text)},\n" for name, text in fields.items() if text]
    return "@software" + braced(f"{item['id']},\n{''.join(lines)}") + "\n"


def bibtex_name(name: dict) -> str:
    """A name of which nothing is taken for what separates names, or the parts of one."""
    if "literal" in name:
        return braced(tex(name["literal"]))
    family = f"{name.get('non-dropping-particle', '')} {name['family']}"
    parts = [tex(part) for part in (family, name.get("suffix"), name["given"]) if part]
    return ", ".join(re.sub(r"(?i),|\band\b", r"{\g<0>}", part) for part in parts)


def tex(text: str) -> str:
    """A text as TeX prints it."""
    return " ".join(text.split()).translate(str.maketrans(MARKS))


def braced(text: str) -> str:
    """A text that BibTeX takes as one."""
    return "{" + text + "}"


ANSWERS = {
    TEXT: f"{SENTENCE} {FOUND_AT}".strip() + "\n",
    BIBTEX: bibtex(csl()),
    CSL: json.dumps([csl()], indent=2) + "\n",
}


@bp.get("/citation")
def show() -> Response:
    """Say how to cite the software.

    :raise 406: if the caller takes neither text nor BibTeX nor CSL-JSON
    """
    accepted = request.accept_mimetypes
    kind = accepted.best_match(ANSWERS) if accepted else TEXT
    if not kind:
        raise NotAcceptable(f"The answer is {' or '.join(ANSWERS)}, and Accept rules these out.")
    return Response(
        ANSWERS[kind], headers={"Vary": "Accept"}, content_type=f"{kind}; charset=utf-8"
    )
