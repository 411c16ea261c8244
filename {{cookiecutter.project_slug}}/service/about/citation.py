"""GET /citation: what to cite, as CITATION.cff says; only this module reads it."""

import functools
import re
import sys
from pathlib import Path
from typing import Annotated
from unicodedata import normalize
from urllib.parse import quote

import yaml
from flask import Flask, render_template, request
from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError
from werkzeug.exceptions import NotAcceptable

from service.errors import accepts

FILE = Path(__file__).parents[2] / "CITATION.cff"
SAMPLE = Path(__file__).with_name("sample.cff")
NAMES = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
TEXT, BIBTEX = "text/plain", "application/x-bibtex"
CSL = "application/vnd.citationstyles.csl+json"
FORMS = {TEXT: "citation.txt", BIBTEX: "citation.bib", CSL: "citation.json"}

DOI = r"^10\.[0-9.]+/[-A-Za-z0-9:/_;.()\[\]\\]+$"
Licence = Annotated[str, Field(pattern="^[A-Za-z0-9.+-]+$")]
OneOrMore = BeforeValidator(lambda found: [found] if isinstance(found, str) else found)

# The words in the place of a pattern that says little.
HINTS = {"doi": "write it like 10.5281/zenodo.1234567", "month": "write a number from 1 to 12"}

# BibTeX counts each brace, even after a backslash. So braces have names here.
MARKS = {mark: f"\\{mark}" for mark in "&%$#_"}
MARKS |= {"\\": r"\textbackslash{}", "{": r"\lbrace{}", "}": r"\rbrace{}"}
MARKS |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


class Person(BaseModel):
    """A person or an organisation: the parts of the name, in the order in which they are spoken."""

    given: str = Field("", validation_alias="given-names")
    particle: str = Field("", alias="name-particle", serialization_alias="non-dropping-particle")
    family: str = Field("", validation_alias="family-names")
    suffix: str = Field("", validation_alias="name-suffix")
    other: str = Field("", validation_alias=AliasChoices(*NAMES["person"]), exclude=True)
    orcid: str = Field("", pattern=r"^https://orcid\.org/[0-9X-]{19}", exclude=True)

    @property
    def parts(self) -> dict:
        """The parts of the name that are there, as CSL-JSON calls them."""
        return self.model_dump(by_alias=True, exclude_defaults=True)

    @property
    def name(self) -> str:
        """The name as it is spoken."""
        return " ".join(self.parts.values()) or self.other or "Anonymous"


class Work(BaseModel, extra="allow"):
    """The used part of a reference of the Citation File Format 1.2.0."""

    kind: str = Field("software", alias="type")
    title: str = Field(pattern=r"\S")
    version: str = ""
    people: list[Person] = Field(alias="authors", min_length=1)
    editors: list[Person] = []
    licences: Annotated[list[Licence], OneOrMore] = Field([], alias="license")  # any of these
    code: str = Field("", alias="repository-code", pattern="^(https?|s?ftp)://.")
    site: str = Field("", validation_alias=AliasChoices(*NAMES["site"]))
    month: str = Field("", pattern="^(0?[1-9]|1[0-2])$")
    released: str = Field("", alias="date-released", pattern="^[0-9]{4}-[01][0-9]-[0-3][0-9]$")
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
        """The address of the DOI, which lasts, or else of the code or a site."""
        place = f"https://doi.org/{self.doi}" if self.doi else self.code or self.site
        return quote(place, safe="%:/?#[]@!$&'()*+,;=~")

    @property
    def date(self) -> list:
        """The year, or the words in its place; then the month and the day where they are known."""
        month = "-".join(filter(None, [self.said("year"), self.month]))
        published, started = map(self.said, ["date-published", "conference.date-start"])
        found = published or self.released or month or started
        is_number = re.fullmatch("[0-9]+(-[0-9]+)*", found)
        return [int(part) for part in found.split("-")] if is_number else [found]

    @property
    def key(self) -> str:
        """The name of the entry in a bibliography."""
        words = f"{self.title[:40]} {self.kind} {self.version or self.date[0]}".lower()
        plain = normalize("NFKD", words).encode("ascii", "ignore").decode()  # ś is s here
        return "-".join(re.findall("[a-z0-9.]+", plain))

    def said(self, field: str) -> str:
        """The text of a field such as `journal`, or `publisher.name` of an organisation."""
        first, _, part = field.partition(".")
        found = self.model_extra.get(first)
        found = found.get(part) if isinstance(found, dict) else found
        return found if isinstance(found, str) else ""

    def called(self, column: int) -> dict[str, str]:
        """The texts of such fields, by their names in BibTeX (0) or in CSL-JSON (1)."""
        fields, found = NAMES["fields"] | NAMES["special"].get(self.kind, {}), {}
        for field in filter(self.said, fields):
            found |= dict.fromkeys((fields[field][column] or "").split(), self.said(field))
        return found

    @property
    def kinds(self) -> list[str]:
        """The type, as BibTeX and CSL-JSON call it."""
        return NAMES["types"].get(self.kind, NAMES["types"]["generic"])


class Citation(Work):
    """CITATION.cff: the software, and what its authors want to be cited before it."""

    abstract: str = ""
    preferred: Work | None = Field(None, alias="preferred-citation")

    @property
    def works(self) -> list[Work]:
        """The works to cite, in this order; once if both are the same."""
        first = self.preferred or self
        is_same = (first.key, first.authors) == (self.key, self.authors)
        return [first] if is_same else [first, self]


@functools.cache
def cited() -> Citation:
    """Read the citation of this project once, or stop with the reason and a sample."""
    try:
        # BaseLoader keeps each value as text. The usual loader reads the version 1.10 as 1.1.
        return Citation.model_validate(yaml.load(FILE.read_bytes(), yaml.BaseLoader))
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "the file"
        reason = f"{place}: {HINTS.get(place.rpartition('.')[2], fault['msg'])}"
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
    with app.app_context():
        answers = {kind: render_template(name, cited=cited()) for kind, name in FORMS.items()}

    @app.get("/citation")
    def citation() -> tuple[str, dict]:
        """Say what to cite.

        :raise 406: if the caller takes neither text nor BibTeX nor CSL-JSON
        """
        is_any = accepts("*/*") and not request.accept_mimetypes
        kind = TEXT if is_any else request.accept_mimetypes.best_match(answers)
        if not kind:
            raise NotAcceptable(f"The answer is {' or '.join(FORMS)}, and Accept rules these out.")
        return answers[kind], {"Vary": "Accept", "Content-Type": f"{kind}; charset=utf-8"}
