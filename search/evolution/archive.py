"""The archive: every individual ever scored, once, with its scores, and the Pareto front of the feasible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.evolution.arrays import BoolArray, FloatArray, IntArray
from search.evolution.fronts import pareto_front


@dataclass(frozen=True, slots=True)
class Scored:
    """One individual and its scores: objective (maximised), violation (0 is feasible), the driver's costs."""

    genes: tuple[int, ...]
    objective: float
    violation: float
    costs: tuple[float, ...]

    @property
    def feasible(self) -> bool:
        return self.violation == 0.0


class Archive:
    """Scores of distinct individuals in the order they were told; rows never move, so a row number is a name.

    Arrays grow by doubling. `genes` (m, genes), `objective` (m,), `violation` (m,), `costs` (m, columns)
    are views of the filled part. An objective or a violation that is not a finite number marks an
    individual nobody could score: it is kept as objective -infinity and violation infinity, ranks behind
    everything and enters no front.
    """

    def __init__(
        self, cardinalities: IntArray, columns: int, front_columns: tuple[int, ...], *, capacity: int = 1024
    ) -> None:
        """columns: width of the costs; front_columns: those the front trades against the objective.

        capacity: individuals to make room for at once, when it is known how many will come.
        """
        self._packing = np.uint8 if cardinalities.max(initial=1) <= 256 else np.uint32
        self._width = len(cardinalities) * np.dtype(self._packing).itemsize
        self._rows: dict[bytes, int] = {}
        self._front_columns = np.array(front_columns, dtype=np.int64)
        self._front_order = np.append(2 + self._front_columns, 0)
        self._size = 0
        self._genes = np.empty((capacity, len(cardinalities)), dtype=np.int64)
        self._scores = np.empty((capacity, 2 + columns))
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
        """Rows of the Pareto front of the feasible, objective against the front's columns, cheapest first.

        Without columns it is the best alone; who costs an unknown or infinite amount is not on it.
        """
        return self._front

    def keys(self, population: IntArray) -> list[bytes]:
        """One hashable key per individual (n, genes); equal individuals, equal keys."""
        packed = np.ascontiguousarray(population, dtype=self._packing).view(f"V{self._width}")
        found: list[bytes] = packed.ravel().tolist()
        return found

    def unseen(self, population: IntArray, besides: set[bytes] | None = None) -> BoolArray:
        """Which individuals (n, genes) are not archived and not repeats of earlier rows: (n,).

        besides: keys of individuals already chosen for this generation; they are no longer unseen, and
        those found are added.
        """
        chosen: set[bytes] = set() if besides is None else besides
        fresh = np.zeros(len(population), dtype=np.bool_)
        for position, key in enumerate(self.keys(population)):
            if key not in self._rows and key not in chosen:
                chosen.add(key)
                fresh[position] = True
        return fresh

    def add(
        self, population: IntArray, objective: FloatArray, violation: FloatArray, costs: FloatArray
    ) -> IntArray:
        """Append individuals that `unseen` let through, update the front, return their rows (n,)."""
        start, end = self._size, self._size + len(population)
        rows = np.arange(start, end)
        self._reserve(end)
        known = np.isfinite(objective) & np.isfinite(violation)
        self._genes[start:end] = population
        self._scores[start:end, 0] = np.where(known, objective, -np.inf)
        self._scores[start:end, 1] = np.where(known, violation, np.inf)
        self._scores[start:end, 2:] = costs
        self._size = end
        self._rows.update(zip(self.keys(population), rows.tolist(), strict=True))
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

    def rows(self, population: IntArray) -> IntArray:
        """The rows (n,) of archived individuals (n, genes). Raises KeyError for one never scored."""
        return np.array([self._rows[key] for key in self.keys(population)], dtype=np.int64)

    def find(self, genes: Sequence[int]) -> Scored | None:
        """The archived individual with these canonical genes, or None."""
        row = self._rows.get(self.keys(np.array([genes], dtype=np.int64))[0])
        return None if row is None else self.scored(row)

    def _reserve(self, size: int) -> None:
        if size <= len(self._genes):
            return
        room = max(size, 2 * len(self._genes)) - len(self._genes)
        self._genes = np.concatenate([self._genes, np.empty((room, self._genes.shape[1]), dtype=np.int64)])
        self._scores = np.concatenate([self._scores, np.empty((room, self._scores.shape[1]))])

    def _update_front(self, rows: IntArray) -> None:
        """Only the old front and the newcomers can be on the new front."""
        columns = self._scores[rows][:, 2 + self._front_columns]
        entering = rows[(self._scores[rows, 1] == 0.0) & np.isfinite(columns).all(axis=1)]
        if len(entering) == 0:
            return
        entrants = np.concatenate([self._front, entering])
        points = self._scores[entrants][:, self._front_order]
        points[:, -1] *= -1.0
        self._front = entrants[pareto_front(points)]
