"""What a radiation counter shows, which is blind for a moment after each particle it counts.

    counted = true / (1 + true * dead time)

Source: G. F. Knoll, Radiation Detection and Measurement, chapter 4 (a nonparalyzable counter).

The counter is simulated, but it takes its time as a real one does: every answer comes after
five seconds. Where it stops being true: a real one also scatters, by the square root of the
counts, and at very high rates many stay blind for good.
"""

import time

from pydantic import BaseModel, Field

COUNTING = 5  # s


class Input(BaseModel):
    """A source in front of the counter."""

    rate: float = Field(
        ge=0,
        le=1e6,
        description="Particles that arrive",
        examples=[10_000],
        json_schema_extra={"unit": "1/s"},
    )
    dead_time: float = Field(
        100,
        ge=0,
        le=1000,
        description="How long the counter is blind after a particle",
        json_schema_extra={"unit": "µs"},
    )


class Output(BaseModel):
    """The reading of the counter after five seconds."""

    counts: int = Field(description="Particles counted, on average")
    lost: float = Field(description="The share of the particles that was missed, from 0 to 1")


def predict(inputs: Input) -> Output:
    """Wait for the counter, and read it."""
    time.sleep(COUNTING)
    seen = 1 / (1 + inputs.rate * inputs.dead_time * 1e-6)
    return Output(counts=round(inputs.rate * seen * COUNTING), lost=1 - seen)
