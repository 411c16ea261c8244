"""One course of an epidemic in a town, drawn event by event: infections and recoveries.

    an infection happens at the rate  contact * susceptible * infected / people  (1/day)
    a recovery happens at the rate    recovery * infected                        (1/day)

Source: D. T. Gillespie, Exact stochastic simulation of coupled chemical reactions, Journal of
Physical Chemistry 81 (1977), 2340-2361, https://doi.org/10.1021/j100540a008.

Where it stops being true: everybody meets everybody, nobody moves away, and who has recovered
is immune for ever. One course says little: ask for many, with a seed each.
"""

from math import log

import numpy as np
from pydantic import BaseModel, Field


class Input(BaseModel):
    """A town on the first day."""

    susceptible: int = Field(
        ge=0, le=10_000, description="People who can be infected", examples=[999]
    )
    infected: int = Field(
        1, ge=1, le=10_000, description="People who are infected on the first day", examples=[1]
    )
    contact: float = Field(
        0.5,
        ge=0,
        le=10,
        description="People that one infects among susceptible people only",
        json_schema_extra={"unit": "1/day"},
    )
    recovery: float = Field(
        0.25,
        ge=0.01,
        le=10,
        description="Rate of recovery: one over the days that an infection lasts",
        json_schema_extra={"unit": "1/day"},
    )
    seed: int | None = Field(
        None, ge=0, le=2**32 - 1, description="Which course to draw", examples=[1]
    )


class Output(BaseModel):
    """What became of the town."""

    cases: int = Field(description="People infected in the end, those of the first day included")
    peak: int = Field(description="The most people that were infected at once")
    peak_day: float = Field(
        description="When they first were", json_schema_extra={"unit": "days after the start"}
    )
    end_day: float = Field(
        description="When the last one recovered",
        json_schema_extra={"unit": "days after the start"},
    )


def predict(inputs: Input) -> Output:
    """Draw when the next event comes and which it is, until nobody is infected."""
    uniform = np.random.Generator(np.random.PCG64(inputs.seed)).random
    susceptible, infected = inputs.susceptible, inputs.infected
    people = susceptible + infected
    day, peak, peak_day = 0.0, infected, 0.0
    while infected:
        infection = inputs.contact * susceptible * infected / people
        total = infection + inputs.recovery * infected
        day -= log(1 - uniform()) / total
        if uniform() * total < infection:
            susceptible, infected = susceptible - 1, infected + 1
        else:
            infected -= 1
        if infected > peak:
            peak, peak_day = infected, day
    return Output(cases=people - susceptible, peak=peak, peak_day=peak_day, end_day=day)
