"""Programs that a tool writes from /openapi.json alone call the service, and read its answers."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from conftest import TEMPLATE, Server, swapped
from samples import SAMPLES, need
from test_openapi import MODELS, described

GENERATOR = Path(sys.executable).with_name("openapi-python-client")
# The generator writes a client for each kind of body that it knows, which CSV is not.
UNKNOWN = r"WARNING parsing (POST /api/batch) within default\.\s+Unsupported content type text/csv"


@pytest.fixture
def project(cookies, request) -> Path:
    """A project with the model of the name, or with the square."""
    project = cookies.bake().project_path
    if request.param in SAMPLES:
        need(request.param)
        shutil.rmtree(project / "model")
        shutil.copytree(TEMPLATE / "examples" / request.param / "model", project / "model")
    return swapped(project, MODELS[request.param]) if request.param in MODELS else project


def generated(project: Path, folder: Path) -> tuple[Path, str]:
    """A client that was made from the description alone, and what its maker complained of."""
    (folder / "openapi.json").write_text(json.dumps(described(project)), "utf-8")
    package = folder / f"client_{abs(hash(folder))}"
    options = ["--path", folder / "openapi.json", "--output-path", package, "--meta", "none"]
    done = subprocess.run([GENERATOR, "generate", *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return package, re.sub(UNKNOWN, "", done.stdout + done.stderr)


@pytest.fixture
def client(project, tmp_path, monkeypatch) -> ModuleType:
    """The client of the project, as a program imports it."""
    package, complaints = generated(project, tmp_path)
    assert not re.search("WARNING|Unable|ERROR", complaints), complaints
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module(package.name)


def operation(client: ModuleType, name: str) -> ModuleType:
    """The functions that call an operation."""
    return importlib.import_module(f"{client.__name__}.api.default.{name}")


def models(client: ModuleType) -> ModuleType:
    """The classes of what is sent and answered."""
    return importlib.import_module(f"{client.__name__}.models")


def recorded(project: Path) -> list[dict]:
    """The recorded examples."""
    files = sorted((project / "model/examples").glob("*.json"))
    return [json.loads(file.read_text("utf-8")) for file in files]


def connection(client: ModuleType, server: Server) -> object:
    """What the functions of a client take to find the service."""
    return client.Client(base_url=f"http://127.0.0.1:{server.port}")


@pytest.mark.slow
@pytest.mark.parametrize("project", ["square", *MODELS, *SAMPLES], indirect=True)
def test_a_generated_client_gets_the_recorded_answers(project, client, serve):
    inputs = models(client).Input
    examples = recorded(project)
    bodies = [inputs.from_dict(example["request"]) for example in examples]
    with serve(project) as server, connection(client, server) as caller:
        for example, body in zip(examples, bodies, strict=True):
            answer = operation(client, "predict").sync(client=caller, body=body)
            assert type(answer).__name__ == "Output", answer
            assert same(answer.to_dict(), example["response"])
        rows = operation(client, "predict_batch").sync(client=caller, body=bodies)
        for example, row in zip(examples, rows, strict=True):
            assert same(row.to_dict(), example["response"])
        info = operation(client, "service_info").sync(client=caller)
        assert info.to_dict()["fingerprint"]


def same(found: object, expected: object) -> bool:
    """Whether two answers say the same, but for the last digits and how instants are written."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return {*found} == {*expected} and all(same(found[key], expected[key]) for key in found)
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, float) and isinstance(expected, float | int):
        return found == pytest.approx(expected)
    instant = r"\d{4}-\d\d-\d\dT.*"
    return found == expected or all(re.fullmatch(instant, str(one)) for one in (found, expected))


@pytest.mark.slow
@pytest.mark.parametrize("project", ["square"], indirect=True)
def test_a_generated_client_reads_refusals_and_links(client, serve, project):
    refused = {"value": "two"}
    with serve(project) as server, connection(client, server) as caller:
        link = operation(client, "predict_by_link").sync(client=caller, value=12)
        assert link.to_dict() == {"Value Squared": 144}
        body = models(client).Input.from_dict(refused)
        problem = operation(client, "predict").sync(client=caller, body=body)
        assert (type(problem).__name__, problem.status) == ("Problem", 422)
        assert "value" in problem.errors.to_dict()
        good = models(client).Input(value=3)
        first, second = operation(client, "predict_batch").sync(client=caller, body=[body, good])
        assert (type(first).__name__, first.row) == ("RefusedRow", 1)
        assert second.to_dict() == {"Value Squared": 9}


@pytest.mark.slow
@pytest.mark.parametrize("project", ["nested"], indirect=True)
def test_what_is_taken_and_what_is_given_have_names_of_their_own(client):
    """As input, a longitude may be left out; in an answer, a number may be null."""
    assert {"PointInput", "PointOutput"} <= set(models(client).__all__)
