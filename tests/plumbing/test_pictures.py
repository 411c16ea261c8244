"""A file in an answer is given as itself to a caller who asks for it."""

import base64
from types import SimpleNamespace

import pytest
from flask import Flask
from pydantic import BaseModel, Field, create_model
from werkzeug.exceptions import NotAcceptable

from service.bodies import JSON
from service.pictures import Picture
from service.runner.contract import Contract
from service.runner.schemas import schemas
from service.schema import Schemas

PNG = b"\x89PNG\r\n\x1a\n..."
DECLARED = Field(json_schema_extra={"contentMediaType": "image/webp"})


class Input(BaseModel):
    value: int = 0


def picture(**fields: object) -> Picture:
    """The picture of an `Output` with these fields."""
    found = schemas(Contract(Input, create_model("Output", **fields), print, None, None))
    return Picture(SimpleNamespace(schemas=Schemas(found["named"]), facts=found))


PLAIN = picture(mass=(float, ...), map=(bytes | None, None))
WEBP = picture(map=(bytes, DECLARED), other=(bytes, ...))
CSV = Field(json_schema_extra={"contentMediaType": "text/csv"})
SEVERAL = picture(map=(bytes, DECLARED), rows=(bytes, CSV), again=(bytes, DECLARED))
NONE = picture(mass=(float, ...))
TWO = picture(a=(bytes, ...), b=(bytes, ...))


def asked(accept: str | None) -> object:
    """A request with an Accept header."""
    headers = {"Accept": accept} if accept else {}
    return Flask("test").test_request_context("/", headers=headers)


@pytest.mark.parametrize(
    ("found", "accept", "kind"),
    [
        (PLAIN, None, ""),
        (PLAIN, "*/*", ""),
        (PLAIN, "application/json", ""),
        (PLAIN, "image/png", "image/png"),
        (PLAIN, "image/*", "image/png"),
        (PLAIN, "image/avif,image/webp,image/*,*/*;q=0.8", "image/png"),  # <img> in a browser
        (PLAIN, "application/json, image/png;q=0.5", ""),
        (WEBP, "image/webp", "image/webp"),
        (SEVERAL, "image/webp", "image/webp"),
        (SEVERAL, "text/csv", "text/csv"),
        (NONE, "image/png, */*", ""),
    ],
)
def test_a_picture_is_wanted_if_it_is_asked_for_rather_than_json(found, accept, kind):
    with asked(accept):
        assert (found.wanted() or [JSON])[0] == (kind or JSON)


@pytest.mark.parametrize(
    ("found", "accept"),
    [(PLAIN, "image/gif"), (WEBP, "image/png"), (NONE, "image/png"), (TWO, "image/png")],
)
def test_what_no_answer_is_is_not_acceptable(found, accept):
    with asked(accept), pytest.raises(NotAcceptable):
        found.wanted()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\n<svg>", "image/svg+xml"),
        (b"%PDF-1.7", "application/pdf"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(data, kind):
    text = base64.b64encode(data).decode()
    with asked(kind):
        assert PLAIN.taken(f'{{"mass": 1, "map": "{text}"}}'.encode(), [kind]) == (data, kind)


@pytest.mark.parametrize("member", ["null", '"AAAA"', '"/9j/4A=="'])
def test_an_answer_without_the_picture_that_is_asked_for_is_not_acceptable(member):
    with asked("image/png"), pytest.raises(NotAcceptable, match="application/json"):
        PLAIN.taken(f'{{"map": {member}}}'.encode(), ["image/png"])


def test_a_media_type_that_the_author_declares_is_believed():
    with asked("image/webp"):
        assert WEBP.taken(b'{"map": "AAAA"}', ["image/webp"]) == (bytes(3), "image/webp")


@pytest.mark.parametrize(("kind", "data"), [("image/webp", b"\1"), ("text/csv", b"\2")])
def test_each_media_type_gets_the_first_field_of_it(kind, data):
    answer = b'{"map": "AQ==", "rows": "Ag==", "again": "Aw=="}'
    with asked(kind):
        assert SEVERAL.taken(answer, SEVERAL.wanted()) == (data, kind)


LINK = """text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,\
image/svg+xml,*/*;q=0.8"""  # of a browser
SVG = b"<svg/>"
PAIR = picture(
    pic=(bytes | None, Field(None, json_schema_extra={"contentMediaType": "image/png"})),
    svg=(bytes | None, Field(None, json_schema_extra={"contentMediaType": "image/svg+xml"})),
)


@pytest.mark.parametrize(
    ("found", "accept", "member", "data", "kind"),
    [
        (PAIR, "image/*", "svg", SVG, "image/svg+xml"),
        (PAIR, "image/*", "pic", PNG, "image/png"),
        (PAIR, "image/png;q=0.9, image/svg+xml;q=0.1, */*;q=0.5", "svg", SVG, JSON),
        (PAIR, "image/png, application/json;q=0.5", "svg", None, JSON),
        (PAIR, LINK, "svg", SVG, "image/svg+xml"),
        (PAIR, LINK, "other", None, JSON),
        (PLAIN, LINK, "map", PNG, "image/png"),
        (PLAIN, LINK, "map", SVG, "image/svg+xml"),
        (PLAIN, LINK, "map", b"\xff\xd8\xff\xe0", JSON),
        (PLAIN, "image/*", "map", b"\xff\xd8\xff\xe0", "image/jpeg"),
        (PLAIN, "image/png, application/json;q=0.5", "map", b"", JSON),
    ],
)
def test_the_best_that_an_answer_has_of_what_the_caller_takes_is_given(
    found, accept, member, data, kind
):
    answer = f'{{"{member}": "{base64.b64encode(data or b"").decode()}"}}'.encode()
    with asked(accept):
        given = answer + b"\n" if kind == JSON else data
        assert found.taken(answer, found.wanted()) == (given, kind)


def test_an_answer_of_which_the_caller_takes_nothing_is_not_acceptable():
    said = "no image/png or image/svg.xml. Ask for application/json"
    with asked("image/*"), pytest.raises(NotAcceptable, match=said):
        PAIR.taken(b'{"pic": null}', PAIR.wanted())
