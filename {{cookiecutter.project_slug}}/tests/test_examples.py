"""The recorded examples come out again, however they are asked for."""

import csv
import io
import json

import pytest

from service import tables
from service.fields import Field
from service.proof.examples import Example, examples, recorded, worst
from service.served import ServedModel

KNOWN, RECORDED = examples(), recorded()
NOTHING = object()  # the default of a field that has none


def differs(name: str, got: object) -> str:
    """Where and how an answer is another than the recorded one, if it is."""
    value = worst(RECORDED[name], got)
    return "" if value.outcome == "OK" else f"model/examples/{name}.json: {value}"


def is_sayable(field: Field, value: object) -> bool:
    """Whether a text can say a value: read back, it is the same."""
    texts = field.texts(value)
    if not texts:  # then the field is not given
        return field.schema.get("default", NOTHING) == value
    return json.dumps(json.loads(field.json(texts))) == json.dumps(value)


def can_be_said(served: ServedModel, example: Example) -> bool:
    """Whether a link, or the cells of a table, can say the request of an example."""
    known = {name: value for name, value in example.request.items() if name in served.fields}
    pairs = [(served.fields[name], value) for name, value in known.items()]
    return known == example.request and all(is_sayable(*pair) for pair in pairs)


def test_an_example_is_recorded():
    assert RECORDED, "type: make record"


@pytest.mark.parametrize("name", KNOWN)
def test_the_recorded_answer_is_given(client, name):
    if name not in RECORDED:
        pytest.skip("This example waits for its answer; type: make record")
    response = client.post("/api", json=RECORDED[name].request)
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/json"
    assert not differs(name, response.json)


@pytest.mark.parametrize("name", RECORDED)
def test_a_link_gives_it_too(client, served, page, name):
    if not (served.is_linkable and can_be_said(served, RECORDED[name])):
        pytest.skip("A link cannot say this.")
    response = client.get(page.link(RECORDED[name].request))
    assert response.status_code == 200, response.text
    assert not differs(name, response.json)


def test_a_batch_gives_all_in_their_order(client):
    response = client.post("/api/batch", json=[one.request for one in RECORDED.values()])
    assert response.status_code == 200, response.text
    for name, got in zip(RECORDED, response.json, strict=True):
        assert not differs(name, got)


def test_a_table_gives_them_too(client, served):
    names = [name for name in RECORDED if can_be_said(served, RECORDED[name])]
    names = [name for name in names if "" not in RECORDED[name].request.values()]
    if not (served.takes_tables and served.fields and names):
        pytest.skip("A cell cannot hold what this model takes or gives.")
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(served.fields))
    writer.writeheader()
    for name in names:
        request = RECORDED[name].request.items()
        writer.writerow({key: tables.cell(value) for key, value in request})
    response = client.post("/api/batch", data=table.getvalue().encode(), content_type="text/csv")
    assert response.status_code == 200, response.text
    assert response.mimetype == "text/csv"
    found = csv.DictReader(io.StringIO(response.text, newline=""))
    for name, row in zip(names, found, strict=True):
        answer = RECORDED[name].response
        assert row.pop(tables.error_column(served)) == "" and set(answer) <= set(row)
        assert not differs(name, {key: read(row[key], answer[key]) for key in answer})


def read(cell: str, like: object) -> object:
    """What a cell of an answer says: the text in it, or JSON."""
    return cell if isinstance(like, str) else json.loads(cell or "null")


def test_the_examples_can_be_read(client):
    given = client.get("/examples").json
    assert list(given) == list(KNOWN)
    for name, example in given.items():
        assert example["request"] == KNOWN[name].request
        assert example.get("response") == KNOWN[name].response
