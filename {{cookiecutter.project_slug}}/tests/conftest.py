"""What the tests share: a client of the service, behind which a model process answers."""

import json
import re
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from operator import itemgetter

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service import frames
from service.about.page import Page
from service.application import create_app
from service.proof.examples import recorded
from service.runner.contract import exported
from service.served import ServedModel
from service.settings import IS_WINDOWS

SAID: set[str] = set()  # the reasons to stop that are shown already


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator:
    """Say once, in its sentence, what is wrong with an example or keeps the model from loading.

    All other tests still run.
    """
    try:
        report = yield
        if re.search("ModuleNotFoundError|PydanticSchemaGenerationError", report.longreprtext):
            with suppress(Exception):
                exported()  # which stops with the sentence if the fault is the model's
        return report
    except SystemExit as stop:
        reason = str(stop.code)
        outcome = "passed" if reason in SAID else "failed"
        SAID.add(reason)
        return pytest.CollectReport(collector.nodeid, outcome, reason, [])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what the owner says of the model, which needs no service."""
    items.sort(key=lambda item: item.path.name != "test_model.py")


@pytest.fixture(scope="session")
def app() -> Iterator[Flask]:
    """The service, or the reason, once and not in every test, why it does not start."""
    try:
        app = create_app({"PROCESSES": 0 if IS_WINDOWS else 1, "CHECK": False})
    except SystemExit as refusal:
        reason = str(refusal)
        pytest.exit("The reason stands above." if reason in SAID else reason, returncode=1)
    except Exception:
        pytest.exit(traceback.format_exc(), returncode=1)
    pool = app.extensions["model"].pool
    pool.ask = once(pool.ask)
    yield app
    pool.close()


def once(ask: Callable) -> Callable:
    """Ask for each input once, so that a slow model can be tested too."""
    answers = {}

    def remembered(kind: bytes, body: bytes = b"", *others: object) -> tuple[bytes, bytes, bytes]:
        key = kind, meaning(body)
        answer = answers.get(key) or ask(kind, body, *others)
        if answer[0] == frames.FAULT:
            print(answer[2].decode())  # the traceback, which pytest shows where a test fails
        is_drawn = kind == frames.PREDICT and answer[1] not in body  # by a seed not asked for
        if kind in (frames.PREDICT, frames.BATCH, frames.PART) and not is_drawn:
            answers[key] = answer
        return answer

    return remembered


def meaning(body: bytes) -> str:
    """What JSON says, however it is laid out, with its numbers digit for digit."""

    def number(digits: str) -> tuple:
        return (digits,)

    def members(pairs: list[tuple]) -> tuple:
        return tuple(sorted(pairs, key=itemgetter(0)))

    try:
        found = json.loads(body, parse_int=number, parse_float=number, object_pairs_hook=members)
    except ValueError:
        found = body
    return repr(found)


@pytest.fixture
def client(app) -> FlaskClient:
    """A client that calls the service without a server."""
    return app.test_client()


@pytest.fixture(scope="session")
def answers(app) -> dict[str, object]:
    """What the model now answers to the recorded examples, but for those that fail."""
    client = app.test_client()
    found = {name: client.post("/api", json=one.request) for name, one in recorded().items()}
    return {name: got.json for name, got in found.items() if got.status_code == 200}


@pytest.fixture
def served(app) -> ServedModel:
    """The model as the service knows it: its fields, and what can be said of them in text."""
    return app.extensions["model"]


@pytest.fixture
def page(app) -> Page:
    """The page of the model, and the calls that it shows."""
    return app.extensions["page"]
