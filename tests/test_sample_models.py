"""The models in examples/: one folder is replaced, and everything else follows."""

import base64
import csv
import io
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from conftest import TEMPLATE, clean_environment
from packaging.requirements import Requirement
from samples import SAMPLES, need, packages, put_in, recorded
from test_models import post
from test_openapi import explored


@pytest.fixture
def sample(cookies, request) -> Path:
    """A fresh project with the sample of the name in the place of the square."""
    project = cookies.bake().project_path
    if request.param == "square":
        return project
    need(request.param)
    return put_in(project, request.param)


def run(project: Path, *command: str) -> subprocess.CompletedProcess:
    """Run Python in a project, without the tests' own settings."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env=clean_environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=200,  # seconds: a model that takes five is not asked the same again and again
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_whole(name):
    folder = TEMPLATE / "examples" / name
    assert {path.name for path in folder.iterdir()} <= {"model", "packages.txt", "test_model.py"}
    assert (folder / "test_model.py").exists() and (folder / "model/__init__.py").exists()
    assert recorded(name) and all("response" in example for example in recorded(name).values())
    for package in map(Requirement, packages(name)):
        assert re.fullmatch(r"<\d+,>=[\d.]+", str(package.specifier)), package
    assert f"[`{name}`](examples/{name})" in (TEMPLATE / "README.md").read_text("utf-8")


def test_the_readme_names_no_sample_that_is_not_there():
    named = re.findall(r"\]\(examples/(\w+)\)", (TEMPLATE / "README.md").read_text("utf-8"))
    assert sorted(named) == SAMPLES


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, indirect=True)
def test_the_projects_own_tests_and_linter_pass_with_a_sample(sample):
    result = run(sample, "-m", "pytest", "-q")
    assert result.returncode == 0, result.stdout
    for command in (["check", "--no-cache"], ["format", "--no-cache", "--check"]):
        linted = run(sample, "-m", "ruff", *command, ".")
        assert linted.returncode == 0, linted.stdout


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, indirect=True)
def test_a_sample_is_used_in_a_notebook_without_the_service(sample):
    (request,) = [json.loads(path.read_text())["request"] for path in examples(sample)[:1]]
    program = f"""
