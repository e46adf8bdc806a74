"""The networks among which the next one is chosen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from search.predictors.space_view import SpaceView, distinct

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ENUMERABLE = 20_000  # spaces up to this size are looked at whole
SPREAD = 2048  # quasi-random candidates in larger spaces
PARENTS = 10  # best samples whose surroundings are looked at
OFFSPRING = 512


def sobol_networks(view: SpaceView, count: int, seed: int) -> IntArray:
    """Distinct networks (m, g) of a scrambled Sobol sequence of at least `count` points, in its order."""
    exponent = max(3, int(np.ceil(np.log2(count))))
    engine = qmc.Sobol(len(view.cardinalities), scramble=True, rng=np.random.default_rng(seed))
    return distinct(view.from_unit(engine.random_base2(exponent)))


def candidate_pool(view: SpaceView, best: IntArray, rng: np.random.Generator) -> IntArray:
    """Distinct networks (m, g) worth scoring: all of a small space, else a spread and kin of `best` (k, g).

    Kin are all single-gene changes of the best samples, and offspring that mix two of them and change two
    genes: the optimum of an acquisition function is mostly near a good sample, where a spread has few points.
    """
    if view.size <= ENUMERABLE:
        return view.everything()
    spread = sobol_networks(view, SPREAD, int(rng.integers(2**63)))
    parents = best[:PARENTS]
    if len(parents) == 0:
        return spread
    return distinct(np.concatenate([spread, view.neighbours(parents), offspring(view, parents, rng)]))


def offspring(view: SpaceView, parents: IntArray, rng: np.random.Generator) -> IntArray:
    """At most OFFSPRING networks (m, g): uniform crossovers of two parents, about two genes drawn anew."""
    genes = len(view.cardinalities)
    mothers, fathers = parents[rng.integers(len(parents), size=(2, OFFSPRING))]
    children = np.where(rng.random((OFFSPRING, genes)) < 0.5, mothers, fathers)
    fresh = rng.integers(np.array(view.cardinalities), size=(OFFSPRING, genes))
    mutated = rng.random((OFFSPRING, genes)) < 2.0 / genes
    return view.existing(np.where(mutated, fresh, children))
