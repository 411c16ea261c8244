"""Does the model tell the truth? Held against averages that can be worked out on paper."""

from statistics import mean

import pytest
from pydantic import ValidationError

from model import Input, Output, predict

COURSES = 1000  # with fixed seeds: a bound of four standard errors holds or it does not


def courses(**inputs: float) -> list[Output]:
    return [predict(Input(**inputs, seed=seed)) for seed in range(COURSES)]


def test_of_two_people_the_second_is_infected_as_often_as_the_rates_say():
    found = mean(one.cases == 2 for one in courses(susceptible=1, contact=1.5, recovery=0.25))
    share = 0.75 / (0.75 + 0.25)  # one infects the other at half the rate of contact
    assert found == pytest.approx(share, abs=4 * (share * (1 - share) / COURSES) ** 0.5)


def test_without_contact_the_last_of_three_recovers_when_three_exponentials_are_over():
    found = courses(susceptible=100, infected=3, contact=0, recovery=0.5)
    average, variance = (1 + 1 / 2 + 1 / 3) / 0.5, (1 + 1 / 4 + 1 / 9) / 0.5**2
    error = 4 * (variance / COURSES) ** 0.5
    assert mean(one.end_day for one in found) == pytest.approx(average, abs=error)
    assert {(one.cases, one.peak, one.peak_day) for one in found} == {(3, 3, 0)}


def test_an_epidemic_dies_out_at_once_as_often_as_branching_says():
    """With two infections per recovery, one case leads nowhere in half of the towns."""
    found = mean(one.cases < 50 for one in courses(susceptible=199, contact=0.5, recovery=0.25))
    assert found == pytest.approx(0.5, abs=4 * (0.25 / COURSES) ** 0.5)


def test_a_seed_gives_the_same_course_again():
    town = Input(susceptible=500, infected=5, seed=7)
    assert predict(town) == predict(town.model_copy())
    assert predict(town) != predict(town.model_copy(update={"seed": 8}))


BEYOND = {
    "susceptible": [-1, 10_001, 1.5],
    "infected": [0, 10_001],
    "contact": [-0.1, 10.1],
    "recovery": [0.009, 10.1],
    "seed": [-1, 2**32, "one"],
}


@pytest.mark.parametrize("field", BEYOND)
def test_what_is_no_town_is_refused(field):
    for value in BEYOND[field]:
        with pytest.raises(ValidationError):
            Input(**{"susceptible": 9} | {field: value})