import json, sys
from model import Input, predict
predict(Input.model_validate_json({json.dumps(request)!r}))
sys.exit("flask" in sys.modules or "service" in sys.modules)
"""
    result = run(sample, "-W", "error", "-c", program)
    assert result.returncode == 0, result.stderr


def examples(project: Path) -> list[Path]:
    return sorted((project / "model/examples").glob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, indirect=True)
def test_a_sample_does_what_its_description_says(sample, serve, tmp_path, request):
    options = {
        "cells": ["--exclude-checks=positive_data_acceptance"],  # no schema describes a picture
        # No schema says that each record is of another day, and how few are too few.
        "trend": ["--exclude-checks=positive_data_acceptance"],
        # Refusals take no time, but a batch may hold rows that are none.
        "counter": [
            *("--mode=negative", "--phases=coverage,fuzzing", "--exclude-path=/api/batch"),
        ],
    }
    chosen = options.get(request.node.callspec.params["sample"], [])
    with serve(sample) as server:
        result = explored(server, tmp_path, "--max-examples=20", *chosen)
    assert result.returncode == 0, result.stdout
    assert "Traceback" not in server.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["counter"], indirect=True)
def test_a_long_answer_keeps_no_health_check_waiting_and_no_worker_is_killed(sample, serve):
    hasty = {"WEB_CONCURRENCY": "1", "GUNICORN_CMD_ARGS": "--timeout 2"}
    with serve(sample, **hasty) as server:
        answers = []
        request = json.dumps(recorded("counter")["half"]["request"])
        call = threading.Thread(target=lambda: answers.append(post(server, "/api", request)))
        call.start()
        waits = []
        while call.is_alive():
            start = time.monotonic()
            assert server.get("/healthz").status == 200
            waits.append(time.monotonic() - start)
            call.join(0.2)
    ((status, text),) = answers
    assert (status, json.loads(text)) == (200, recorded("counter")["half"]["response"])
    assert len(waits) > 10 and max(waits) < 2
    assert "TIMEOUT" not in server.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["square"], indirect=True)
def test_a_model_that_loads_longer_than_a_worker_may_be_silent_is_served(sample, serve):
    with (sample / "model/__init__.py").open("a") as face:
        face.write("\n\ndef load():\n    import time\n\n    time.sleep(5)\n")
    start = time.monotonic()
    with serve(sample, GUNICORN_CMD_ARGS="--timeout 1") as server:
        assert time.monotonic() - start > 5
        assert json.loads(server.get("/api?value=3").body) == {"Value Squared": 9}
    assert not re.search("TIMEOUT|ERROR|Booting worker.*Booting worker.*Booting", log_of(server))


def log_of(server) -> str:
    return server.log.read_text().replace("\n", " ")


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["iris"], indirect=True)
def test_a_table_of_all_flowers_is_named_as_in_the_literature(sample, serve):
    from sklearn.datasets import load_iris

    flowers = load_iris()
    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    lines = [",".join(names), *(",".join(map(str, row)) for row in flowers.data.tolist())]
    with serve(sample) as server:
        status, text = post(server, "/api/batch", "\n".join(lines), "text/csv")
    assert status == 200, text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    truth = [flowers.target_names[number] for number in flowers.target]
    assert [
        number for number, row in enumerate(rows, 1) if row["species"] != truth[number - 1]
    ] == [
        71,
        84,
        134,
    ]
    assert json.loads(rows[0]["probabilities"])["setosa"] == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["iris"], indirect=True)
def test_a_batch_without_a_good_row_reaches_no_model(sample, serve):
    with serve(sample) as server:
        assert json.loads(post(server, "/api/batch", "[]")[1]) == []
        status, text = post(server, "/api/batch", '[{"sepal_length": -1}]')
    assert (status, json.loads(text)[0]["status"]) == (200, 422)


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["iris"], indirect=True)
def test_training_anew_gives_the_weights_that_are_kept(sample):
    import numpy as np

    before = dict(np.load(sample / "model/weights.npz"))
    (sample / "model/weights.npz").unlink()
    assert run(sample, "-m", "model.train").returncode == 0
    after = np.load(sample / "model/weights.npz", allow_pickle=False)
    assert set(before) == set(after)
    for name in before:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["iris"], indirect=True)
def test_weights_that_are_not_there_stop_the_start(sample):
    (sample / "model/weights.npz").unlink()
    result = run(sample, "-m", "gunicorn")
    assert result.returncode != 0 and "weights.npz" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["cells"], indirect=True)
@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("bm90IGEgcGljdHVyZQ==", "The file is not a PNG picture, or is damaged"),
        ("iVBORw0KGgo=", "The file is not a PNG picture, or is damaged"),
        ("#", "Input should be a file"),
        ("", "Input should be a file"),
    ],
    ids=["text", "cut off", "no base64", "empty"],
)
def test_a_bad_picture_is_refused_by_name(sample, serve, image, reason):
    with serve(sample) as server:
        status, text = post(server, "/api", json.dumps({"image": image}))
    assert (status, list(json.loads(text)["errors"])) == (422, ["image"])
    assert json.loads(text)["errors"]["image"].startswith(reason)


@pytest.fixture(scope="module")
def trend(cookies_session, serve):
    """The service of the trend of dated records."""
    with serve(put_in(cookies_session.bake().project_path, "trend")) as server:
        yield server


@pytest.mark.slow
def test_a_plot_is_given_as_itself_to_who_asks_for_it_by_a_link(trend):
    example = recorded("trend")["unclear"]
    link = urlencode({name: json.dumps(value) for name, value in example["request"].items()})
    asked = Request(
        f"http://127.0.0.1:{trend.port}/api?{link}", headers={"Accept": "image/svg+xml"}
    )
    with urlopen(asked) as response:
        assert response.headers.get_content_type() == "image/svg+xml"
        assert response.read() == base64.b64decode(example["response"]["plot"])
    assert json.loads(trend.get(f"/api?{link}").body) == example["response"]


@pytest.mark.slow
def test_records_are_refused_by_the_words_of_their_author(trend):
    records = recorded("trend")["unclear"]["request"]["measurements"][:4]
    few = post(trend, "/api", json.dumps({"measurements": records}))
    assert few[0] == 422 and "4 measurements are too few" in json.loads(few[1])["detail"]
    twice = {"measurements": [records[0], *records]}
    table = "id,measurements\na," + '"' + json.dumps(records).replace('"', '""') + '"\n'
    status, text = post(trend, "/api/batch?keep=id", table, "text/csv")
    (row,) = csv.DictReader(io.StringIO(text))
    assert (status, row["id"]) == (200, "a") and "too few" in row["error"]
    reason = json.loads(post(trend, "/api", json.dumps(twice))[1])["errors"]["measurements"]
    assert reason.startswith("2 measurements are of 2020-03-01: send their mean")
    wrong = {"measurements": [*records[:3], {"day": "1 March", "value": 1}]}
    assert list(json.loads(post(trend, "/api", json.dumps(wrong))[1])["errors"]) == [
        "measurements.3.day"
    ]
