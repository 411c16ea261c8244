"""POST /api/batch answers in kind and in order; a bad row costs no other its answer."""

import csv
import io
import json
import time

import pytest
from flask.testing import FlaskClient

from service import frames, tables
from service.application import create_app
from service.runner import answers
from service.runner.tables import cell as in_cell

BAD = {"no-such-field": 1}


def cell(value: object) -> str:
    """A value as a reader of the table sees it."""
    return "" if value is None else str(in_cell(value))


@pytest.fixture
def takes_tables(served) -> None:
    """There is nothing to test of a model whose inputs or answers do not fit into cells."""
    if not (served.takes_tables and served.fields):
        pytest.skip("A cell cannot hold what this model takes or gives.")


def as_csv(served, *rows: dict) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(served.fields))
    writer.writeheader()
    for row in rows:
        texts = {name: served.fields[name].texts(row[name], once=True) for name in row}
        writer.writerow({name: "".join(texts[name]) for name in row})
    return text.getvalue()


def test_every_row_is_answered_in_its_place(client, sample):
    response = client.post("/api/batch", json=[sample, BAD, sample])
    assert response.status_code == 200, response.text
    first, refused, last = response.json
    assert first == last == client.post("/api", json=sample).json
    assert (refused["status"], refused["row"]) == (422, 2)
    assert list(refused["errors"])[-1] == "no-such-field"
    assert "?keep=" in refused["errors"]["no-such-field"]
    assert set(refused) == {"row", "status", "detail", "errors"} and len(json.dumps(refused)) < 1000


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["without BOM", "with BOM"])
def test_a_table_is_answered_by_a_table(client, served, sample, takes_tables, end, mark):
    body = mark + as_csv(served, sample, {}, sample).replace("\r\n", end)
    response = client.post("/api/batch", data=body.encode(), content_type="text/csv")
    assert response.status_code == 200, response.text
    assert response.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert len(rows) == 3
    answer, error = client.post("/api", json=sample).json, served.table[-1]
    for row in (rows[0], rows[2]):
        assert list(row) == [*served.columns, error] and row.pop(error) == ""
        assert row == {name: cell(value) for name, value in answer.items()}
    is_refused = client.post("/api", json={}).status_code == 422
    assert rows[1][error].startswith("row 2: ") == is_refused


@pytest.mark.parametrize("header", ["no-such-field", "", "a;b", "x,x"])
def test_a_header_that_does_not_fit_is_refused(client, takes_tables, header):
    response = client.post("/api/batch", data=f"{header}\n1\n", content_type="text/csv")
    assert response.status_code == 422, response.text
    assert response.json["supplied"] == {"header": header.replace(",", ", ") or "1"}


@pytest.mark.parametrize("body", [b"\xff\xfe", b'"unclosed'])
def test_what_is_no_table_is_refused(client, takes_tables, body):
    response = client.post("/api/batch", data=body, content_type="text/csv")
    assert response.status_code == 400, response.text


@pytest.mark.parametrize(("body", "status"), [("{}", 422), ("1", 422), ("[", 400), ("", 400)])
def test_what_is_no_array_is_refused(client, body, status):
    response = client.post("/api/batch", data=body, content_type="application/json")
    assert response.status_code == status, response.text


def test_an_empty_array_has_an_empty_answer(client):
    assert client.post("/api/batch", json=[]).json == []


@pytest.fixture
def small() -> FlaskClient:
    """A client of a service that takes one row at once."""
    return create_app({"PROCESSES": 0, "CHECK": False, "BATCH_ROWS": 1}).test_client()


def test_more_rows_than_the_limit_are_refused_with_it(small, sample):
    for rows in ([sample, sample], [BAD, BAD], [sample, BAD, 1]):
        response = small.post("/api/batch", json=rows)
        assert response.status_code == 413, response.text
        assert "at most 1 rows" in response.json["detail"]
    assert small.post("/api/batch", json=[sample]).status_code == 200


def test_a_longer_table_is_refused_too(small, served, sample, takes_tables):
    body = as_csv(served, sample, sample).encode()
    response = small.post("/api/batch", data=body, content_type="text/csv")
    assert response.status_code == 413, response.text
    assert "at most 1 rows at once" in response.json["detail"]


def test_a_row_that_the_model_fails_on_costs_no_other_its_answer(
    client, served, sample, monkeypatch
):
    contract, calls = served.pool.model.contract, []

    def predict(inputs: object) -> object:
        calls.append(inputs)
        if len(calls) % 2 == 0:
            raise ZeroDivisionError("a secret of the model")
        return contract.predict(inputs)

    bent = contract._replace(predict=predict, predict_batch=None)
    monkeypatch.setattr(served.pool.model, "contract", bent)
    expected = client.post("/api", json=sample).json
    calls.clear()
    good, failed = client.post("/api/batch", json=[sample, sample]).json
    assert good == expected
    assert (failed["status"], failed["row"]) == (500, 2) and "secret" not in str(failed)


