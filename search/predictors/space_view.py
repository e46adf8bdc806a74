"""What the sampler needs to know of a search space: a handful of array functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class SpaceView(Protocol):
    """A discrete space of architectures, as the sampler sees it."""

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of choices of each gene."""

    @property
    def size(self) -> int:
        """Upper bound on the number of distinct networks."""

    @property
    def cost(self) -> Callable[[IntArray], FloatArray] | None:
        """Positive cost (n,) of a population, in any unit; None when accuracy alone should count."""

    def canonical(self, population: IntArray) -> IntArray:
        """The population (n, g) that stands for the same networks; equal networks get equal rows."""

    def features(self, population: IntArray) -> FloatArray:
        """Features (n, d) in 0..1 of a canonical population (n, g)."""

    def everything(self) -> IntArray:
        """All distinct networks (n, g), canonical; only called on spaces that fit in memory."""

    def from_unit(self, points: FloatArray) -> IntArray:
        """Canonical networks (n, g) at points (n, g) of the unit cube, each network's share about equal."""

    def neighbours(self, population: IntArray) -> IntArray:
        """Distinct canonical networks (k, g) one gene away from a row of `population`, without its rows."""

    def existing(self, population: IntArray) -> IntArray:
        """The rows of a population (n, g) that are networks of the space, canonical."""


@dataclass(frozen=True, slots=True)
class GridView:
    """The view of a space in which every combination of choices is a network.

    `canonical`, `features` and `cost` are as SpaceView describes; they are the space's own functions.
    """

    cardinalities: tuple[int, ...]
    canonical: Callable[[IntArray], IntArray]
    features: Callable[[IntArray], FloatArray]
    cost: Callable[[IntArray], FloatArray] | None = None

    def __post_init__(self) -> None:
        if not self.cardinalities or min(self.cardinalities) < 1:
            raise ValueError(f"Every gene needs at least one choice; got {self.cardinalities}.")

    @property
    def size(self) -> int:
        """Number of gene combinations, equal networks counted apart."""
        return prod(self.cardinalities)

    def everything(self) -> IntArray:
        """All distinct networks (n, g), canonical."""
        grid = np.indices(self.cardinalities).reshape(len(self.cardinalities), -1).T
        return distinct(self.canonical(np.ascontiguousarray(grid, dtype=np.int64)))

    def from_unit(self, points: FloatArray) -> IntArray:
        """Networks (n, g) at points (n, g) of the unit cube; every choice of a gene has an equal share."""
        cardinalities = np.array(self.cardinalities)
        return self.canonical(np.minimum((points * cardinalities).astype(np.int64), cardinalities - 1))

    def neighbours(self, population: IntArray) -> IntArray:
        """Distinct networks (k, g) one gene away from any row of a population (n, g), those rows left out."""
        changed = self.canonical(single_gene_changes(population, self.cardinalities))
        return without(distinct(changed), row_keys(population))

    def existing(self, population: IntArray) -> IntArray:
        """Every row is a network here: the population, canonical."""
        return self.canonical(population)


def single_gene_changes(population: IntArray, cardinalities: tuple[int, ...]) -> IntArray:
    """All rows (k, g) that differ from a row of `population` (n, g) in one gene, repeats included."""
    changed = [np.empty((0, len(cardinalities)), dtype=np.int64)]
    for gene, cardinality in enumerate(cardinalities):
        for step in range(1, cardinality):
            copy = population.copy()
            copy[:, gene] = (copy[:, gene] + step) % cardinality
            changed.append(copy)
    return np.concatenate(changed)


def row_keys(population: IntArray) -> set[bytes]:
    """The rows of a population (n, g) as a set to test membership in."""
    return {row.tobytes() for row in np.ascontiguousarray(population, dtype=np.int64)}


def distinct(population: IntArray) -> IntArray:
    """The rows of `population` (n, g), each once, in order of first appearance."""
    rows = np.ascontiguousarray(population, dtype=np.int64)
    first: dict[bytes, int] = {}
    for index, row in enumerate(rows):
        first.setdefault(row.tobytes(), index)
    return rows[list(first.values())]


def without(population: IntArray, keys: set[bytes]) -> IntArray:
    """The rows of `population` (n, g) that are not among `keys`, as `row_keys` makes them."""
    rows = np.ascontiguousarray(population, dtype=np.int64)
    return rows[[row.tobytes() not in keys for row in rows]]
