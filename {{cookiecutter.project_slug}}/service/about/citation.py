"""GET /citation: how to cite the software, as CITATION.cff says; only this module reads it."""

import functools
import json
import re
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import yaml
from flask import Flask, Response, render_template, request
from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError
from werkzeug.exceptions import NotAcceptable

from service.errors import accepts

FILE = Path(__file__).parents[2] / "CITATION.cff"
SAMPLE = Path(__file__).with_name("sample.cff")
TEXT, BIBTEX = "text/plain", "application/x-bibtex"
CSL = "application/vnd.citationstyles.csl+json"

DOI = r"^10\.[0-9.]+/[-A-Za-z0-9:/_;.()\[\]\\]+$"
Words = Annotated[str, Field(pattern=r"\S")]
Licence = Annotated[str, Field(pattern="^[A-Za-z0-9.+-]+$")]
OneOrMore = BeforeValidator(lambda found: [found] if isinstance(found, str) else found)

# BibTeX counts each brace, even after a backslash. So braces have names here.
MARKS = {mark: f"\\{mark}" for mark in "&%$#_"}
MARKS |= {"\\": r"\textbackslash{}", "{": r"\lbrace{}", "}": r"\rbrace{}"}
MARKS |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


class Author(BaseModel):
    """A person or an organisation: the parts of the name, in the order in which they are spoken."""

    given: Words = Field("", validation_alias="given-names")
    particle: Words = Field("", alias="name-particle", serialization_alias="non-dropping-particle")
    family: Words = Field(validation_alias=AliasChoices("family-names", "name"))
    suffix: Words = Field("", validation_alias="name-suffix")
    orcid: str = Field("", pattern=r"^https://orcid\.org/[0-9X-]{19}$", exclude=True)

    @property
    def name(self) -> str:
        """The name as it is spoken."""
        return " ".join(self.model_dump(exclude_defaults=True).values())

    def csl(self) -> dict:
        """The name for CSL-JSON: its parts, or as a whole where there is no given name."""
        if not self.given:
            return {"literal": self.name}
        return self.model_dump(by_alias=True, exclude_defaults=True)


class Citation(BaseModel):
    """The used part of the Citation File Format 1.2.0."""

    title: Words
    version: Words
    people: list[Author] = Field(alias="authors", min_length=1)
    abstract: str = ""
    licences: Annotated[list[Licence], OneOrMore] = Field([], alias="license")  # any of these
    code: str = Field("", alias="repository-code", pattern=r"^https?://\S+$")
    date: str = Field("", alias="date-released", pattern="^[0-9]{4}-[01][0-9]-[0-3][0-9]$")
    own_doi: str = Field("", alias="doi", pattern=DOI)
    identifiers: list[dict[str, str]] = []

    @property
    def authors(self) -> list[str]:
        """The names of the authors as they are spoken."""
        return [person.name for person in self.people]

    @property
    def doi(self) -> str:
        """The DOI under `doi`, or else the first one under `identifiers`."""
        others = [one.get("value", "") for one in self.identifiers if one.get("type") == "doi"]
        return next(filter(re.compile(DOI).fullmatch, [self.own_doi, *others]), "")

    @property
    def found_at(self) -> str:
        """The address of the DOI, which lasts, or else of the code."""
        place = f"https://doi.org/{self.doi}" if self.doi else self.code
        return quote(place, safe="%:/?#[]@!$&'()*+,;=~")

    @property
    def key(self) -> str:
        """The name of the entry in a bibliography."""
        words = f"{self.title[:40]} {self.version}".lower()
        return "-".join(re.findall("[a-z0-9.]+", words)) or "model"

    def sentence(self) -> str:
        """The citation as a sentence, without the address."""
        people = ", ".join(self.authors) + (f" ({self.date[:4]})" if self.date else "")
        text = f"{people.removesuffix('.')}. {self.title} (version {self.version})."
        return " ".join(text.splitlines())

    def csl(self) -> dict:
        """The citation as an item of CSL-JSON, which Zotero and Pandoc read."""
        fields = {
            "id": self.key,
            "type": "software",
            "title": self.title,
            "author": [person.csl() for person in self.people],
            "version": self.version,
            "issued": self.date and {"date-parts": [[int(n) for n in self.date.split("-")]]},
            "DOI": self.doi,
            "URL": self.found_at,
        }
        return {name: value for name, value in fields.items() if value}


@functools.cache
def cited() -> Citation:
    """Read the citation of this project once, or stop with the reason and a sample."""
    try:
        # BaseLoader keeps each value as text. The usual loader reads the version 1.10 as 1.1.
        return Citation.model_validate(yaml.load(FILE.read_bytes(), yaml.BaseLoader))
    except ValidationError as error:
        fault = error.errors()[0]
        reason = f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
    except (OSError, yaml.YAMLError) as error:
        reason = str(error)
    sample = SAMPLE.read_text("utf-8")
    sys.exit(f"CITATION.cff cannot be used: {reason}. Write it like this:\n{sample}")


def tex(text: str) -> str:
    """Write a text so that TeX prints it."""
    return " ".join(text.split()).translate(str.maketrans(MARKS))


def name_part(text: str) -> str:
    """Write a part of a name, with commas and "and", which separate names, in braces."""
    return re.sub(r"(?i),|\band\b", r"{\g<0>}", tex(text))


def register(app: Flask, model: object) -> None:
    """Add the route to a service; each form of the citation is written once."""
    app.jinja_env.filters |= {"tex": tex, "name_part": name_part}
    project = cited()
    with app.app_context():
        bibtex = render_template("citation.bib", cited=project)
    answers = {
        TEXT: f"{project.sentence()} {project.found_at}".strip(),
        BIBTEX: bibtex,
        CSL: json.dumps([project.csl()], indent=2, ensure_ascii=False),
    }

    @app.get("/citation")
    def citation() -> Response:
        """Say how to cite the software.

        :raise 406: if the caller takes neither text nor BibTeX nor CSL-JSON
        """
        is_any = accepts("*/*") and not request.accept_mimetypes
        kind = TEXT if is_any else request.accept_mimetypes.best_match(answers)
        if not kind:
            given = " or ".join(answers)
            raise NotAcceptable(f"The answer is {given}, and Accept rules these out.")
        content_type = f"{kind}; charset=utf-8"
        return Response(answers[kind] + "\n", headers={"Vary": "Accept"}, content_type=content_type)
