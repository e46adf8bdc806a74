"""Pareto fronts: the architectures nobody beats in everything at once."""

from __future__ import annotations

import numpy as np

from search.evolution.arrays import BoolArray, FloatArray, IntArray

BLOCK = 256
"""Points compared at once when there are three or more columns: bounds the memory, not the result."""


def pareto_front(costs: FloatArray) -> IntArray:
    """Indices of the points no other point dominates; every column is minimised.

    costs (n, columns); pass the negative of what is to be maximised. A point dominates another when it is
    nowhere worse and somewhere better; of equal points only the first is returned, and a point with a NaN
    never is. The indices are ordered by the first column, then the second, and so on.

    O(n log n) for one and two columns (sort and sweep: Kung, Luccio and Preparata, "On finding the maxima
    of a set of vectors", 1975); for more, O(n f) with f the size of the front, because sorted points are
    compared with the front found so far only. Raises ValueError unless costs has two dimensions.
    """
    costs = np.asarray(costs, dtype=np.float64)
    if costs.ndim != 2:
        raise ValueError(f"A front needs costs of the shape (n, columns), not {costs.shape}")
    known = np.flatnonzero(~np.isnan(costs).any(axis=1))
    if costs.shape[1] == 0 or len(known) == 0:
        return known[:1]
    order = known[np.lexsort(costs[known].T[::-1])]
    points = costs[order]
    if costs.shape[1] == 1:
        return order[:1]
    kept = _sweep(points[:, 1]) if costs.shape[1] == 2 else _filter(points)
    return order[kept]


def _sweep(second: FloatArray) -> BoolArray:
    """Of points sorted by the first column, those whose second column is lower than every one before."""
    lowest = np.minimum.accumulate(second)
    kept = np.ones(len(second), dtype=np.bool_)
    kept[1:] = second[1:] < lowest[:-1]
    return kept


def _filter(points: FloatArray) -> IntArray:
    """Positions of the undominated among lexicographically sorted points (n, columns).

    Sorting puts every point behind all that dominate or equal it, so one pass from the front suffices.
    """
    front = np.empty((0, points.shape[1]))
    kept: list[int] = []
    for start in range(0, len(points), BLOCK):
        block = points[start : start + BLOCK]
        alive = np.flatnonzero(~_covered(block, front))
        block = block[alive]
        earlier = np.tri(len(block), k=-1, dtype=np.bool_)
        inside = ((block[None, :, :] <= block[:, None, :]).all(axis=2) & earlier).any(axis=1)
        kept.extend((start + alive[~inside]).tolist())
        front = np.concatenate([front, block[~inside]])
    return np.array(kept, dtype=np.int64)


def _covered(block: FloatArray, front: FloatArray) -> BoolArray:
    """Which points of the block (b, columns) a point of the front (f, columns) dominates or equals: (b,)."""
    nowhere_worse = np.ones((len(block), len(front)), dtype=np.bool_)
    for column in range(block.shape[1]):
        nowhere_worse &= front[None, :, column] <= block[:, None, column]
    return np.asarray(nowhere_worse.any(axis=1))
