"""Does the model tell the truth? Held against what mathematics says of its equations."""

from math import log, pi, sqrt

import numpy as np
import pytest
from pydantic import ValidationError

from model import Input, predict

YEARS = np.linspace(0, 100, 201).tolist()


def test_a_balance_is_kept():
    balance = {"prey": 0.8 / 0.024, "predators": 0.55 / 0.028}  # death / growth, birth / predation
    output = predict(Input(**balance, times=YEARS))
    assert output.prey == pytest.approx([balance["prey"]] * len(YEARS), rel=1e-9)
    assert output.predators == pytest.approx([balance["predators"]] * len(YEARS), rel=1e-9)


def test_one_quantity_never_changes():
    """Volterra's integral: growth * x - death * ln x + predation * y - birth * ln y."""
    output = predict(Input(times=YEARS))
    integral = [
        0.024 * x - 0.8 * log(x) + 0.028 * y - 0.55 * log(y)
        for x, y in zip(output.prey, output.predators, strict=True)
    ]
    assert integral == pytest.approx([integral[0]] * len(YEARS), rel=1e-8)


def test_a_small_swing_around_the_balance_lasts_as_long_as_lotka_says():
    inputs = {"birth": 0.5, "death": 2, "predation": 0.05, "growth": 0.1, "predators": 10}
    period = 2 * pi / sqrt(0.5 * 2)  # years
    output = predict(Input(**inputs, prey=20.001, times=[0, period / 2, period]))
    assert np.array(output.prey) - 20 == pytest.approx([1e-3, -1e-3, 1e-3], abs=1e-6)


def test_the_answers_stand_in_the_order_of_the_times():
    forward, back = predict(Input(times=[0, 5, 10])), predict(Input(times=[10, 5, 0]))
    assert back.prey == forward.prey[::-1]


@pytest.mark.parametrize("times", [[0], [0, 0], [1e-300]])
def test_at_the_start_there_are_as_many_as_at_the_start(times):
    output = predict(Input(times=times))
    assert output.prey == pytest.approx([34] * len(times))
    assert output.predators == pytest.approx([5.9] * len(times))


BEYOND = {
    "prey": [0.09, 200.1],
    "predators": [0.09, 200.1],
    "birth": [0.009, 2.01],
    "predation": [0.0009, 0.101],
    "growth": [0.0009, 0.101],
    "death": [0.009, 2.01],
    "times": [[], [-0.1], [100.1], [0] * 1001, ["soon"], None],
}


@pytest.mark.parametrize("field", BEYOND)
def test_what_is_beyond_the_equations_is_refused(field):
    for value in BEYOND[field]:
        with pytest.raises(ValidationError):
            Input(**{"times": [1]} | {field: value})
