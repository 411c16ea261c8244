"""Does the model tell the truth? Held against what the formula gives by hand."""

import time

import pytest
from pydantic import ValidationError

from model import Input, predict


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    """Read the counter at once: only the recorded example takes its five seconds."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("rate", "dead_time", "counts", "lost"),
    [
        (10_000, 100, 25_000, 1 / 2),
        (1e6, 1000, 4995, 1000 / 1001),  # blind for most of the time
        (250, 1000, 1000, 1 / 5),
        (250, 0, 1250, 0),
        (0, 100, 0, 0),
    ],
)
def test_the_counter_misses_what_arrives_in_its_dead_time(rate, dead_time, counts, lost):
    output = predict(Input(rate=rate, dead_time=dead_time))
    assert (output.counts, output.lost) == (counts, pytest.approx(lost))


@pytest.mark.parametrize("rate", [-1, 1e6 + 1, "many", None])
def test_what_is_no_rate_is_refused(rate):
    with pytest.raises(ValidationError):
        Input(rate=rate)


@pytest.mark.parametrize("dead_time", [-1, 1001])
def test_what_is_no_dead_time_is_refused(dead_time):
    with pytest.raises(ValidationError):
        Input(rate=1, dead_time=dead_time)
