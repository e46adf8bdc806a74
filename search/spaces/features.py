"""Individuals as the numbers that predictors learn from."""

from __future__ import annotations

import numpy as np

from search.spaces.gene import FloatArray, Gene, IntArray
from search.spaces.space import SearchSpace


def features(space: SearchSpace, population: IntArray) -> FloatArray:
    """(n, g) individuals -> (n, d) features in 0..1, equal for equal networks.

    An ordinal gene is one column, the logarithm of its value, for accuracy and cost follow ratios of
    widths, depths and resolutions rather than differences. A categorical gene is one column per choice
    (one-hot), or a single column if there are just two choices.
    """
    individuals = space.canonical(population)
    columns = [_columns(gene)[individuals[:, index]] for index, gene in enumerate(space.genes)]
    return np.concatenate(columns, axis=1)


def _columns(gene: Gene) -> FloatArray:
    """(choices, columns): the features of each choice."""
    count = len(gene.choices)
    if count == 1:
        return np.zeros((1, 1))
    if gene.kind == "categorical":
        return np.eye(count) if count > 2 else np.array([[0.0], [1.0]])
    logarithms = np.log(np.array(gene.choices, dtype=np.float64))
    scaled: FloatArray = (logarithms - logarithms[0]) / (logarithms[-1] - logarithms[0])
    return scaled[:, None]
