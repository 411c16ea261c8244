"""Does the model tell the truth? Held against the flowers that botanists named."""

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.datasets import load_iris

from model import Input, predict, predict_batch

FLOWERS = load_iris()
INPUTS = [Input(**dict(zip(Input.model_fields, row, strict=True))) for row in FLOWERS.data]
TYPICAL = {"sepal_length": 5.0, "sepal_width": 3.4, "petal_length": 1.5, "petal_width": 0.2}


def test_three_flowers_are_named_wrongly_as_in_the_literature():
    """Specimens 71, 84 and 134: B. D. Ripley, Modern Applied Statistics with S, and many others."""
    named = [output.species for output in predict_batch(INPUTS)]
    wrong = np.flatnonzero(np.array(named) != FLOWERS.target_names[FLOWERS.target])
    assert (wrong + 1).tolist() == [71, 84, 134]


def test_a_flower_half_way_between_two_species_is_of_neither():
    means = np.array([FLOWERS.data[FLOWERS.target == number].mean(axis=0) for number in (1, 2)])
    middle = Input(**dict(zip(Input.model_fields, means.mean(axis=0), strict=True)))
    found = predict(middle).probabilities
    assert found["versicolor"] == pytest.approx(0.5, abs=1e-6)
    assert sum(found.values()) == pytest.approx(1)


def test_many_flowers_get_the_names_that_each_gets_alone():
    together, alone = predict_batch(INPUTS[::10]), [predict(one) for one in INPUTS[::10]]
    assert [output.species for output in together] == [output.species for output in alone]


@pytest.mark.parametrize("field", TYPICAL)
@pytest.mark.parametrize("size", [0, -1, 30.1, float("nan"), "long", None])
def test_what_is_no_size_of_a_flower_is_refused(field, size):
    with pytest.raises(ValidationError):
        Input(**TYPICAL | {field: size})
