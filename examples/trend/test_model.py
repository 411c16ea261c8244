"""Does the model tell the truth? Held against series whose trend is known."""

import random
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from model import Input, Refusal, predict

SVG = "{http://www.w3.org/2000/svg}"


def series(*values: float, step: float = 365.2425, **more: object) -> Input:
    """One measurement each year, or each so many days, from 2000 on."""
    days = [date(2000, 1, 1) + timedelta(round(step * number)) for number in range(len(values))]
    records = [{"day": day, "value": value} for day, value in zip(days, values, strict=True)]
    return Input(measurements=records, **more)


@pytest.mark.parametrize(("slope", "trend"), [(2.0, "rises"), (-0.5, "falls"), (0.0, "unclear")])
def test_a_straight_line_has_its_slope(slope, trend):
    output = predict(series(*(7 + slope * year for year in range(10))))
    assert (output.slope, output.trend) == (pytest.approx(slope, rel=1e-3), trend)
    assert output.low == pytest.approx(slope, rel=1e-2) == output.high


def test_a_slope_is_per_year_whatever_the_days_are():
    assert predict(series(*range(10), step=36.52425)).slope == pytest.approx(10, rel=0.02)


def test_one_wrong_value_moves_the_slope_little():
    values = [float(year) for year in range(20)]
    values[7] = 1e6
    assert predict(series(*values)).slope == pytest.approx(1, rel=1e-3)


def test_the_order_of_the_measurements_does_not_count():
    inputs = series(1, 3, 2, 5, 4, 7)
    turned = inputs.model_copy(update={"measurements": inputs.measurements[::-1]})
    assert predict(turned) == predict(inputs)


def test_the_statistics_are_those_worked_out_by_hand():
    """Of the 28 pairs of 1, 2, ..., 8, all rise: S = 28, and its variance is 8 * 7 * 21 / 18."""
    assert predict(series(*range(8))).p == pytest.approx(8.367e-4, rel=1e-3)  # z = 27 / 8.083
    assert predict(series(*[3.0] * 8)).p == 1


def test_the_interval_holds_the_slope_of_a_noisy_line_as_often_as_it_says():
    draw = random.Random(1).gauss
    hits = 0
    for _ in range(200):
        output = predict(series(*(draw(0.5 * year, 2) for year in range(15)), confidence=0.9))
        hits += output.low <= 0.5 <= output.high
    assert 170 <= hits <= 195  # 180 are expected


def test_the_plot_has_a_dot_for_each_measurement_and_the_unit():
    root = ElementTree.fromstring(predict(series(1, 3, 2, 5, unit="<mm>", confidence=0.5)).plot)
    assert len(root.findall(f"{SVG}circle")) == 4
    assert [text.text for text in root.findall(f"{SVG}text")] == [
        "2000-01-01",
        "2003-01-01",
        "1 to 5 <mm>",
    ]


def test_too_few_measurements_for_an_interval_are_refused():
    with pytest.raises(Refusal, match=r"4 measurements are too few for an interval of 95.0%"):
        predict(series(1, 2, 3, 4))


def test_two_measurements_of_a_day_are_refused():
    with pytest.raises(ValidationError, match="2 measurements are of 2000-01-01"):
        series(1, 2, 3, 4, 5, step=0.5)


@pytest.mark.parametrize("confidence", [0.499, 0.9991])
def test_a_confidence_that_means_little_is_refused(confidence):
    with pytest.raises(ValidationError):
        series(1, 2, 3, 4, confidence=confidence)


@pytest.mark.parametrize("value", [-1.01e12, 1.01e12])
def test_a_value_of_no_quantity_is_refused(value):
    with pytest.raises(ValidationError):
        series(1, 2, 3, value)


@pytest.mark.parametrize("number", [3, 501])
def test_too_few_and_too_many_measurements_are_refused(number):
    with pytest.raises(ValidationError):
        series(*range(number))


def test_a_long_unit_is_refused():
    with pytest.raises(ValidationError):
        series(1, 2, 3, 4, unit="x" * 21)
