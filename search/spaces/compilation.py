"""The cost of any architecture of a space as one table look-up per section of the network.

A cost that adds up over operators (latency, energy, multiply-adds, parameters) adds up over sections, and a
section's cost depends on few genes: the resolution, the channels it is given, and its own. So every section
gets a dense array over those genes, and a population (n, genes) is scored by indexing the arrays and
adding: exact, without lowering anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from devices.operators import Operator
from search.spaces.enumeration import Enumeration
from search.spaces.gene import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class CompiledCost:
    """The exact cost of any architecture of one space.

    ``shape`` is the number of choices of each gene. ``sections`` holds an array per section with one axis
    per gene, of length 1 for the genes that it does not depend on, NaN where the cost of a needed operator
    is NaN.
    """

    shape: tuple[int, ...]
    sections: tuple[FloatArray, ...]
    _table: FloatArray
    _strides: FloatArray
    _offsets: IntArray

    @classmethod
    def build(
        cls, enumeration: Enumeration, shape: Sequence[int], cost: Callable[[Operator], float]
    ) -> CompiledCost:
        """Call ``cost`` once per distinct operator of the space and lay out the arrays."""
        costs = np.array([*(cost(operator) for operator in enumeration.operators), 0.0], dtype=np.float64)
        sections = tuple(
            np.ascontiguousarray(_sum([term.cost(costs) for term in terms])) for terms in enumeration.sections
        )
        strides = np.array([_strides_in_elements(section) for section in sections], dtype=np.int64)
        sizes = [section.size for section in sections]
        return cls(
            shape=tuple(shape),
            sections=sections,
            _table=np.concatenate([section.ravel() for section in sections]),
            _strides=np.ascontiguousarray(strides.T, dtype=np.float64),
            _offsets=np.cumsum([0, *sizes[:-1]], dtype=np.int64),
        )

    def __call__(self, population: IntArray) -> FloatArray:
        """Cost of each individual: (n, genes) gene indices -> (n,); NaN where an operator's cost is unknown.

        Raises IndexError for a gene index that the space does not have.
        """
        if population.ndim != 2 or population.shape[1] != len(self.shape):
            raise IndexError(f"a population has shape (n, {len(self.shape)}), not {population.shape}")
        if population.size and ((population < 0) | (population >= self.shape)).any():
            raise IndexError("a gene of the population is outside its choices")
        # Products of floats are exact below 2**53 and, unlike those of integers, BLAS computes them.
        places = (population.astype(np.float64) @ self._strides).astype(np.int64)
        places += self._offsets
        costs: FloatArray = self._table[places].sum(axis=1)
        return costs

    def least(self) -> tuple[float, tuple[int, ...]]:
        """The exact least cost in the space, and genes that have it.

        Architectures whose cost is unknown are left out; raises LookupError if that leaves none.
        """
        return self._extreme(1.0)

    def greatest(self) -> tuple[float, tuple[int, ...]]:
        """The exact greatest cost in the space, and genes that have it; otherwise as ``least``."""
        return self._extreme(-1.0)

    def _extreme(self, sign: float) -> tuple[float, tuple[int, ...]]:
        """Dynamic programming over the sections: a gene is settled as soon as no later section reads it."""
        best: FloatArray = np.zeros((1,) * len(self.shape))
        settled: list[tuple[tuple[int, ...], IntArray]] = []
        for number, section in enumerate(self.sections):
            known = np.where(np.isnan(section), np.inf, sign * section)
            axes = self._axes_read_last_by(number)
            best, chosen = _minimise(best + known, axes)
            settled.append((axes, chosen))
        if not np.isfinite(best).all():
            raise LookupError(
                "the cost of every architecture of the space is unknown: measure its operators first"
            )

        genes = np.zeros(len(self.shape), dtype=np.int64)
        for axes, chosen in reversed(settled):
            place = tuple(int(g) if n > 1 else 0 for g, n in zip(genes, chosen.shape[:-1], strict=True))
            genes[list(axes)] = chosen[place]
        return sign * float(best.item()), tuple(genes.tolist())

    def _axes_read_last_by(self, number: int) -> tuple[int, ...]:
        later = self.sections[number + 1 :]
        return tuple(
            axis
            for axis, length in enumerate(self.sections[number].shape)
            if length > 1 and all(section.shape[axis] == 1 for section in later)
        )


def _sum(terms: Sequence[FloatArray]) -> FloatArray:
    """Sum of arrays of different shapes, (1 or choices) per gene, smallest first to keep the work small."""
    total: FloatArray = np.zeros((1,) * terms[0].ndim)
    for term in sorted(terms, key=np.size):
        total = total + term
    return total


def _strides_in_elements(section: FloatArray) -> list[int]:
    return [
        stride // section.itemsize if length > 1 else 0
        for stride, length in zip(section.strides, section.shape, strict=True)
    ]


def _minimise(values: FloatArray, axes: tuple[int, ...]) -> tuple[FloatArray, IntArray]:
    """Minimum over ``axes``, kept with length 1, and the indices (..., axes) that attain it."""
    kept = tuple(1 if axis in axes else length for axis, length in enumerate(values.shape))
    lengths = tuple(values.shape[axis] for axis in axes)
    flat = np.moveaxis(values, axes, range(-len(axes), 0)).reshape(*kept, -1)
    chosen = flat.argmin(axis=-1)
    indices = (
        np.stack(np.unravel_index(chosen, lengths), axis=-1) if axes else np.zeros((*kept, 0), dtype=np.int64)
    )
    return flat.min(axis=-1), indices
