"""Candidates: the short, ranked list of different architectures that a search ends with."""

from __future__ import annotations

import numpy as np

from search.evolution.adaptation import ranking
from search.evolution.archive import Archive, Scored
from search.evolution.arrays import IntArray

LOOKED_AT = 2_000
"""Best individuals considered; below them nobody would be offered anyway."""


def apart(population: IntArray, count: int, differences: int) -> IntArray:
    """Positions of at most `count` individuals of which any two differ in at least `differences` genes.

    population (n, genes), best first; greedy, so the first is always taken and each next is the best left.
    """
    taken: list[int] = []
    free = np.ones(len(population), dtype=np.bool_)
    while len(taken) < count and free.any():
        position = int(np.argmax(free))
        taken.append(position)
        free &= (population != population[position]).sum(axis=1) >= max(differences, 1)
    return np.array(taken, dtype=np.int64)


def candidates(archive: Archive, count: int, *, differences: int = 2) -> list[Scored]:
    """At most `count` distinct feasible individuals, best objective first: the best ones and the front.

    Up to half are the best, any two of them at least `differences` genes apart, because the ten best are
    usually one architecture with a gene changed; the others are spread evenly along the Pareto front. Empty
    if nothing was feasible.
    """
    feasible = np.flatnonzero(archive.violation == 0.0)
    best_first = feasible[ranking(archive.objective[feasible], archive.violation[feasible])][:LOOKED_AT]
    best = best_first[apart(archive.genes[best_first], count - count // 2, differences)]
    front = archive.front[~np.isin(archive.front, best)]
    room = min(count - len(best), len(front))
    spread = (
        front[np.unique(np.linspace(0, len(front) - 1, room).round().astype(np.int64))] if room else front[:0]
    )
    rows = np.concatenate([best, spread])
    ordered = rows[ranking(archive.objective[rows], archive.violation[rows])]
    return [archive.scored(row) for row in ordered.tolist()]
