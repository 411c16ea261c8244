"""The recorded answers are given, and the same ones however the model is asked."""

import csv
import io
import json

import pytest

from service.proof.examples import DRIFTED, Example, examples, recorded, worst
from service.served import ServedModel

KNOWN, RECORDED = examples(), recorded()


def differs(name: str, given: object, got: object) -> str:
    """Where and how an answer is another than the one that POST /api gives, if it is."""
    value = worst(RECORDED[name].model_copy(update={"response": given}), got)
    alone = f"{name}: {value.path} is {value.got}, and POST /api gives {value.expected}"
    return "" if value.outcome == "OK" else alone


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


def test_no_example_waits_for_its_answer():
    if waiting := sorted({*KNOWN} - {*RECORDED}):
        pytest.skip(f"{', '.join(waiting)}: type: make record")


def test_the_recorded_answers_are_given(client, answers):
    """All that have changed, in one block; the other tests go by what the model answers now."""
    changed = []
    for name, example in RECORDED.items():
        if name not in answers:
            said = client.post("/api", json=example.request).json
            changed.append(f"{name} is answered with {said['status']}: {said['detail']}")
        elif (value := worst(example, answers[name])).outcome != "OK":
            changed.append(f"{name}: {value}")
    if changed:
        pytest.fail("\n".join(["Recorded answers have changed:", *changed, DRIFTED]), pytrace=False)


@pytest.mark.parametrize("name", RECORDED)
def test_a_link_gives_it_too(client, page, answers, name):
    request = RECORDED[name].request
    if name not in answers or not (link := page.link(request)):
        pytest.skip("A link cannot say this.")
    response = client.get(link)
    assert response.status_code == 200, response.text
    # The link leaves out what is null or empty by default; a model may look at what is given.
    said = {key: request[key] for key, texts in page.query(request).items() if texts}
    assert not differs(name, client.post("/api", json=said).json, response.json)


def test_a_batch_gives_all_in_their_order(client, answers):
    response = client.post("/api/batch", json=[RECORDED[name].request for name in answers])
    assert response.status_code == 200, response.text
    for name, got in zip(answers, response.json, strict=True):
        assert not differs(name, answers[name], got)


def test_a_table_gives_them_too(client, served, answers):
    rows = {name: cells(served, RECORDED[name]) for name in answers}
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
        answer = answers[name]
        assert row.pop(served.table[-1]) == "" and set(answer) <= set(row)
        assert not differs(name, answer, {key: read(row[key], answer[key]) for key in answer})


def read(cell: str, like: object) -> object:
    """What a cell of an answer says: the text in it, or JSON."""
    return cell if isinstance(like, str) else json.loads(cell or "null")


def test_the_examples_can_be_read(client):
    given = client.get("/examples").json
    assert list(given) == list(KNOWN)
    for name, example in given.items():
        assert example["request"] == KNOWN[name].request
        assert example.get("response") == KNOWN[name].response
