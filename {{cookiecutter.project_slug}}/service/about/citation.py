"""GET /citation: how to cite the software, from CITATION.cff, which nothing else reads."""

import functools
import json
import re
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import yaml
from flask import Flask, Response, request
from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError
from werkzeug.exceptions import NotAcceptable

from service.errors import accepts

FILE = Path(__file__).parents[2] / "CITATION.cff"
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


class Cited:
    """The project as its citation names it."""

    def __init__(self, said: dict) -> None:
        self.said = said
        self.title, self.version = said["title"], said["version"]
        self.date = said.get("date-released", "")
        self.abstract = said.get("abstract", "")
        self.code = said.get("repository-code", "")
        self.licences = said.get("license", [])
        self.names = [dict(name) for name in said["authors"]]
        orcids = [name.pop("orcid", "") for name in self.names]  # of which CSL-JSON has none
        self.authors = [" ".join(name.values()) for name in self.names]
        people = zip(orcids, self.authors, strict=True)
        self.orcids = {orcid: name for orcid, name in people if orcid}
        others = [one for one in said.get("identifiers", []) if one.get("type") == "doi"]
        dois = [said.get("doi", ""), *(one.get("value", "") for one in others)]
        self.doi = next((one for one in dois if re.fullmatch(IS_DOI, one)), "")
        # By its DOI, which lasts, or where its code is.
        place = f"https://doi.org/{self.doi}" if self.doi else self.code
        self.found_at = quote(place, safe="%:/?#[]@!$&'()*+,;=~")

    def sentence(self) -> str:
        """The citation as a sentence, but for the address."""
        people = ", ".join(self.authors) + (f" ({self.date[:4]})" if self.date else "")
        text = f"{people.removesuffix('.')}. {self.title} (version {self.version})."
        return " ".join(text.splitlines())

    def csl(self) -> dict:
        """The citation as an item of CSL-JSON, which Zotero and Pandoc read."""
        pairs = zip(self.names, self.authors, strict=True)
        words = f"{self.title[:40]} {self.version}".lower()
        fields = {
            "id": "-".join(re.findall("[a-z0-9.]+", words)) or "model",
            "type": "software",
            "title": self.title,
            "author": [name if "given" in name else {"literal": whole} for name, whole in pairs],
            "version": self.version,
            "issued": self.date and {"date-parts": [[int(n) for n in self.date.split("-")]]},
            "DOI": self.doi,
            "URL": self.found_at,
        }
        return {name: value for name, value in fields.items() if value}

    def bibtex(self) -> str:
        """The same item for BibTeX and BibLaTeX."""
        item = self.csl()
        fields = {
            "title": braced(tex(self.title)),  # or some styles would change its capitals
            "author": " and ".join(map(bibtex_name, item["author"])),
            "year": self.date[:4],
            "version": tex(self.version),
            "doi": self.doi,
            "url": self.found_at,
            "license": " OR ".join(self.licences),
        }
        lines = [f"  {name} = {braced(text)},\n" for name, text in fields.items() if text]
        return "@software" + braced(f"{item['id']},\n{''.join(lines)}") + "\n"

    def answers(self) -> dict[str, str]:
        """The citation in each form, by its media type."""
        return {
            TEXT: f"{self.sentence()} {self.found_at}".strip() + "\n",
            BIBTEX: self.bibtex(),
            CSL: json.dumps([self.csl()], indent=2) + "\n",
        }


@functools.cache
def cited() -> Cited:
    """The citation of this project, read once."""
    return Cited(read(FILE))


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


def register(app: Flask, model: object) -> None:
    """Add the route to a service."""
    answers = cited().answers()

    def citation() -> Response:
        """Say how to cite the software.

        :raise 406: if the caller takes neither text nor BibTeX nor CSL-JSON
        """
        is_any = accepts("*/*") and not request.accept_mimetypes
        kind = TEXT if is_any else request.accept_mimetypes.best_match(answers)
        if not kind:
            given = " or ".join(answers)
            raise NotAcceptable(f"The answer is {given}, and Accept rules these out.")
        kinds = f"{kind}; charset=utf-8"
        return Response(answers[kind], headers={"Vary": "Accept"}, content_type=kinds)

    app.add_url_rule("/citation", "citation", citation, methods=["GET"])