@pytest.mark.parametrize("gives", [[], [1, 2, 3], None], ids=["too few", "too many", "raises"])
def test_a_predict_batch_that_fails_is_said_and_costs_no_answer(
    client, served, sample, monkeypatch, caplog, gives
):
    def predict_batch(rows: list) -> list:
        if gives is None:
            raise ZeroDivisionError("a secret of the model")
        return gives

    contract = served.pool.model.contract
    bent = contract._replace(predict_batch=predict_batch)
    monkeypatch.setattr(served.pool.model, "contract", bent)
    expected = client.post("/api", json=sample).json
    assert client.post("/api/batch", json=[sample, sample]).json == [expected, expected]
    assert ("a secret of the model" if gives is None else "answers to 2 inputs") in caplog.text


@pytest.fixture
def kept(sample, served) -> str:
    """The name of an input that an answer does not have."""
    names = [name for name in sample if name not in served.columns]
    return names[0] if names else pytest.skip("This model has no such input.")


def test_members_that_are_kept_come_back_beside_the_answers(client, sample, kept):
    answer, name = client.post("/api", json=sample).json, kept
    rows = [sample | {"id": "é"}, sample, BAD | {"id": 1.50}, 7, {}]
    text = json.dumps(rows).replace("1.5", "1.50")
    response = client.post(f"/api/batch?keep=id,{name}", data=text, content_type="application/json")
    assert response.status_code == 200, response.text
    found = response.json
    assert found[0] == {"id": "é", name: sample[name]} | answer
    assert found[1] == {name: sample[name]} | answer
    assert (found[2]["id"], found[2]["row"], '"id": 1.50' in response.text) == (1.5, 3, True)
    assert [row["row"] for row in found[3:] if "row" in row][:1] == [4]
    assert client.post("/api/batch?keep=id", json=[]).json == []
    assert client.post("/api/batch?keep=id", json=[sample | {"id": 1}] * 2).json[1]["id"] == 1


def test_columns_that_are_kept_come_back_beside_the_answers(
    client, served, sample, takes_tables, kept
):
    table, name = list(csv.reader(io.StringIO(as_csv(served, sample, sample)))), kept
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["id", *table[0]], ["007", *table[1]], ["", "x", *table[2]]])
    found = client.post(
        f"/api/batch?keep=id&keep={name}", data=text.getvalue(), content_type="text/csv"
    )
    first, second = csv.DictReader(io.StringIO(found.text, newline=""))
    answer = client.post("/api", json=sample).json
    assert list(first) == ["id", name, *served.columns, served.table[-1]]
    assert (first["id"], first[name]) == ("007", cell(sample[name]))
    assert all(first[column] == cell(answer[column]) for column in served.columns)
    assert second["id"] == "" and second[served.table[-1]].startswith("row 2: ")


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/api/batch", "text/csv", "id,{name}\n1,2\n"),
        ("/api/batch?keep=id", "text/csv", "{name}\n2\n"),
        ("/api/batch?keep={column}", "application/json", "[]"),
        ("/api/batch?keep=id", "application/json", "{{}}"),
        ("/api/batch?keep=id", "application/json", "7"),
    ],
)
def test_what_cannot_be_kept_is_said(client, served, takes_tables, path, kind, body):
    names = {"name": next(iter(served.fields)), "column": served.columns[0]}
    response = client.post(path.format(**names), data=body.format(**names), content_type=kind)
    assert response.status_code == 422, response.text
    assert "keep" in response.text or "JSON array" in response.text


def test_rows_to_keep_of_are_counted_and_must_be_json(small, sample):
    assert small.post("/api/batch?keep=id", json=[sample] * 2).status_code == 413
    for text in ("[1 2]", "[{}", "[" * 10_000):
        response = small.post("/api/batch?keep=id", data=text, content_type="application/json")
        assert response.status_code == 400, response.text


