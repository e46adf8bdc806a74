"""Small problems with known answers for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from search.evolution import Limit

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass
class Knapsack:
    """Worth against weight and volume, adjacent genes interacting; gene 1 is inert where gene 0 is 0."""

    cardinalities: Sequence[int]
    limits: Sequence[Limit]
    seed: int = 0
    worth: list[FloatArray] = field(init=False)
    bills: list[FloatArray] = field(init=False)
    asked: list[IntArray] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.worth = [np.sort(rng.random(choices)) for choices in self.cardinalities]
        self.bills = [np.sort(0.1 + rng.random((choices, 2)), axis=0) for choices in self.cardinalities]

    def canonical(self, population: IntArray) -> IntArray:
        result = population.copy()
        if len(self.cardinalities) > 1:
            result[result[:, 0] == 0, 1] = 0
        return result

    def neighbours(self, genes: Sequence[int]) -> IntArray:
        rows = [
            [*genes[:gene], choice, *genes[gene + 1 :]]
            for gene, choices in enumerate(self.cardinalities)
            for choice in range(choices)
        ]
        changed = np.unique(self.canonical(np.array(rows, dtype=np.int64)), axis=0)
        others: IntArray = changed[(changed != np.array(genes)).any(axis=1)]
        return others

    def objective(self, population: IntArray) -> FloatArray:
        self.asked.append(population)
        total = np.zeros(len(population))
        for gene, worth in enumerate(self.worth):
            total += worth[population[:, gene]]
        twist = np.sin(3.0 * population[:, :-1] + 5.0 * population[:, 1:]).sum(axis=1)
        return np.asarray(total + 0.1 * twist)

    def costs(self, population: IntArray) -> FloatArray:
        total = np.zeros((len(population), 2))
        for gene, bill in enumerate(self.bills):
            total += bill[population[:, gene]]
        return total[:, : len(self.limits)]

    def everything(self) -> IntArray:
        """Every distinct individual."""
        grid = np.indices(tuple(self.cardinalities)).reshape(len(self.cardinalities), -1).T
        return np.unique(self.canonical(np.ascontiguousarray(grid)), axis=0)


def knapsack(*, weight: float = 4.2, volume: float = 4.8, seed: int = 0) -> Knapsack:
    """Eight genes, 20,480 combinations; the default limits leave about a tenth of them feasible."""
    limits = [Limit("weight", weight, "kg"), Limit("volume", volume, "l")]
    return Knapsack([2, 4, 3, 5, 4, 4, 4, 4], limits, seed)
