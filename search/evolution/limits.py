"""Limits: how far an architecture misses what its devices allow, and which limit binds.

A limit is an upper bound on one column of costs: a latency or an energy on one of several devices,
multiply-adds, parameters, bytes of the exported file. Any subset of the columns may be limited; an
unlimited column has the bound infinity. To ask for a limit with confidence, pass the upper ends of the
intervals as costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.evolution.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class Limit:
    """An upper bound on the cost `name`, in `unit`. Raises ValueError unless the bound is above 0."""

    name: str
    maximum: float
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.maximum > 0:
            raise ValueError(
                f"The limit on {self.name} must be above 0, not {self.maximum:g} {self.unit}".rstrip()
            )

    def __str__(self) -> str:
        return f"{self.name} at most {self.maximum:g} {self.unit}".rstrip()


def maxima(limits: Sequence[Limit]) -> FloatArray:
    """The bounds of the limits as an array (limits,)."""
    return np.array([limit.maximum for limit in limits], dtype=np.float64)


def excess(values: FloatArray, bounds: FloatArray) -> FloatArray:
    """Signed relative excess value / bound - 1, above 0 exactly where value > bound.

    values (n, limits), bounds (limits,) above 0. An infinite bound gives -1; against a finite one a value
    that is not known (NaN) gives infinity, because an operator that nobody measured is no reason to call a
    limit kept. Raises ValueError where a bound is not above 0 or the shapes disagree.
    """
    values, bounds = np.asarray(values, dtype=np.float64), np.asarray(bounds, dtype=np.float64)
    if values.ndim != 2 or bounds.shape != values.shape[1:]:
        raise ValueError(f"{bounds.size} limits cannot bound costs of the shape {values.shape}")
    if not np.all(bounds > 0):
        raise ValueError("Every limit must be above 0")
    unlimited = np.isinf(bounds)
    finite = np.where(unlimited, 1.0, bounds)
    with np.errstate(over="ignore"):
        relative = (values - finite) / finite
    relative[np.isnan(relative)] = math.inf
    relative[:, unlimited] = -1.0
    return relative


def violation(values: FloatArray, bounds: FloatArray) -> FloatArray:
    """Relative excess over the bounds, summed over the limits: (n,), exactly 0 where every limit is kept.

    values (n, limits), bounds (limits,). Relative, so that a millisecond and a megabyte weigh alike. Deb,
    "An efficient constraint handling method for genetic algorithms" (2000), ranks the infeasible by such a
    sum.
    """
    missed: FloatArray = np.maximum(excess(values, bounds), 0.0).sum(axis=1)
    return missed


def binding(values: FloatArray, bounds: FloatArray) -> int:
    """The column of the limit that binds one architecture: broken the furthest, or with the least room when
    all hold.

    values (limits,), bounds (limits,) with at least one limit. Of equals the first.
    """
    return int(np.argmax(excess(np.asarray(values, dtype=np.float64)[None, :], bounds)[0]))
