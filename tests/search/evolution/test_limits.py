from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.evolution import Limit, binding, excess, maxima, violation

costs = st.floats(allow_nan=True, allow_infinity=True)
bounds = st.floats(min_value=0, exclude_min=True, allow_infinity=True)


@given(st.lists(st.tuples(costs, bounds), min_size=1, max_size=5))
def test_a_violation_is_zero_exactly_when_every_limit_is_kept(pairs: list[tuple[float, float]]) -> None:
    values, allowed = np.array([[value for value, _ in pairs]]), np.array([bound for _, bound in pairs])
    kept = all(value <= bound or math.isinf(bound) for value, bound in pairs)
    missed = violation(values, allowed)[0]
    assert (missed == 0.0) == kept
    assert missed >= 0.0


def test_a_violation_sums_the_relative_excess_over_the_limits() -> None:
    values = np.array([[12.0, 3.0], [8.0, 2.5], [20.0, 1.0], [10.0, 2.0]])
    assert violation(values, np.array([10.0, 2.0])) == pytest.approx([0.7, 0.25, 1.0, 0.0])


def test_an_unknown_cost_keeps_no_limit_but_does_not_matter_where_there_is_none() -> None:
    values = np.array([[math.nan, 1.0]])
    assert violation(values, np.array([5.0, 5.0]))[0] == math.inf
    assert violation(values, np.array([math.inf, 5.0]))[0] == 0.0


def test_without_limits_nothing_is_violated() -> None:
    assert violation(np.empty((3, 0)), maxima([])).tolist() == [0.0, 0.0, 0.0]


def test_the_limit_that_binds_is_broken_the_furthest_or_has_the_least_room() -> None:
    allowed = np.array([10.0, 2.0, 100.0])
    assert binding(np.array([11.0, 3.0, 50.0]), allowed) == 1
    assert binding(np.array([9.0, 1.0, 50.0]), allowed) == 0
    assert binding(np.array([5.0, 1.0, math.nan]), allowed) == 2


@pytest.mark.parametrize("maximum", [0.0, -3.0, math.nan])
def test_a_limit_that_nothing_could_keep_is_refused_by_name(maximum: float) -> None:
    with pytest.raises(ValueError, match="limit on Pixel 9 latency must be above 0"):
        Limit("Pixel 9 latency", maximum, "ms")


def test_limits_that_do_not_fit_the_costs_are_refused() -> None:
    with pytest.raises(ValueError, match="2 limits cannot bound costs of the shape"):
        excess(np.ones((4, 3)), np.ones(2))
    with pytest.raises(ValueError, match="must be above 0"):
        excess(np.ones((4, 2)), np.array([1.0, 0.0]))


def test_a_limit_reads_as_a_sentence_part() -> None:
    assert str(Limit("Pixel 9 latency", 8.3, "ms")) == "Pixel 9 latency at most 8.3 ms"
    assert maxima([Limit("a", 1.0), Limit("b", math.inf)]).tolist() == [1.0, math.inf]
