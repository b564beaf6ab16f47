"""The arithmetic of the benchmarks."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.statistics import Spread, percentile, ratios, slope, spread

VALUES = st.lists(st.floats(min_value=-1e9, max_value=1e9), min_size=1, max_size=50)


@given(VALUES)
def test_the_median_is_that_of_the_standard_library(values: list[float]) -> None:
    assert percentile(values, 50) == pytest.approx(statistics.median(values))


@given(VALUES, st.floats(0, 100), st.floats(0, 100))
def test_percentiles_rise_from_the_least_to_the_most(values: list[float], one: float, other: float) -> None:
    assert percentile(values, 0) == min(values)
    assert percentile(values, 100) == max(values)
    low, high = sorted((one, other))
    assert percentile(values, low) <= percentile(values, high) + 1e-6


def test_a_percentile_lies_between_its_neighbours() -> None:
    assert percentile([10.0, 20.0, 30.0, 40.0, 50.0], 90) == pytest.approx(46.0)


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)
    assert spread([]) is None


@pytest.mark.parametrize("percent", [-1, 101, float("nan")])
def test_a_percentile_is_from_0_to_100(percent: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile([1.0], percent)


def test_a_ratio_is_taken_within_its_round() -> None:
    """The second round was slow for both: that is not seen in the ratio."""
    rounds = [{"a": {"time": 2.0}, "b": {"time": 1.0}}, {"a": {"time": 20.0}, "b": {"time": 10.0}}]
    assert spread(ratios(rounds, "time", "a", "b")) == Spread(2.0, 2.0, 2.0)


def test_rounds_that_one_of_both_has_no_part_in_have_no_ratio() -> None:
    rounds = [{"a": {"time": 2.0}}, {"b": {"time": 1.0}}, {"a": {"time": 3.0}, "b": {"time": 1.0}}]
    assert ratios(rounds, "time", "a", "b") == [3.0]


def test_nothing_is_a_multiple_of_zero() -> None:
    assert ratios([{"a": {"left": 2.0}, "b": {"left": 0.0}}], "left", "a", "b") == []


@given(st.floats(-100, 100), st.floats(-100, 100), st.sets(st.integers(0, 1000), min_size=2, max_size=20))
def test_the_slope_of_points_on_a_line_is_the_line_s(slope_of_line: float, start: float, places: set[int]) -> None:
    points = [(float(place), start + slope_of_line * place) for place in places]
    assert slope(points) == pytest.approx(slope_of_line, abs=1e-6)


def test_points_of_one_place_rise_nowhere() -> None:
    assert slope([(1.0, 5.0), (1.0, 7.0)]) == 0
    with pytest.raises(ValueError, match="no line"):
        slope([])
