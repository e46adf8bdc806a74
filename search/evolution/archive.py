"""The archive: every individual ever scored, once, with its scores, and the Pareto front among the feasible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.evolution.arrays import BoolArray, FloatArray, IntArray
from search.evolution.fronts import pareto_front


@dataclass(frozen=True, slots=True)
class Scored:
    """One individual with its scores: objective (maximised), violation (0 is feasible), costs in the driver's order."""

    genes: tuple[int, ...]
    objective: float
    violation: float
    costs: tuple[float, ...]

    @property
    def feasible(self) -> bool:
        return self.violation == 0.0


class Archive:
    """Scores of distinct individuals in the order they were told; rows never move, so a row number is a name.

    Arrays grow by doubling. `genes` (m, genes), `objective` (m,), `violation` (m,), `costs` (m, columns) are views of
    the filled part. An objective or a violation that is not a finite number marks an individual nobody could score:
    it is kept as objective -infinity and violation infinity, ranks behind everything and enters no front.
    """

    def __init__(self, cardinalities: IntArray, columns: int, front_columns: tuple[int, ...]) -> None:
        """columns: width of the costs; front_columns: those the front trades against the objective."""
        self._packing = np.uint8 if cardinalities.max(initial=1) <= 256 else np.uint32
        self._width = len(cardinalities) * np.dtype(self._packing).itemsize
        self._keys: set[bytes] = set()
        self._front_columns = np.array(front_columns, dtype=np.int64)
        self._size = 0
        self._genes = np.empty((0, len(cardinalities)), dtype=np.int64)
        self._scores = np.empty((0, 2 + columns))
        self._front = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return self._size

    @property
    def genes(self) -> IntArray:
        return self._genes[: self._size]

    @property
    def objective(self) -> FloatArray:
        return self._scores[: self._size, 0]

    @property
    def violation(self) -> FloatArray:
        return self._scores[: self._size, 1]

    @property
    def costs(self) -> FloatArray:
        return self._scores[: self._size, 2:]

    @property
    def front(self) -> IntArray:
        """Rows of the Pareto front (objective against the front's columns) of the feasible, cheapest first."""
        return self._front

    def keys(self, population: IntArray) -> list[bytes]:
        """One hashable key per individual (n, genes); equal individuals, equal keys."""
        packed = population.astype(self._packing).tobytes()
        return [packed[start : start + self._width] for start in range(0, len(packed), self._width)]

    def unseen(self, population: IntArray) -> BoolArray:
        """Which individuals (n, genes) are neither archived nor a repeat of an earlier row: (n,)."""
        fresh = np.zeros(len(population), dtype=np.bool_)
        here: set[bytes] = set()
        for position, key in enumerate(self.keys(population)):
            if key not in self._keys and key not in here:
                here.add(key)
                fresh[position] = True
        return fresh

    def add(
        self, population: IntArray, objective: FloatArray, violation: FloatArray, costs: FloatArray
    ) -> IntArray:
        """Append individuals that `unseen` let through; returns their rows (n,) and brings the front up to date."""
        rows = np.arange(self._size, self._size + len(population))
        self._reserve(self._size + len(population))
        unknown = ~(np.isfinite(objective) & np.isfinite(violation))
        self._genes[rows] = population
        self._scores[rows, 0] = np.where(unknown, -np.inf, objective)
        self._scores[rows, 1] = np.where(unknown, np.inf, violation)
        self._scores[rows, 2:] = costs
        self._size += len(population)
        self._keys.update(self.keys(population))
        self._update_front(rows)
        return rows

    def scored(self, row: int) -> Scored:
        """The individual of one row, as plain Python values."""
        return Scored(
            genes=tuple(self._genes[row].tolist()),
            objective=float(self._scores[row, 0]),
            violation=float(self._scores[row, 1]),
            costs=tuple(self._scores[row, 2:].tolist()),
        )

    def _reserve(self, size: int) -> None:
        if size <= len(self._genes):
            return
        room = max(size, 2 * len(self._genes), 1024) - len(self._genes)
        self._genes = np.concatenate([self._genes, np.empty((room, self._genes.shape[1]), dtype=np.int64)])
        self._scores = np.concatenate([self._scores, np.empty((room, self._scores.shape[1]))])

    def _update_front(self, rows: IntArray) -> None:
        """Only the old front and the newcomers can be on the new front."""
        feasible = rows[self._scores[rows, 1] == 0.0]
        if len(feasible) == 0:
            return
        entrants = np.concatenate([self._front, feasible])
        points = np.column_stack([self._scores[np.ix_(entrants, 2 + self._front_columns)], -self.objective[entrants]])
        self._front = entrants[pareto_front(points)]
