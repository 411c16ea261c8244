"""How much a quantity rises or falls per year, by Sen's slope, with a plot.

The slope is the median of the slopes between all pairs of measurements, so that a few wrong
ones do not move it. Its interval and the test of Mann come from Kendall's S, which counts the
pairs that rise, less those that fall.

Sources: P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, Journal of
the American Statistical Association 63 (1968), 1379-1389,
https://doi.org/10.1080/01621459.1968.10480934. H. B. Mann, Nonparametric tests against trend,
Econometrica 13 (1945), 245-259, https://doi.org/10.2307/1907187.

Where it stops being true: where the trend is no straight line; where neighbours in time are
alike (daily weather), or seasons return, the interval is too narrow; below about ten
measurements S is not normally distributed, as is assumed here.
"""

import html
import math
from collections import Counter
from datetime import date
from itertools import combinations
from statistics import NormalDist, median
from typing import Literal

from pydantic import BaseModel, Field, field_validator

YEAR = 365.2425  # days, mean of the Gregorian calendar
WIDTH, HEIGHT, MARGIN = 480, 300, 40  # pixels of the plot


class Measurement(BaseModel):
    """What was measured on a day."""

    day: date = Field(description="When it was measured")
    value: float = Field(ge=-1e12, le=1e12, description="What was measured, in any unit")


class Input(BaseModel):
    """Measurements, and how sure the answer has to be."""

    measurements: list[Measurement] = Field(
        min_length=4, max_length=500, description="In any order, at most one for each day"
    )
    confidence: float = Field(0.95, ge=0.5, le=0.999, description="Of the interval")
    unit: str = Field("", max_length=20, description="Of the values, for the plot")

    @field_validator("measurements")
    @classmethod
    def has_one_for_each_day(cls, measurements: list[Measurement]) -> list[Measurement]:
        """Refuse two measurements of one day, between which there is no slope."""
        day, times = Counter(one.day for one in measurements).most_common(1)[0]
        if times > 1:
            raise ValueError(f"{times} measurements are of {day}: send their mean instead")
        return measurements


class Output(BaseModel):
    """The trend, and how sure it is."""

    slope: float = Field(description="Change per year, in the unit of the values")
    low: float = Field(description="Lower end of the interval of the slope")
    high: float = Field(description="Upper end of the interval of the slope")
    p: float = Field(description="How often a series without a trend has so large an S")
    trend: Literal["rises", "falls", "unclear"] = Field(description="What the interval says")
    plot: bytes = Field(
        description="The measurements and the trend",
        json_schema_extra={"contentMediaType": "image/svg+xml"},
    )


class Refusal(Exception):
    """Measurements that have no interval."""


def predict(inputs: Input) -> Output:
    """Take the median of all slopes, and count how many of them rise."""
    found = sorted((one.day.toordinal() / YEAR, one.value) for one in inputs.measurements)
    slopes = sorted((v - u) / (t - s) for (s, u), (t, v) in combinations(found, 2))
    s = sum((slope > 0) - (slope < 0) for slope in slopes)
    sigma = deviation([value for _, value in found])
    width = sigma * NormalDist().inv_cdf((1 + inputs.confidence) / 2)
    rank = math.floor((len(slopes) - width) / 2)
    if rank < 1:
        raise Refusal(
            f"{len(found)} measurements are too few for an interval of {inputs.confidence:.1%}. "
            "Send more, or ask for less confidence."
        )
    low, slope, high = slopes[rank - 1], median(slopes), slopes[-rank]
    z = max(abs(s) - 1, 0) / sigma if sigma else 0.0  # S moves in steps of two, so one is taken off
    return Output(
        slope=slope,
        low=low,
        high=high,
        p=2 * NormalDist().cdf(-z),
        trend="rises" if low > 0 else "falls" if high < 0 else "unclear",
        plot=plotted(found, slope, inputs.unit),
    )


def deviation(values: list[float]) -> float:
    """The standard deviation of S in a series without a trend; equal values make it smaller."""
    equal = Counter(values).values()
    terms = [n * (n - 1) * (2 * n + 5) for n in (len(values), *equal)]
    return math.sqrt((terms[0] - sum(terms[1:])) / 18)


def plotted(found: list[tuple[float, float]], slope: float, unit: str) -> bytes:
    """Draw the measurements, as (years, value), and the trend through their medians, as SVG."""
    times, values = zip(*found, strict=True)
    middle, level = median(times), median(values)
    ends = [(time, level + slope * (time - middle)) for time in (times[0], times[-1])]
    bottom, top = min(values), max(values)
    span = (top - bottom) or 1.0

    def place(time: float, value: float) -> tuple[float, float]:
        across = (time - times[0]) / (times[-1] - times[0])
        up = (value - bottom) / span
        x, y = MARGIN + across * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN)
        return round(x, 1), round(y, 1)

    (left, begin), (right, end) = (place(*point) for point in ends)
    dots = "".join('<circle cx="{}" cy="{}" r="3"/>'.format(*place(*one)) for one in found)
    years = [date.fromordinal(round(time * YEAR)).isoformat() for time in (times[0], times[-1])]
    texts = [
        f'<text x="{MARGIN}" y="{HEIGHT - 12}">{years[0]}</text>',
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 12}" text-anchor="end">{years[1]}</text>',
        f'<text x="{MARGIN}" y="20">{bottom:g} to {top:g} {html.escape(unit)}</text>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(texts)}{dots}'
        f'<path d="M{left} {begin}L{right} {end}" stroke="firebrick" stroke-width="2"/></svg>'
    ).encode()
