"""Views of spaces, and the pools of candidates drawn from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.predictors import GridView
from search.predictors.candidates import candidate_pool, sobol_networks
from search.predictors.space_view import distinct, row_keys, without
from tests.search.predictors.toy import IntArray, folded_view, ordinal_view

cardinalities = st.lists(st.integers(1, 5), min_size=1, max_size=6).map(tuple)


def rows_of(population: IntArray) -> set[tuple[int, ...]]:
    return {tuple(row) for row in population.tolist()}


def test_everything_lists_each_distinct_network_once() -> None:
    listed = folded_view(2, 3, 4).everything()
    assert len(listed) == len(rows_of(listed)) == 3 + 12


@given(cardinalities=cardinalities, seed=st.integers(0, 100))
def test_neighbours_differ_in_one_gene_and_are_all_of_them(cardinalities: tuple[int, ...], seed: int) -> None:
    network = np.random.default_rng(seed).integers(np.array(cardinalities))
    found = ordinal_view(*cardinalities).neighbours(network[None])
    assert len(found) == len(rows_of(found)) == sum(cardinalities) - len(cardinalities)
    assert np.all((found != network).sum(axis=1) == 1)


@given(cardinalities=cardinalities, seed=st.integers(0, 100))
def test_sobol_networks_lie_in_the_space_and_are_distinct(cardinalities: tuple[int, ...], seed: int) -> None:
    found = sobol_networks(ordinal_view(*cardinalities), 20, seed)
    assert len(found) == len(rows_of(found))
    assert np.all((found >= 0) & (found < np.array(cardinalities)))


def test_every_choice_of_every_gene_appears_early_in_the_sobol_sequence() -> None:
    found = sobol_networks(ordinal_view(4, 4, 4, 4, 4, 4), 16, seed=3)[:16]
    assert all(set(column) == {0, 1, 2, 3} for column in found.T)


def test_the_pool_of_a_large_space_holds_the_neighbours_of_the_best_in_canonical_genes() -> None:
    view = folded_view(*[5] * 12)
    best = view.canonical(np.random.default_rng(0).integers(5, size=(3, 12)))
    pool = candidate_pool(view, best, np.random.default_rng(1))
    assert rows_of(view.neighbours(best)) - rows_of(best) <= rows_of(pool)
    np.testing.assert_array_equal(view.canonical(pool), pool)
    assert len(pool) == len(rows_of(pool))


def test_distinct_keeps_the_order_of_first_appearance_and_without_removes() -> None:
    population = np.array([[2, 1], [0, 0], [2, 1], [1, 1]])
    assert distinct(population).tolist() == [[2, 1], [0, 0], [1, 1]]
    assert without(population, row_keys(np.array([[2, 1]]))).tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("cardinalities", [(), (3, 0)])
def test_a_gene_without_choices_is_refused(cardinalities: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one choice"):
        GridView(cardinalities, lambda rows: rows, lambda rows: rows / 2.0)
