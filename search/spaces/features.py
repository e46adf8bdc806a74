"""Individuals as the numbers that predictors learn from."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from search.spaces.gene import FloatArray, Gene, IntArray
from search.spaces.space import SearchSpace


def features(space: SearchSpace, population: IntArray) -> FloatArray:
    """(n, g) individuals -> (n, d) features in 0..1, equal for equal networks.

    An ordinal gene is one column, the logarithm of its value, for accuracy and cost follow ratios of
    widths, depths and resolutions rather than differences. A categorical gene is one column per choice
    (one-hot), or a single column if there are just two choices.
    """
    table, genes, offsets = _layout(space.genes)
    rows: FloatArray = table[space.canonical(population)[:, genes] + offsets]
    return rows


@lru_cache(maxsize=64)
def _layout(genes: tuple[Gene, ...]) -> tuple[FloatArray, IntArray, IntArray]:
    """Every column's values one after the other, and per column (d,) its gene and where its values begin."""
    blocks = [_columns(gene) for gene in genes]
    values = [column for block in blocks for column in block.T]
    of_gene = [index for index, block in enumerate(blocks) for _ in block.T]
    begins = np.cumsum([0, *(len(column) for column in values[:-1])], dtype=np.int64)
    return np.concatenate(values), np.array(of_gene, dtype=np.int64), begins


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