@pytest.mark.parametrize(
    "text",
    [
        rb'[{"id": "\ud800"}]',
        b'[{"id": "\xed\xa0\x80"}]',
        '[{"id": 1}]'.encode("utf-16"),
        '[{"id": 1}]'.encode("utf-32"),
        b"[1 2]",
        b"[1],",
        b"",
    ],
)
@pytest.mark.parametrize("query", ["", "?keep=id"])
def test_what_is_no_json_is_refused_also_where_members_are_kept(client, text, query):
    response = client.post(f"/api/batch{query}", data=text, content_type="application/json")
    assert response.status_code == 400, response.text
    assert "The body is not JSON" in response.json["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_has_not_is_not_kept(client, number):
    text = f'[{{"id": {number}}}]'
    response = client.post("/api/batch?keep=id", data=text, content_type="application/json")
    assert response.status_code == 400, response.text


def test_what_is_kept_has_no_name_that_an_answer_has(client, served, sample, takes_tables):
    table, error = as_csv(served, sample), served.table[-1]
    for name in ("row", "status", "detail", "errors"):
        response = client.post(f"/api/batch?keep={name}", json=[sample | {name: 1}])
        assert response.status_code == 422 and "have these names already" in response.text
    response = client.post(f"/api/batch?keep={error}", data=table, content_type="text/csv")
    assert response.status_code == 422 and f", {error}." in response.json["detail"]


def test_no_more_than_a_hundred_names_are_kept(client, sample):
    for count, status in ((100, 200), (101, 422)):
        names = ",".join(f"a{number}" for number in range(count))
        response = client.post(f"/api/batch?keep=a0&keep={names}", json=[sample])
        assert response.status_code == status, response.text
    assert "name at most 100 columns or members, not 101" in response.json["detail"]
    assert client.post("/api/batch?keep=%ff", json=[sample]).status_code == 400


def test_rows_that_are_refused_are_kept_nothing_of(client, served, takes_tables):
    names = ",".join(f"a{number}" for number in range(100))
    table = f"{next(iter(served.fields))},{names}\n" + "1\n" * 9_999
    start = time.process_time()
    response = client.post(f"/api/batch?keep={names}", data=table, content_type="text/csv")
    if response.status_code == 422:
        pytest.skip("This model needs more columns.")
    assert time.process_time() - start < 2 and len(response.data) < 3_000_000
    rows = csv.reader(io.StringIO(response.text, newline=""))
    assert {len(row) for row in rows} == {100 + len(served.columns) + 1}


@pytest.mark.parametrize("value", ["{{}}", '{{"a": 1, "keep": 2, "a": 3}}', "[[]]", '"{name}"'])
def test_what_is_kept_is_as_it_was_written(client, sample, value):
    kept = value.format(name="keep")
    own = ", ".join(filter(None, [json.dumps(sample)[1:-1], f'"keep" : {kept}']))
    text = f'[{{{own}}}, {{"keep": {kept}, "keep": {kept} }}]'
    response = client.post("/api/batch?keep=keep", data=text, content_type="application/json")
    assert response.status_code == 200, response.text
    assert f'[{{"keep" : {kept}, ' in response.text and f'{{"keep": {kept}, ' in response.text


class Declined(Exception):
    pass


def test_a_row_that_the_model_itself_refuses_is_told_in_its_words(
    client, served, sample, monkeypatch, caplog
):
    def predict_batch(rows: list) -> list:
        raise Declined("Too few stations: ≥ 3 are needed.")

    bent = {"predict": predict_batch, "predict_batch": predict_batch, "Refusal": Declined}
    contract = served.pool.model.contract._replace(**bent)
    monkeypatch.setattr(served.pool.model, "contract", contract)
    (row,) = client.post("/api/batch", json=[sample]).json
    assert (row["status"], row["detail"]) == (422, "Too few stations: ≥ 3 are needed.")
    alone = client.post("/api", json=sample)
    assert (alone.status_code, alone.json["detail"]) == (422, row["detail"])
    assert "≥" in alone.text and not caplog.records


def test_a_batch_goes_on_as_long_as_nobody_waits(served, sample, monkeypatch):
    model = served.pool.model
    monkeypatch.setattr(answers, "SLICE", 0)
    monkeypatch.setattr(model, "contract", model.contract._replace(predict_batch=None))
    body = frames.join([b"[[], false]", json.dumps([sample] * 3).encode()])
    assert model.answer(frames.BATCH, b"", body)[:2] == (frames.ANSWER, b"3")
    monkeypatch.setattr(model, "is_awaited", lambda: True)
    kind, _, found = model.answer(frames.BATCH, b"", body)
    assert (kind, len(frames.split(found))) == (frames.MIXED, 1)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("{names}\n1\n", 422),
        ("{name}\n" + "1\n" * 1_000_000, 413),
        ("{name},{name}\n" + "\n" * 2_000_000 + "1", 422),
    ],
    ids=["names", "lines", "empty lines"],
)
def test_a_long_table_is_refused_at_once(client, served, takes_tables, text, status):
    names = ",".join(f"name_{number}" for number in range(80_000))
    body = text.format(name=next(iter(served.fields)), names=names)
    start = time.process_time()
    response = client.post("/api/batch", data=body, content_type="text/csv")
    assert response.status_code == status, response.text
    assert time.process_time() - start < 1 and len(response.data) < 64_000


@pytest.mark.parametrize("text", ["a," * 4_900_000, '"' + "a\n" * 4_500_000, "a" * 9_000_000])
@pytest.mark.parametrize("start", ["", "{name}\n1\n"], ids=["header", "row"])
def test_of_a_line_without_end_only_the_beginning_is_read(
    client, served, takes_tables, start, text
):
    body, begun = start.format(name=next(iter(served.fields))) + text, time.process_time()
    response = client.post("/api/batch", data=body, content_type="text/csv")
    assert (response.status_code, time.process_time() - begun < 0.5) == (413, True)
    assert "at most 1000000 characters in a line" in response.json["detail"]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_lines_end_where_their_cells_do(client, served, end):
    found = list(tables.lines(f'a,b{end}"1{end}2",{end}{end}3,"4"{end}{end}'.encode()))
    assert found == [["a", "b"], [f"1{end}2", ""], [], ["3", "4"], []]
