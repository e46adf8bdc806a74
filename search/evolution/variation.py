"""Variation: how parents become offspring.

An individual is a row of choice indices; `cardinalities[g]` is the number of choices of gene g. Every
operator here takes a whole population (n, genes) and one random generator, and returns a new array with
every gene in range.
"""

from __future__ import annotations

import numpy as np

from search.evolution.arrays import FloatArray, IntArray


def latin_hypercube(rng: np.random.Generator, cardinalities: IntArray, n: int) -> IntArray:
    """n individuals (n, genes) in which every choice of a gene appears equally often, to within one."""
    genes = len(cardinalities)
    strata = rng.permuted(
        np.tile(np.arange(n), (genes, 1)), axis=1
    ).T  # (n, genes), each column a permutation
    places = (strata + rng.random(genes)) / max(n, 1)
    return np.minimum((places * cardinalities).astype(np.int64), cardinalities - 1)


def crossover(rng: np.random.Generator, first: IntArray, second: IntArray, rates: FloatArray) -> IntArray:
    """Uniform crossover: with probability `rates[i]` child i takes each gene from either parent, else it is
    `first[i]`.

    first, second (n, genes); rates (n,) in 0..1. Returns (n, genes).
    """
    share = np.where(rng.random(len(first)) < rates, 0.5, 0.0)
    return np.where(rng.random(first.shape) < share[:, None], second, first)


def mutate(
    rng: np.random.Generator, population: IntArray, cardinalities: IntArray, rates: FloatArray
) -> IntArray:
    """Change each gene of individual i with probability `rates[i]`; a changed gene never keeps its choice.

    Half of the changes step up or down (`any_scale_step`), which suits ordered choices, few or many; half
    draw any other choice, which suits unordered ones. Genes of one choice stay. population (n, genes);
    rates (n,) in 0..1.
    """
    hit = (rng.random(population.shape) < rates[:, None]) & (cardinalities > 1)
    places = np.flatnonzero(hit)
    mutants = population.ravel().copy()
    old, choices = mutants[places], cardinalities[places % population.shape[1]]
    shift = 1 + (rng.random(len(places)) * (choices - 1)).astype(np.int64)
    stepping = rng.random(len(places)) < 0.5
    mutants[places] = np.where(stepping, any_scale_step(rng, old, choices), (old + shift) % choices)
    return mutants.reshape(population.shape)


def any_scale_step(rng: np.random.Generator, old: IntArray, choices: IntArray) -> IntArray:
    """Another index below `choices` for each `old` one (n,): up or down, small and large steps equally often.

    The step's logarithm is uniform between 1 and the way to the end. Every count of choices must be above 1.
    """
    size, direction = rng.random((2, len(old)))
    upwards = (direction < 0.5) & (old < choices - 1) | (old == 0)
    room = np.where(upwards, choices - 1 - old, old)
    step = np.minimum(np.exp(size * np.log(room + 1)).astype(np.int64), room)  # rounding may reach room + 1
    return np.asarray(np.where(upwards, old + step, old - step))
