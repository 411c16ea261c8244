"""A form is read part by part: texts as in a link, files as bytes."""

import base64
import json

import pytest
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from service import forms
from service.errors import InvalidInput
from service.forms import PARTS
from service.served import ServedModel
from service.settings import settings

FIELDS = {
    "note": {"type": "string", "default": ""},
    "bins": {"type": "integer", "default": 4},
    "image": {"type": "string", "contentEncoding": "base64"},
    "masks": {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}},
    "area": {"type": "object"},
}
FILE = 'name="image"; filename="é.png"'
MASK = 'name="masks"; filename="m"'


class Told:
    """A pool that says of a model what a model process does."""

    def facts(self) -> dict:
        takes = {"type": "object", "properties": FIELDS, "required": ["image"]}
        said = {"about": "", "draws": False, "load_seconds": 0, "size": 0, "processes": 1}
        return said | {"input": takes, "output": {"type": "object"}, "named": {}}


MODEL = ServedModel(Told(), settings())


def body(*parts: tuple[str, bytes]) -> bytes:
    """The body of a form: each part by what it is called, and what it holds."""
    heads = [
        (f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\n", data) for head, data in parts
    ]
    return b"".join(head.encode() + data + b"\r\n" for head, data in heads) + b"--x--\r\n"


def read(*parts: tuple[str, bytes]) -> dict:
    """What the parts of a form stand for."""
    return json.loads(forms.read(MODEL, body(*parts), {"boundary": "x"})[0])


def test_the_model_takes_files():
    assert MODEL.takes_files and not MODEL.is_linkable and not MODEL.takes_tables


def test_files_are_bytes_texts_are_read_and_what_is_nested_is_json():
    parts = [(FILE, b"\0\xff\r\n"), ('name="note"', b"1\r\n2"), ('name="bins"', b"007")]
    parts += [(MASK, b"a"), (MASK, b"b"), ('name="area"', b'{"left": 1.5}')]
    expected = {"image": "AP8NCg==", "note": "1\n2", "bins": 7, "masks": ["YQ==", "Yg=="]}
    assert read(*parts) == expected | {"area": {"left": 1.5}}


def test_what_the_form_of_a_page_was_not_given_is_left_out():
    parts = [('name="note"', b""), ('name="image"; filename=""', b""), (MASK, b"")]
    assert read(*parts) == {"masks": [""]}


@pytest.mark.parametrize(
    ("part", "name", "reason", "quoted"),
    [
        (('name="image"', b"x"), "image", "Send it as a file", "x"),
        (('name="note"; filename="n.txt"', b"xy"), "note", "Send it as text", "n.txt (2 bytes)"),
        (('name="area"', b"{"), "area", "Write JSON: ", "{"),
    ],
)
def test_a_part_of_the_wrong_kind_is_refused_by_name(part, name, reason, quoted):
    with pytest.raises(InvalidInput) as refused:
        read(part)
    assert list(refused.value.members()["errors"]) == [name]
    assert refused.value.members()["errors"][name].startswith(reason)
    assert refused.value.members()["supplied"] == {name: quoted}


def test_a_file_beside_what_is_refused_is_quoted_by_its_name_and_size():
    with pytest.raises(InvalidInput) as refused:
        read((FILE, b"xy"), ('name="crop.x"', b"3"))
    assert refused.value.members()["supplied"] == {"image": "é.png (2 bytes)", "crop.x": "3"}


@pytest.mark.parametrize("data", [b"", b"--x", b"no form", body(('name="a"', b""))[:-9]])
def test_what_is_no_form_is_refused(data):
    with pytest.raises(BadRequest):
        forms.read(MODEL, data, {"boundary": "x"})


def test_a_text_that_is_not_utf_8_is_refused():
    assert read(('name="note"', "caf\ufffd".encode())) == {"note": "caf\ufffd"}
    with pytest.raises(BadRequest, match="can't decode byte"):
        read(('name="note"', b"caf\xe9"))


@pytest.mark.parametrize(
    "data", [b"\r\n--", b"\r\n--y", b"\n--x\n", b"a--x", b"\r\n-", b"\r\n\r\n"]
)
def test_what_only_looks_like_a_boundary_is_part_of_a_file(data):
    encoded = base64.b64encode(data).decode()
    assert read((FILE, data), (MASK, data)) == {"image": encoded, "masks": [encoded]}


def test_what_stands_before_the_first_part_and_behind_the_last_is_ignored():
    form = b"hello\r\n" + body(('name="bins"', b"7")) + b"--x\r\nbye"
    assert forms.read(MODEL, form, {"boundary": "x"})[0] == b'{"bins": 7}'


def test_headers_of_a_part_that_are_too_long_are_refused():
    assert read((f'name="note"; x="{"a" * 1900}"', b"1")) == {"note": "1"}
    with pytest.raises(BadRequest, match="do not end within 2000 bytes"):
        read((f'name="note"; x="{"a" * 2000}"', b"1"))


@pytest.mark.parametrize("name", ["bins", "area"])
def test_a_text_that_is_read_as_a_value_is_not_endless(name):
    assert len(read(('name="note"', b"1" * 1_000_001))["note"]) == 1_000_001
    with pytest.raises(InvalidInput) as refused:
        read((f'name="{name}"', b"[1" + b" " * 1_000_000 + b"]"))
    assert "send JSON in the body" in refused.value.members()["errors"][name]


@pytest.mark.parametrize("head", ["", 'filename="a"'])
def test_a_part_without_a_name_is_refused(head):
    with pytest.raises(BadRequest, match="has no name"):
        read((head, b"x"))


def test_more_parts_than_can_be_meant_are_refused():
    assert read(*[('name="other"', b"")] * PARTS) == {}
    with pytest.raises(RequestEntityTooLarge, match=f"at most {PARTS} parts"):
        read(*[('name="other"', b"")] * (PARTS + 1))
