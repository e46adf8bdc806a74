"""Reach: the least of a cost that a space can do, and how near it comes to limits it cannot keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from search.evolution.arrays import FloatArray, IntArray
from search.evolution.genetic import Canonical, GeneticSearch
from search.evolution.refinement import Neighbours, refine
from search.evolution.settings import Settings


@dataclass(frozen=True, slots=True)
class Least:
    """The least value found and who has it; none of its `neighbours` single-gene changes has less."""

    genes: tuple[int, ...]
    value: float
    neighbours: int


def minimise(
    cost: Callable[[IntArray], FloatArray],
    cardinalities: Sequence[int],
    canonical: Canonical,
    neighbours: Neighbours,
    settings: Settings,
    *,
    seeds: IntArray | None = None,
    enough: float = -np.inf,
) -> Least:
    """The least of any cost (n, genes) -> (n,) over a space, by evolution and refinement.

    It ends early once a value at or below `enough` is found. A cost of one latency table is separable by
    stages: for that, `search.spaces.CompiledCost.least` is exact and quicker; this is for sums, maxima and
    violations of several. Costs that are not finite numbers never win; raises LookupError when none was
    finite.
    """
    search = GeneticSearch(cardinalities, canonical, replace(settings, front_columns=()), seeds=seeds)
    while len(population := search.ask()):
        search.tell(-cost(population), np.zeros(len(population)))
        if search.best is not None and -search.best.objective <= enough:
            break
    if search.best is None or not search.best.feasible:
        raise LookupError(
            "The cost of every architecture tried is unknown: measure the space's operators first"
        )

    def evaluate(population: IntArray) -> tuple[FloatArray, FloatArray]:
        return -cost(population), np.zeros(len(population))

    end = refine(search.best.genes, evaluate, neighbours)
    return Least(genes=end.genes, value=-end.objective, neighbours=end.neighbours)
