from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from search.evolution import pareto_front

few_values = st.sampled_from([0.0, 1.0, 2.0, 3.0, np.inf, -np.inf, np.nan])
shapes = st.tuples(st.integers(0, 40), st.integers(1, 4))
tied = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=few_values))
untied = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=st.floats(-1e6, 1e6)))


def front_by_definition(costs: npt.NDArray[np.float64]) -> set[int]:
    """Whoever nobody dominates, of equals the first."""
    known = [i for i in range(len(costs)) if not np.isnan(costs[i]).any()]
    return {
        i
        for i in known
        if not any(
            (costs[j] <= costs[i]).all() and ((costs[j] < costs[i]).any() or j < i) for j in known if j != i
        )
    }


@given(st.one_of(tied, untied))
def test_the_front_is_what_its_definition_says(costs: npt.NDArray[np.float64]) -> None:
    front = pareto_front(costs)
    assert set(front.tolist()) == front_by_definition(costs)
    assert len(set(front.tolist())) == len(front)


@given(st.one_of(tied, untied))
def test_the_front_is_ordered_by_its_first_column(costs: npt.NDArray[np.float64]) -> None:
    assert np.all(np.diff(costs[pareto_front(costs), 0][np.isfinite(costs[pareto_front(costs), 0])]) >= 0)


@pytest.mark.parametrize("columns", [2, 3, 5])
def test_the_front_of_more_points_than_a_block_is_right_too(columns: int) -> None:
    costs = np.random.default_rng(columns).integers(0, 12, (700, columns)).astype(np.float64)
    assert set(pareto_front(costs).tolist()) == front_by_definition(costs)


def test_a_front_of_a_hundred_thousand_points_in_two_columns_is_found() -> None:
    angle = np.random.default_rng(0).permutation(np.linspace(0.0, np.pi / 2, 100_000))
    circle = -np.column_stack([np.cos(angle), np.sin(angle)])
    assert len(pareto_front(circle)) == 100_000


def test_costs_that_are_no_table_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(n, columns\)"):
        pareto_front(np.ones(3))
