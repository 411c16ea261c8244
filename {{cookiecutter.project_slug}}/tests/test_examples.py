"""The recorded examples: the service still gives their answers."""

import json

import pytest

from service.examples import EXAMPLES, deviations


def test_an_example_is_recorded():
    recorded = [name for name, example in EXAMPLES.items() if example.response is not None]
    assert recorded, "type: flask record"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_recorded_answer_is_given(client, name):
    if EXAMPLES[name].response is None:
        pytest.skip("This example waits for its answer; type: flask record")
    response = client.post("/api", json=EXAMPLES[name].request)
    assert response.status_code == 200, response.text
    worst = deviations(name, json.loads(response.text))[0]
    assert worst.fits, f"model/examples/{name}.json: {worst}"


def test_the_examples_can_be_read(client):
    assert list(client.get("/examples").json) == list(EXAMPLES)
    for name, example in client.get("/examples").json.items():
        assert example["request"] == EXAMPLES[name].request
        assert example.get("response") == EXAMPLES[name].response
