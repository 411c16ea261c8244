"""The recorded examples come out again, however they are asked for."""

import csv
import io
import json

import pytest

from service import tables
from service.proof.examples import Example, examples, recorded, worst
from service.served import ServedModel

KNOWN, RECORDED = examples(), recorded()


def differs(name: str, got: object) -> str:
    """Where and how an answer is another than the recorded one, if it is."""
    value = worst(RECORDED[name], got)
    return "" if value.outcome == "OK" else f"model/examples/{name}.json: {value}"


def cells(served: ServedModel, example: Example) -> dict[str, str]:
    """The request of an example as cells of a table; empty if cells cannot say it."""
    if not set(example.request) <= set(served.fields):
        return {}
    given = example.request.items()
    texts = {name: served.fields[name].texts(value, once=True) for name, value in given}
    # An empty cell gives no value, and so may a cell such as NA.
    is_said = all(
        texts[name] and not served.fields[name].is_blank(texts[name][0]) for name in texts
    )
    return {name: texts[name][0] for name in texts} if is_said else {}


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
def test_a_link_gives_it_too(client, page, name):
    if not (link := page.link(RECORDED[name].request)):
        pytest.skip("A link cannot say this.")
    response = client.get(link)
    assert response.status_code == 200, response.text
    assert not differs(name, response.json)


def test_a_batch_gives_all_in_their_order(client):
    response = client.post("/api/batch", json=[one.request for one in RECORDED.values()])
    assert response.status_code == 200, response.text
    for name, got in zip(RECORDED, response.json, strict=True):
        assert not differs(name, got)


def test_a_table_gives_them_too(client, served):
    rows = {name: cells(served, RECORDED[name]) for name in RECORDED}
    names = [name for name in rows if rows[name]]
    if not (served.takes_tables and names):
        pytest.skip("A cell cannot hold what this model takes or gives.")
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(served.fields))
    writer.writeheader()
    writer.writerows(rows[name] for name in names)
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
