"""Variation: how parents become offspring.

An individual is a row of choice indices; `cardinalities[g]` is the number of choices of gene g. Every operator here
takes a whole population (n, genes) and one random generator, and returns a new array with every gene in range.
"""

from __future__ import annotations

import numpy as np

from search.evolution.arrays import BoolArray, FloatArray, IntArray


def latin_hypercube(rng: np.random.Generator, cardinalities: IntArray, n: int) -> IntArray:
    """n individuals (n, genes) in which every choice of a gene appears equally often, to within one."""
    genes = len(cardinalities)
    strata = rng.permuted(np.tile(np.arange(n), (genes, 1)), axis=1).T  # (n, genes), each column a permutation
    places = (strata + rng.random((n, genes))) / max(n, 1)
    return np.minimum((places * cardinalities).astype(np.int64), cardinalities - 1)


def crossover(rng: np.random.Generator, first: IntArray, second: IntArray, rates: FloatArray) -> IntArray:
    """Uniform crossover: with probability `rates[i]` child i takes each gene from either parent, else it is `first[i]`.

    first, second (n, genes); rates (n,) in 0..1. Returns (n, genes).
    """
    crossed = rng.random(len(first)) < rates
    from_second = (rng.random(first.shape) < 0.5) & crossed[:, None]
    return np.where(from_second, second, first)


def mutate(
    rng: np.random.Generator, population: IntArray, cardinalities: IntArray, rates: FloatArray
) -> IntArray:
    """Change each gene of individual i with probability `rates[i]`; a changed gene never keeps its choice.

    Half of the changes step to an adjacent choice, which suits ordered choices; half draw any other choice, which
    suits unordered ones and crosses gaps. Genes of one choice stay. population (n, genes); rates (n,) in 0..1.
    """
    hit: BoolArray = (rng.random(population.shape) < rates[:, None]) & (cardinalities > 1)
    rows, genes = np.nonzero(hit)
    mutants = population.copy()
    old, choices = population[rows, genes], cardinalities[genes]
    draws = rng.random((3, len(rows)))
    step = np.where(draws[0] < 0.5, -1, 1)
    step = np.where(old == 0, 1, np.where(old == choices - 1, -1, step))
    shift = 1 + (draws[1] * (choices - 1)).astype(np.int64)
    mutants[rows, genes] = np.where(draws[2] < 0.5, old + step, (old + shift) % choices)
    return mutants
