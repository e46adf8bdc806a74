"""The numbers that predictors learn from."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from search.spaces import SearchSpace, features
from tests.search.spaces.examples import SPACES, TINY, everything, individuals


@given(individuals())
def test_features_span_nought_to_one(drawn: tuple[SearchSpace, tuple[int, ...]]) -> None:
    space, genes = drawn
    row = features(space, np.array([genes]))[0]
    assert (row >= 0).all()
    assert (row <= 1).all()


def test_features_are_equal_exactly_for_equal_networks() -> None:
    for space in TINY.values():
        population = space.canonical(everything(space))
        rows = features(space, everything(space))
        both = np.concatenate([population, rows], axis=1)
        distinct = len(np.unique(both, axis=0))
        assert distinct == len(np.unique(population, axis=0)) == len(np.unique(rows, axis=0))


def test_an_ordinal_gene_is_the_logarithm_of_its_value() -> None:
    space = SPACES["chamnet-mobile"]
    column = [gene.name for gene in space.genes].index("head.channels")
    low = np.array(space.reference)
    population = np.array([low, low, low])
    for row, value in zip(population, (1024, 2048, 1024 + 384), strict=True):
        row[column] = space.genes[column].index(value)
    assert np.allclose(features(space, population)[:, column], [0, 1, np.log2(1.375)])


def test_a_categorical_gene_of_three_choices_is_one_column_per_choice() -> None:
    space = SPACES["tiny-mobile"]
    column = [gene.name for gene in space.genes].index("stage2.kernel")
    population = np.repeat(np.array([space.reference]), 3, axis=0)
    population[:, column] = [0, 1, 2]
    rows = features(space, population)
    assert rows.shape == (3, len(space.genes) + 2)
    assert (rows[:, column : column + 3] == np.eye(3)).all()
