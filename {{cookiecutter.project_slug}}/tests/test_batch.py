"""POST /api/batch answers in kind and in order; a bad row costs no other its answer."""

import csv
import io
import json

import pytest

from model import predict
from service import table
from service.comparison import Tolerance, compare
from service.examples import EXAMPLES, RECORDED, worst
from service.pages import sample
from service.schemas import FIELDS

BAD = {"no-such-field": 1}
tabular = pytest.mark.skipif(not table.FITS, reason="A cell cannot hold this model's inputs.")


def as_csv(*rows: dict) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(sample() or FIELDS))
    writer.writeheader()
    writer.writerows({name: table.cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def test_every_row_is_answered_in_its_place(client):
    names = RECORDED * 2
    first, *others = [EXAMPLES[name].request for name in names]
    response = client.post("/api/batch", json=[first, BAD, *others])
    assert response.status_code == 200, response.text
    answer, refused, *answers = response.json
    assert (refused["status"], refused["row"]) == (422, 2)
    assert "no-such-field" in refused["errors"]
    for name, got in zip(names, [answer, *answers], strict=True):
        assert worst(name, got).outcome == "OK", f"{name}: {worst(name, got)}"


def same(cell: str, value: object) -> bool:
    """Whether a cell holds a value, but for the rounding of a model that answers many at once."""
    got = cell if isinstance(value, str) else json.loads(cell or "null")
    return all(part.outcome == "OK" for part in compare(value, got, Tolerance()))


@tabular
@pytest.mark.skipif(not FIELDS, reason="This model takes no input.")
@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["without BOM", "with BOM"])
def test_a_table_is_answered_by_a_table(client, expected, missing, end, mark):
    body = mark + as_csv(sample(), {}, sample()).replace("\r\n", end)
    response = client.post("/api/batch", data=body.encode(), content_type="text/csv")
    assert response.status_code == 200, response.text
    assert response.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert len(rows) == 3
    for row in (rows[0], rows[2]):
        assert list(row) == [*expected, table.ERROR] and row.pop(table.ERROR) == ""
        assert all(same(row[name], value) for name, value in expected.items()), row
    assert rows[1][table.ERROR].startswith("row 2: ") == bool(missing)


@tabular
@pytest.mark.parametrize("header", ["no-such-field", "", "a;b", "x,x"])
def test_a_header_that_does_not_fit_is_refused(client, header):
    response = client.post("/api/batch", data=f"{header}\n1\n", content_type="text/csv")
    assert response.status_code == 422, response.text
    assert response.json["supplied"] == {"header": header.replace(",", ", ") or "1"}


@tabular
@pytest.mark.parametrize("body", [b"\xff\xfe", b'"unclosed'])
def test_what_is_no_table_is_refused(client, body):
    response = client.post("/api/batch", data=body, content_type="text/csv")
    assert response.status_code == 400, response.text


@pytest.mark.parametrize(("body", "status"), [("{}", 422), ("1", 422), ("[", 400), ("", 400)])
def test_what_is_no_array_is_refused(client, body, status):
    response = client.post("/api/batch", data=body, content_type="application/json")
    assert response.status_code == status, response.text


def test_an_empty_array_has_an_empty_answer(client):
    assert client.post("/api/batch", json=[]).json == []


def test_more_rows_than_the_limit_are_refused_with_it(client):
    client.application.config["BATCH_ROWS"] = 1
    response = client.post("/api/batch", json=[sample(), sample()])
    assert response.status_code == 413, response.text
    assert "at most 1 rows" in response.json["detail"]


def test_a_row_that_the_model_fails_on_costs_no_other_its_answer(client, expected, monkeypatch):
    rows = iter([predict, None])
    monkeypatch.setattr("service.batch.predict", lambda inputs: next(rows)(inputs))
    monkeypatch.setattr("service.batch.predict_batch", None)
    good, failed = client.post("/api/batch", json=[sample(), sample()]).json
    assert good == expected
    assert (failed["status"], failed["row"]) == (500, 2)
