"""Local refinement: climb until no change of a single gene is better, and prove it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from search.evolution.adaptation import ranking
from search.evolution.arrays import FloatArray, IntArray

Evaluate = Callable[[IntArray], tuple[FloatArray, FloatArray]]
"""Objective (n,) and violation (n,) of individuals (n, genes)."""

Neighbours = Callable[[Sequence[int]], IntArray]
"""All individuals (n, genes) that differ from one in a single gene."""


@dataclass(frozen=True, slots=True)
class Refinement:
    """Where the climb ended. All `neighbours` single-gene changes of `genes` were scored and none is better.

    steps: times a better neighbour was taken.
    evaluations: individuals looked at on the way, those of the proof included.
    """

    genes: tuple[int, ...]
    objective: float
    violation: float
    steps: int
    neighbours: int
    evaluations: int


def refine(start: Sequence[int], evaluate: Evaluate, neighbours: Neighbours) -> Refinement:
    """Steepest ascent by Deb's rules from `start`, one gene at a time.

    Every step is strictly better (feasible before infeasible, then smaller violation or higher objective),
    so the climb ends; scores that are not finite numbers never win.
    """
    current = np.array(start, dtype=np.int64)[None, :]
    objective, violation = _scores(current, evaluate)
    steps, evaluations = 0, 1
    while True:
        around = neighbours(current[0].tolist())
        values, missed = _scores(around, evaluate)
        evaluations += len(around)
        values, missed = np.concatenate([objective, values]), np.concatenate([violation, missed])
        first = int(ranking(values, missed)[0])  # equals keep their order, so the current one wins a draw
        if first == 0:
            break
        current = around[first - 1 : first]
        objective, violation = values[first : first + 1], missed[first : first + 1]
        steps += 1
    return Refinement(
        genes=tuple(current[0].tolist()),
        objective=float(objective[0]),
        violation=float(violation[0]),
        steps=steps,
        neighbours=len(around),
        evaluations=evaluations,
    )


def _scores(population: IntArray, evaluate: Evaluate) -> tuple[FloatArray, FloatArray]:
    """The scores, with those that are not finite numbers behind all others."""
    objective, violation = evaluate(population)
    unknown = ~(np.isfinite(objective) & np.isfinite(violation))
    return np.where(unknown, -np.inf, objective), np.where(unknown, np.inf, violation)
