"""Every operator of a space, and where in the space each occurs: exact, without sampling.

The network is written once over the open grid of the space (blueprint.py): a step spans just the axes of
the genes that it depends on. Its distinct operators are numbered, and an array of those numbers, of the
step's own small shape, says which operator an architecture has there. A cost function is called once per
distinct operator, whatever the size of the space.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices.operators import Operator
from search.spaces.blueprint import Ints, Section, Step
from search.spaces.gene import FloatArray, Gene, IntArray

ABSENT = -1
"""Number of the operator that an architecture does not have."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A step's place in the cost of its section.

    ``operators`` holds numbers of operators or ABSENT, ``counts`` how often the step occurs; both are arrays
    with one axis per gene, of length 1 for genes that they do not depend on.
    """

    operators: IntArray
    counts: IntArray

    def cost(self, costs: FloatArray) -> FloatArray:
        """Cost of the step for every combination of its genes; ``costs`` ends with the 0 of ABSENT."""
        once = costs[self.operators]
        # Zero times unknown is zero: what does not occur need not have been measured.
        return np.where(self.counts > 0, self.counts * once, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Enumeration:
    """The distinct operators of a space, and per section the terms that sum to its cost."""

    operators: tuple[Operator, ...]
    sections: tuple[tuple[Term, ...], ...]


def open_grid(genes: Sequence[Gene]) -> dict[str, Ints]:
    """Gene names to their choices, each along an axis of its own, as ``numpy.ix_`` lays them out."""
    axes = np.ix_(*(np.array(gene.choices, dtype=np.int64) for gene in genes))
    return {gene.name: axis for gene, axis in zip(genes, axes, strict=True)}


def section_shape(section: Section, axes: int) -> tuple[int, ...]:
    """Shape of a section's cost on the open grid; longer than 1 only along the genes that it depends on."""
    fields = [_with_axes(block.count, axes) for block in section.blocks]
    fields += [field for block in section.blocks for step in block.steps for field in _fields(step, axes)]
    return _joint_shape(fields)


def enumerate_operators(sections: Iterable[Section], axes: int) -> Enumeration:
    """Number the operators of a network that is written over the open grid of ``axes`` genes."""
    numbers: dict[Operator, int] = {}
    terms_of_sections = []
    for section in sections:
        terms = []
        for block in section.blocks:
            counts = _with_axes(block.count, axes)
            if counts.max() > 0:
                terms += [Term(_number(step, axes, numbers), counts) for step in block.steps]
        terms_of_sections.append(tuple(terms))
    return Enumeration(tuple(numbers), tuple(terms_of_sections))


def _number(step: Step, axes: int, numbers: dict[Operator, int]) -> IntArray:
    """Array of operator numbers in the step's own shape, (1 or choices) per gene; extends ``numbers``."""
    fields = _fields(step, axes)
    *varying, present = (np.broadcast_to(field, _joint_shape(fields)) for field in fields)
    where = present.astype(np.bool_)
    rows = [field[where] for field in varying]
    result = np.full(where.shape, ABSENT, dtype=np.int64)
    if rows[0].size == 0:
        return result

    # Packing the four fields into one integer makes finding the distinct rows one sort of integers.
    bounds = tuple(int(row.max()) + 1 for row in rows)
    codes, inverse = np.unique(np.ravel_multi_index(tuple(rows), bounds), return_inverse=True)
    distinct = zip(*(column.tolist() for column in np.unravel_index(codes, bounds)), strict=True)
    found = (
        Operator(step.kind, in_channels, out_channels, size, kernel, step.stride, step.activation)
        for in_channels, out_channels, size, kernel in distinct
    )
    result[where] = np.array([numbers.setdefault(operator, len(numbers)) for operator in found])[inverse]
    return result


def _fields(step: Step, axes: int) -> tuple[IntArray, ...]:
    fields = (step.in_channels, step.out_channels, step.size, step.kernel, step.present)
    return tuple(_with_axes(field, axes) for field in fields)


def _joint_shape(fields: Sequence[IntArray]) -> tuple[int, ...]:
    """As ``numpy.broadcast_shapes``, which stops at 32 axes where arrays themselves go to 64."""
    return tuple(max(lengths) for lengths in zip(*(field.shape for field in fields), strict=True))


def _with_axes(field: npt.ArrayLike, axes: int) -> IntArray:
    array = np.asarray(field, dtype=np.int64)
    return array.reshape((1,) * (axes - array.ndim) + array.shape)
