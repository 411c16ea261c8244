"""What counts as the recorded answer, and how the difference is named."""

import json
from base64 import b64encode

import pytest

from service.pictures import BEGINNINGS
from service.proof.comparison import Tolerance
from service.proof.examples import Example, justify, worst

ARRAY = [1000.0, 0.0]


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (4, 4),
        (4, 4.0),
        (10**400, 10**400),
        (1.0, 1.000009),
        (1.0, 1),
        (ARRAY, [1000.0, 0.009]),
        ([ARRAY, [0.0]], [ARRAY, [0.009]]),
        ({"a": None, "b": True}, {"b": True, "a": None}),
        ({}, {}),
        ([], []),
    ],
)
def test_the_same_answer_fits(expected, got):
    assert Tolerance().worst(expected, got).outcome == "OK"


@pytest.mark.parametrize(
    ("expected", "got", "path", "outcome"),
    [
        (4, 5, "", "VALUE"),
        (10**20, 10**20 + 1, "", "VALUE"),
        (4, 4.0001, "", "VALUE"),
        (4, "4", "", "CONTRACT"),
        (1, True, "", "CONTRACT"),
        (1.0, 1.000011, "", "VALUE"),
        (0.0, 1e-300, "", "VALUE"),
        (1e-300, 1.0, "", "VALUE"),
        (1.0, None, "", "VALUE"),
        (1.0, float("inf"), "", "VALUE"),
        (1.0, 10**400, "", "VALUE"),
        (None, 1.0, "", "VALUE"),
        (ARRAY, [1000.0, 0.011], "[1]", "VALUE"),
        ([{"a": 1000.0}, {"a": 0.0}], [{"a": 1000.0}, {"a": 0.009}], "[1].a", "VALUE"),
        ([1, 2], [1], "[1]", "CONTRACT"),
        ([], [1], "[0]", "CONTRACT"),
        ([], {}, "", "CONTRACT"),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, "a.b", "CONTRACT"),
        ({"a": 1}, {"a": 1, "b": None}, "b", "CONTRACT"),
        ({}, [], "", "CONTRACT"),
    ],
)
def test_another_answer_is_named_by_its_place(expected, got, path, outcome):
    wrong = Tolerance().worst(expected, got)
    assert (wrong.path, wrong.outcome) == (path, outcome)
    json.dumps(wrong, allow_nan=False)  # as a report has it


def test_a_tolerance_of_its_own_widens_what_fits():
    wide = Tolerance(atol=1).worst(0.0, 0.5)
    narrow = Tolerance(rtol=1e-9).worst(1.0, 1.000001)
    assert (wide.outcome, narrow.outcome) == ("OK", "VALUE")


def test_a_difference_is_said_with_what_was_expected_and_by_how_much():
    value = Tolerance().worst({"y": 2.0}, {"y": 2.5})
    how_far = "off by 2.50e-01 of the scale (1.00e-05 allowed)"
    assert str(value) == f"y is 2.5, recorded as 2.0, {how_far}"
    text = Tolerance().worst("é", "e")
    assert str(text) == 'the answer is "e", recorded as "é"'


@pytest.mark.parametrize(
    ("got", "said"),
    [
        ({"x": [1.0, 2.0], "y": 3, "n": 6}, "missing; 1 more differs: y is 3, recorded as 2"),
        ({"x": [1.5, 3.0], "y": 2}, "; 1 more differs"),
        ({"x": [9.0, 3.0], "y": 3}, "; 2 more differ"),
        (
            {"x": [9.0, 3.0], "y": "2", "n": 6},
            'y is "2", recorded as 2; 3 more differ, most of all x[0] is 9.0, recorded as 1.0, off',
        ),
        ({"x": [1.0], "y": 2, "n": 6}, "recorded as 2.0; 1 more differs"),
    ],
)
def test_other_values_that_differ_are_counted_and_the_gravest_value_is_named_beside_a_form(
    got, said
):
    wrong = Tolerance().worst({"x": [1.0, 2.0], "y": 2}, got)
    assert said in str(wrong)


@pytest.mark.parametrize("start", sum(BEGINNINGS.values(), ()))
def test_where_a_picture_differs_the_way_to_leave_it_out_is_said(start):
    old, new = (b64encode(start + end).decode() for end in (b"\xff old", b"\xff new"))
    said = str(Tolerance().worst({"map": old, "mass": 2.0}, {"map": new, "mass": 2.0}))
    assert said.startswith("map is ") and said.endswith('by "skip" (docs/proof.md)')
    assert "skip" not in str(Tolerance().worst({"map": old}, {}))


def test_a_picture_that_is_text_may_be_left_out_too_and_no_other_text():
    said = [str(Tolerance().worst(text, "x")) for text in ("<svg a='1'/>", "svg")]
    assert ["skip" in one for one in said] == [True, False]


DRAWN = {"request": {}, "response": {"map": "iVBORw==", "mass": 2.0}, "skip": ["map"]}


@pytest.mark.parametrize(
    ("got", "outcome"),
    [
        ({"map": "AAAA", "mass": 2.0}, "OK"),
        ({"map": None, "mass": 2.0}, "OK"),
        ({"map": "AAAA", "mass": 2.5}, "VALUE"),
        ({"mass": 2.0}, "CONTRACT"),
        ([], "CONTRACT"),
    ],
)
def test_a_field_that_is_skipped_may_have_another_value_but_must_be_there(got, outcome):
    assert worst(Example(**DRAWN), got).outcome == outcome


@pytest.mark.parametrize(
    ("more", "said"), [({}, "note"), ({"note": "drawn", "skip": ["map", "maps"]}, "'maps'")]
)
def test_what_is_skipped_needs_a_note_and_a_field(more, said):
    with pytest.raises(SystemExit, match=said):
        justify("a.json", Example(**DRAWN | more))


def test_a_note_says_why_a_field_is_skipped():
    justify("a.json", Example(**DRAWN, note="Another version of matplotlib draws other bytes."))
