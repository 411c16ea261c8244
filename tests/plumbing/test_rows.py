"""The rows of a JSON array are taken apart as they are written, and only those of an array."""

import json

import pytest

from service.rows import TooManyRows, members


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ["1"],
        ["1", "-0", "1.50", "1e400", "0.1000000000000000055"],
        ['{"a": [1, {"b": "],"}]}', "[]", '"\\"]"', "null", "true", '"é\\ud83d"', "{}"],
        ["9" * 5000],
    ],
)
@pytest.mark.parametrize("space", ["", " ", " \r\n\t"])
def test_each_row_is_as_it_is_written(rows, space):
    text = f"{space}[{space}{f'{space},{space}'.join(rows)}{space}]{space}"
    assert members(text.encode(), most=10) == rows


@pytest.mark.parametrize("text", ["{}", "1", ' "[1]" ', "null", '{"a": [1]}'])
def test_what_is_no_array_has_none(text):
    assert members(text.encode(), most=10) is None


@pytest.mark.parametrize(
    "text", ["", " ", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1] 2", "[é]", "{"]
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(json.JSONDecodeError):
        members(text.encode(), most=10)


def test_what_is_no_utf_8_is_refused():
    with pytest.raises(ValueError, match="utf-8"):
        members(b'["\xff"]', most=10)


def test_more_rows_than_the_limit_are_refused_before_they_are_read():
    assert members(b"[1, 2, 3]", most=3) == ["1", "2", "3"]
    for text in (b"[1, 2, 3, 4]", b"[1, 2, 3, 4, what follows is not looked at"):
        with pytest.raises(TooManyRows, match="more than 3"):
            members(text, most=3)
