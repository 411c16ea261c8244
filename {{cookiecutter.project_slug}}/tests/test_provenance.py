"""Every answer names the service that gave it, and /service-info says what that is."""

import hashlib
import re
from pathlib import Path

import pytest

from service.about.citation import cited
from service.proof.examples import recorded

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def info(client) -> dict:
    """What the service says of itself."""
    return client.get("/service-info").json


def test_it_has_what_ga4gh_asks_of_every_service(info):
    assert info["name"] == cited().title
    assert info["version"] == (cited().version or "unknown")
    assert set(info["type"]) == {"group", "artifact", "version"}
    assert info["type"]["group"] != "org.ga4gh"
    assert info["organization"]["name"] and ":" in info["organization"]["url"]
    assert re.fullmatch(r"[^/:\s]+", info["id"])


@pytest.mark.parametrize("name", recorded())
def test_every_answer_has_the_fingerprint(client, info, name):
    response = client.post("/api", json=recorded()[name].request)
    assert response.headers["Model-Fingerprint"] == info["fingerprint"]
    assert re.fullmatch("[0-9a-f]{16}", info["fingerprint"])
    assert list(info["parts"]) == ["model", "service", "lock", "base"]


def test_the_files_of_the_model_can_be_checked_by_hand(info):
    assert "model/__init__.py" in info["files"]
    for name, facts in info["files"].items():
        content = (PROJECT / name).read_bytes()
        assert facts["bytes"] == len(content)
        alike = {content, content.replace(b"\r\n", b"\n")}
        assert facts["sha256"] in {hashlib.sha256(one).hexdigest() for one in alike}


def test_what_the_image_leaves_out_is_no_part_of_the_model(info):
    ignored = (PROJECT / ".dockerignore").read_text("utf-8").splitlines()
    assert {"**/.*", "**/*.ipynb", "**/__pycache__", "model/data"} <= set(ignored)
    left_out = re.compile(r"(^|/)(\.|__pycache__)|\.ipynb$|^model/(data|examples)/")
    assert not [name for name in info["files"] if left_out.search(name)]


def test_it_names_the_packages_and_no_place_of_the_machine(info):
    assert {"flask", "pydantic"} <= set(info["packages"])
    assert str(Path.home()) not in str(info) and str(PROJECT) not in str(info)
