from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.evolution.adaptation import adaptive_rates, diversity, fitness, ranking

scores = st.lists(
    st.tuples(st.floats(-10, 10), st.one_of(st.just(0.0), st.floats(1e-3, 50), st.just(np.inf))), min_size=1
)


def test_the_feasible_rank_by_objective_and_the_infeasible_behind_them_by_how_far_they_miss() -> None:
    objective = np.array([0.9, 0.5, 0.7, 0.8, 0.6])
    violation = np.array([0.3, 0.0, 0.0, 0.1, 0.1])
    assert ranking(objective, violation).tolist() == [2, 1, 3, 4, 0]


def test_equals_keep_their_order() -> None:
    assert ranking(np.zeros(4), np.zeros(4)).tolist() == [0, 1, 2, 3]


@given(scores)
def test_fitness_is_finite_and_never_contradicts_the_ranking(pairs: list[tuple[float, float]]) -> None:
    violation = np.array([missed for _, missed in pairs])
    objective = np.where(np.isinf(violation), -np.inf, np.array([value for value, _ in pairs]))
    values = fitness(objective, violation)
    assert np.all(np.isfinite(values))
    assert np.all(np.diff(values[ranking(objective, violation)]) <= 0.0)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1), st.floats(0, 0.5), st.floats(0.5, 1))
def test_rates_stay_within_their_bounds_and_fall_with_fitness(
    values: list[float], low: float, high: float
) -> None:
    array = np.sort(np.array(values))
    rates = adaptive_rates(array, float(array.mean()), float(array.max()), (low, high))
    assert np.all((rates >= low - 1e-12) & (rates <= high + 1e-12))
    assert np.all(np.diff(rates) <= 1e-12)


def test_the_best_is_disturbed_least_and_the_average_most() -> None:
    rates = adaptive_rates(np.array([1.0, 2.0, 3.0, 4.0, 6.0]), 2.0, 6.0, (0.1, 0.5))
    assert rates == pytest.approx([0.5, 0.5, 0.4, 0.3, 0.1])


def test_where_all_are_alike_everybody_is_disturbed() -> None:
    assert adaptive_rates(np.ones(3), 1.0, 1.0, (0.1, 0.5)).tolist() == [0.5, 0.5, 0.5]


def test_diversity_is_zero_for_copies_and_near_its_greatest_for_random_individuals() -> None:
    choices = np.array([4, 1, 4])
    assert diversity(np.tile([1, 0, 3], (20, 1)), choices) == 0.0
    spread = np.random.default_rng(0).integers(0, choices, (4000, 3))
    assert diversity(spread, choices) == pytest.approx(0.75, abs=0.01)


def test_diversity_where_there_is_nothing_to_choose_is_zero() -> None:
    assert diversity(np.zeros((5, 2), dtype=np.int64), np.array([1, 1])) == 0.0
    assert diversity(np.empty((0, 2), dtype=np.int64), np.array([3, 3])) == 0.0
