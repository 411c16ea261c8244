"""The rows of a JSON array are taken apart as they are written."""

import pytest

from service.runner.rows import spans


@pytest.mark.parametrize(
    "rows",
    [
        ["1"],
        ["1", "-0", "1.50", "1e400", "0.1000000000000000055"],
        ['{"a": [1, {"b": "],"}]}', "[]", '"\\"]"', "null", "true", '"é\\ud83d"', "{}"],
        ["9" * 5000],
        [],
    ],
)
@pytest.mark.parametrize("space", ["", " ", " \r\n\t"])
def test_each_row_is_as_it_is_written(rows, space):
    text = f"{space}[{space}{f'{space},{space}'.join(rows)}{space}]{space}"
    assert [text[start:end] for _, start, end in spans(text, "[")] == rows
