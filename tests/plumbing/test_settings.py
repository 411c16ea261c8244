"""A setting that would let nobody in, or everybody wait, stops the start with a sentence."""

import re

import pytest

from service.settings import SETTINGS, settings

HERE = "https://pages.example"


@pytest.mark.parametrize("name", ["MAX_CONTENT_LENGTH", "BATCH_ROWS", "TIMEOUT", "WAIT"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "many", True, None, 10**9 + 1])
def test_a_limit_that_is_no_positive_integer_stops_the_start(name, value):
    said = re.escape(f"MODEL_{name}={value!r} is not a value like {SETTINGS[name]}.")
    with pytest.raises(SystemExit, match=f"^{said}$"):
        settings({name: value})


@pytest.mark.parametrize("value", [-1, 1.5, "many", True, 1001])
def test_what_is_no_number_of_processes_stops_the_start(value):
    said = re.escape(f"MODEL_PROCESSES={value!r} is no number of processes: write one such as 2.")
    with pytest.raises(SystemExit, match=f"^{said}$"):
        settings({"PROCESSES": value})


@pytest.mark.parametrize("value", [None, 0, 1, 1000])
def test_a_number_of_processes_may_be_left_open(value):
    assert settings({"PROCESSES": value})["PROCESSES"] == value


def test_a_long_value_is_told_by_its_beginning():
    with pytest.raises(SystemExit) as stopped:
        settings({"TIMEOUT": 5000 * "9"})
    assert len(str(stopped.value)) < 200


def test_a_wait_of_more_than_an_hour_stops_the_start():
    with pytest.raises(SystemExit, match="MODEL_WAIT=3601 is more than an hour"):
        settings({"WAIT": 3601})
    assert settings({"WAIT": 3600, "TIMEOUT": 3601})["TIMEOUT"] == 3601


@pytest.mark.parametrize("origins", ["example.org", f"{HERE}/", f"{HERE}, {HERE}", "HTTP://x"])
def test_origins_that_would_let_nobody_in_stop_the_start(origins):
    with pytest.raises(SystemExit, match=r"MODEL_CORS_ORIGINS: '.+' is neither \* nor like"):
        settings({"CORS_ORIGINS": origins})


@pytest.mark.parametrize("origins", ["", "*", HERE, f"{HERE} http://localhost:8000"])
def test_origins_are_addresses_with_spaces_between(origins):
    assert settings({"CORS_ORIGINS": origins})["CORS_ORIGINS"] == origins


@pytest.mark.parametrize("value", ["no", 0, None])
def test_whether_to_check_is_true_or_false(value):
    with pytest.raises(SystemExit, match="MODEL_CHECK="):
        settings({"CHECK": value})


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - {"PROCESSES"}))
def test_the_value_that_a_sentence_names_is_taken(monkeypatch, name):
    monkeypatch.setenv(f"MODEL_{name}", "[]")
    with pytest.raises(SystemExit) as stopped:
        settings()
    sample = re.search(r" is not a value like (.+)\.$", str(stopped.value))[1]
    monkeypatch.setenv(f"MODEL_{name}", sample)
    assert settings()[name] == SETTINGS[name]


def test_the_environment_goes_before_the_default_and_ones_own_before_both(monkeypatch):
    monkeypatch.setenv("MODEL_BATCH_ROWS", "7")
    monkeypatch.setenv("MODEL_WAIT", "")
    monkeypatch.setenv("MODEL_CHECK", "false")
    monkeypatch.setenv("MODEL_CORS_ORIGINS", HERE)
    found = settings({"CHECK": True})
    assert found == SETTINGS | {"BATCH_ROWS": 7, "CORS_ORIGINS": HERE}


@pytest.mark.parametrize("text", ["1MB", "-", "true", "1.5", "1e3", "[]"])
def test_a_text_that_is_no_number_stops_the_start(monkeypatch, text):
    monkeypatch.setenv("MODEL_MAX_CONTENT_LENGTH", text)
    with pytest.raises(SystemExit, match="MODEL_MAX_CONTENT_LENGTH="):
        settings()
