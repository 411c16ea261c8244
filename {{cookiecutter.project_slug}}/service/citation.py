"""GET /citation: how to cite the software, from CITATION.cff, which nothing else reads."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import yaml
from flask import Blueprint, Response, request
from pydantic import Field, ValidationError, create_model
from werkzeug.exceptions import NotAcceptable

bp = Blueprint("citation", __name__)

TEXT, BIBTEX = "text/plain", "application/x-bibtex"
CSL = "application/vnd.citationstyles.csl+json"

# What is used of the Citation File Format 1.2.0: the pattern of a text, and how to write it.
FORMS = {
    "title": (r"\S", 'title: "My model"'),
    "version": (r"\S", 'version: "1.0.0"'),
    "authors": (r"\S", "authors: [{given-names: Ada, family-names: Lovelace}]"),
    "abstract": (r"\S", "abstract: Computes the tide."),
    "doi": (r"^10\.[0-9.]{4,20}/[-A-Za-z0-9:/_;.()\[\]\\]{1,99}$", "doi: 10.5281/zenodo.1234567"),
    "orcid": (r"^https://orcid\.org/[0-9X-]{19}$", "orcid: https://orcid.org/0000-0002-1825-0097"),
    "license": (r"^[A-Za-z0-9.+-]{1,40}$", "license: MIT"),
    "date-released": (r"^[0-9]{4}-[01][0-9]-[0-3][0-9]$", "date-released: 2026-01-31"),
    "repository-code": (r"^https?://\S+$", "repository-code: https://example.org/my-model"),
}
# The parts of a name in the order in which they are spoken, and what CSL-JSON calls them.
PARTS = ("given-names", "name-particle", "family-names", "name-suffix", "name")
CSL_PARTS = ("given", "non-dropping-particle", "family", "suffix", "literal")
NAMES = dict(zip(PARTS, CSL_PARTS, strict=True))
TYPES = {name: Annotated[str, Field(pattern=pattern)] for name, (pattern, _) in FORMS.items()}
Author = create_model(
    "Author", **dict.fromkeys(NAMES, (TYPES["title"], "")), orcid=(TYPES["orcid"], "")
)
FIELDS = {name: (kind, "") for name, kind in TYPES.items()} | {
    **{name: (TYPES[name], ...) for name in ("title", "version")},
    "authors": (Annotated[list[Author], Field(min_length=1)], ...),
    "license": (TYPES["license"] | list[TYPES["license"]], []),
    "identifiers": (list[dict[str, str]], []),
}
Citation = create_model("Citation", **FIELDS)

# Braces have names, because BibTeX counts those after a backslash too.
TEX = {"\\": "textbackslash", "{": "lbrace", "}": "rbrace"}
TEX |= {"~": "textasciitilde", "^": "textasciicircum"}


def read(path: Path) -> dict:
    """What the file says, every value as the text that stands there, or stop with the way out."""
    try:
        # The usual loader would take the version 1.10 for the number 1.1.
        found = yaml.load(path.read_bytes(), yaml.BaseLoader)
        found = Citation.model_validate(found).model_dump(exclude_defaults=True)
    except OSError as error:
        sys.exit(f"CITATION.cff says what is served here, and cannot be read: {error.strerror}.")
    except yaml.YAMLError as error:
        sys.exit(f"CITATION.cff is not YAML: {error}.\nPut a text with a colon or a # into quotes.")
    except ValidationError as error:
        fault = error.errors()[0]
        place = [part for part in fault["loc"] if part in FORMS or isinstance(part, int)]
        where = ".".join(map(str, place)) or "the file"
        example = [f" Write it like this: {FORMS[name][1]}" for name in place if name in FORMS]
        sys.exit(f"CITATION.cff: {where}: {fault['msg']}.{''.join(example[-1:])}")
    if not all(NAMES.keys() & author for author in found["authors"]):
        sys.exit("CITATION.cff: an author has neither family-names nor name. Add one of them.")
    return found


def full_name(author: dict) -> str:
    """The name of a person or an organisation, as people write it."""
    return " ".join(author[part] for part in NAMES if part in author)


def licences(work: dict) -> list[str]:
    """The licences, any of which holds, by their SPDX identifiers."""
    found = work.get("license", [])
    return [found] if isinstance(found, str) else found


def doi(work: dict) -> str:
    """The DOI, in either of the places where the format has it."""
    others = [found.get("value", "") for found in work.get("identifiers", [])]
    fit = [text for text in others if re.search(FORMS["doi"][0], text)]
    return work.get("doi") or next(iter(fit), "")


def found_at(work: dict) -> str:
    """Where the software is found: by its DOI, which lasts, or where its code is."""
    found = f"https://doi.org/{doi(work)}" if doi(work) else work.get("repository-code", "")
    return quote(found, "%:/?#[]@!$&'()*+,;=~")


def sentence(work: dict) -> str:
    """The citation as a text without its address: by whom, when, what, and which version."""
    year = work.get("date-released", "")[:4]
    people = ", ".join(map(full_name, work["authors"])) + (f" ({year})" if year else "")
    people += "" if people.endswith(".") else "."
    return " ".join(f"{people} {work['title']} (version {work['version']}).".splitlines())


def csl(work: dict) -> dict:
    """The citation as an item of CSL-JSON, which Zotero and Pandoc read."""
    day = [int(part) for part in work.get("date-released", "").split("-") if part]
    words = re.findall("[a-z0-9.]+", f"{work['title'][:40]} {work['version']}".lower())
    fields = {
        "id": "-".join(words) or "model",
        "type": "software",
        "title": work["title"],
        "author": [csl_name(author) for author in work["authors"]],
        "issued": day and {"date-parts": [day]},
        "version": work["version"],
        "DOI": doi(work),
        "URL": found_at(work),
    }
    return {name: value for name, value in fields.items() if value}


def csl_name(author: dict) -> dict:
    """A name in its parts; as a whole, that of an organisation, or of a person with but one."""
    if {"given-names", "family-names"} <= set(author):
        return {NAMES[part]: author[part] for part in NAMES if part in author}
    return {"literal": full_name(author)}


def bibtex(work: dict) -> str:
    """The citation as an entry for BibTeX and BibLaTeX."""
    item = csl(work)
    fields = {
        "title": braced(escaped(work["title"])),  # or some styles would change its capitals
        "author": " and ".join(map(bibtex_name, item["author"])),
        "year": work.get("date-released", "")[:4],
        "version": escaped(work["version"]),
        "doi": doi(work),
        "url": found_at(work),
        "license": " OR ".join(licences(work)),
    }
    lines = [f"  {name} = {braced(text)},\n" for name, text in fields.items() if text]
    return "@software" + braced(f"{item['id']},\n" + "".join(lines)) + "\n"


def bibtex_name(name: dict) -> str:
    """A name of which nothing is taken for what separates names, or the parts of one."""
    if "literal" in name:
        return braced(escaped(name["literal"]))
    family = " ".join(name[part] for part in ("non-dropping-particle", "family") if part in name)
    found = [escaped(part) for part in (family, name.get("suffix"), name["given"]) if part]
    return ", ".join(braced(p) if re.search(r",|\band\b", p, re.I) else p for p in found)


def escaped(text: str) -> str:
    """A text as TeX prints it."""
    marks = {mark: f"\\{mark}" for mark in "&%$#_"}
    marks |= {mark: f"\\{name}" + "{}" for mark, name in TEX.items()}
    return " ".join(text.split()).translate(str.maketrans(marks))


def braced(text: str) -> str:
    """A text that BibTeX takes as one."""
    return "{" + text + "}"


CITATION = read(Path(__file__).parents[1] / "CITATION.cff")
ANSWERS = {
    TEXT: f"{sentence(CITATION)} {found_at(CITATION)}".strip() + "\n",
    BIBTEX: bibtex(CITATION),
    CSL: json.dumps([csl(CITATION)], indent=2) + "\n",
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
    return Response(ANSWERS[kind], content_type=f"{kind}; charset=utf-8")


@bp.after_request
def vary(response: Response) -> Response:
    """Keep a cache from giving one caller what another asked for."""
    response.vary.add("Accept")
    return response


def authors() -> list[str]:
    """The authors' names as people write them."""
    return [full_name(author) for author in CITATION["authors"]]
