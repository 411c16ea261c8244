"""The recorded examples: the service still gives their answers."""

import json

import pytest

from service.examples import EXAMPLES, RECORDED, worst


def test_an_example_is_recorded():
    assert RECORDED, "type: flask record"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_recorded_answer_is_given(client, name):
    if name not in RECORDED:
        pytest.skip("This example waits for its answer; type: flask record")
    response = client.post("/api", json=EXAMPLES[name].request)
    assert response.status_code == 200, response.text
    value = worst(name, json.loads(response.text))
    assert value.outcome == "OK", f"model/examples/{name}.json: {value}"


def test_the_examples_can_be_read(client):
    assert list(client.get("/examples").json) == list(EXAMPLES)
    for name, example in client.get("/examples").json.items():
        assert example["request"] == EXAMPLES[name].request
        assert example.get("response") == EXAMPLES[name].response
