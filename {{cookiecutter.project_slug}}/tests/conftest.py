"""What the tests share: a client of the service, behind which a model process answers."""

import json
import traceback
from collections.abc import Callable
from operator import itemgetter

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service import frames
from service.about.page import Page
from service.application import create_app
from service.served import ServedModel
from service.settings import IS_WINDOWS

APP = pytest.StashKey[Flask]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the service, or say once, and not in every test, why it does not start."""
    capture = session.config.pluginmanager.getplugin("capturemanager")
    capture.resume_global_capture()  # which takes what the model prints, and shows it on a failure
    try:
        app = create_app({"PROCESSES": 0 if IS_WINDOWS else 1, "CHECK": False})
    except SystemExit as refusal:
        pytest.exit(str(refusal), returncode=1)
    except Exception:
        pytest.exit(traceback.format_exc(), returncode=1)
    finally:
        capture.suspend_global_capture()
    pool = app.extensions["model"].pool
    session.config.add_cleanup(pool.close)
    pool.ask = once(pool.ask)
    session.config.stash[APP] = app


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
def client(pytestconfig) -> FlaskClient:
    """A client that calls the service without a server."""
    return pytestconfig.stash[APP].test_client()


@pytest.fixture
def served(client) -> ServedModel:
    """The model as the service knows it: its fields, and what can be said of them in text."""
    return client.application.extensions["model"]


@pytest.fixture
def page(client) -> Page:
    """The page of the model, and the calls that it shows."""
    return client.application.extensions["page"]
