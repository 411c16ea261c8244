"""Every answer says what it comes from, and /service-info says it in full."""

import hashlib
from pathlib import Path

from service.citation import CITATION
from service.pages import sample
from service.provenance import FINGERPRINT, PARTS, digest

PROJECT = Path(__file__).parents[1]


def test_every_prediction_and_every_problem_has_the_fingerprint(client):
    for response in (
        client.post("/api", json=sample()),
        client.post("/api", json={"no-such-field": 1}),
        client.post("/api/batch", json=[sample()]),
        client.get("/nowhere"),
    ):
        assert response.headers["Model-Fingerprint"] == FINGERPRINT


def test_the_service_says_what_it_is(client):
    info = client.get("/service-info").json
    assert info["fingerprint"] == FINGERPRINT and info["parts"] == PARTS
    assert (info["name"], info["version"]) == (CITATION["title"], str(CITATION["version"]))
    assert {"flask", "pydantic"} <= {name.lower() for name in info["packages"]}
    assert info["check"] is False  # as the client was made


def test_every_file_of_the_model_is_listed_but_no_example(client):
    files = client.get("/service-info").json["files"]
    assert "model/__init__.py" in files
    assert not [name for name in files if name.startswith("model/examples/")]
    for name, found in files.items():
        assert found["bytes"] == (PROJECT / name).stat().st_size


def test_a_text_has_the_same_hash_with_every_kind_of_line_end(tmp_path):
    text = b"one\ntwo\n"
    (tmp_path / "linux").write_bytes(text)
    (tmp_path / "windows").write_bytes(text.replace(b"\n", b"\r\n"))
    (tmp_path / "weights").write_bytes(b"\0\r\n")
    assert digest(tmp_path / "linux") == hashlib.sha256(text).hexdigest()
    assert digest(tmp_path / "windows") == digest(tmp_path / "linux")
    assert digest(tmp_path / "weights") == hashlib.sha256(b"\0\r\n").hexdigest()
