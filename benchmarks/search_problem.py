"""The problem that benchmarks/search.py sets: a real space and a real predictor, on synthetic measurements.

The space, its compiled tables and the Gaussian process are the application's own. What they are fed is not
measured: the costs of operators follow from multiply-adds and memory traffic, and the accuracies of the
samples from a formula. That is enough to compare searches, which see nothing but functions; it says nothing
about any device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.operators import Operator
from search.evolution import Limit
from search.predictors import GaussianProcess
from search.spaces import CompiledCost, SearchSpace, features

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SMALL_RANGES: dict[str, Any] = {
    "resolution": (12, 16, 24),
    "stage1.kernel": (3,),
    "stage2.expansion": (2, 6),
    "stage3.channels": (16, 32),
    "stage3.kernel": (3,),
    "stage4.expansion": (2, 6),
    "stage4.repeats": (1, 2),
}
"""Ranges that cut chamnet-mobile-small down to a space that can be enumerated."""


def phone_ms(operator: Operator) -> float:
    """A synthetic device short of arithmetic: 12 G multiply-adds and 4 G numbers a second, 8 us a call."""
    return operator.multiply_adds / 12e6 + operator.memory_accesses / 4e6 + 0.008


def accelerator_ms(operator: Operator) -> float:
    """A synthetic device short of bandwidth, which pads channels to multiples of 32."""
    padded = -(-operator.out_channels // 32) * 32 / operator.out_channels
    return padded * operator.multiply_adds / 80e6 + operator.memory_accesses / 2.5e6 + 0.02


@dataclass(frozen=True)
class SyntheticProblem:
    """A `search.evolution.Problem`: predicted accuracy under a latency limit on each device."""

    space: SearchSpace
    model: GaussianProcess
    tables: tuple[CompiledCost, ...]
    limits: tuple[Limit, ...]

    @classmethod
    def build(
        cls, space: SearchSpace, *, samples: int, seed: int, devices: Sequence[Callable[[Operator], float]]
    ) -> SyntheticProblem:
        """Fit the predictor to random samples; every limit is the median latency of random architectures."""
        rng = np.random.default_rng(seed)
        tables = tuple(space.compile(device) for device in devices)
        population = space.sample(rng, samples)
        inputs = features(space, population)
        model = GaussianProcess.fit(inputs, synthetic_accuracy(rng, inputs), bounds=(0.0, 1.0))
        problem = cls(space, model, tables, ())
        medians = np.median(problem.costs(space.sample(rng, 2000)), axis=0)
        names = [f"{getattr(device, '__name__', 'device').removesuffix('_ms')} latency" for device in devices]
        limits = tuple(Limit(name, float(value), "ms") for name, value in zip(names, medians, strict=True))
        return replace(problem, limits=limits)

    def scaled(self, factor: float) -> SyntheticProblem:
        """The same problem with every limit multiplied by `factor`."""
        return replace(
            self, limits=tuple(replace(limit, maximum=limit.maximum * factor) for limit in self.limits)
        )

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return self.space.shape

    def canonical(self, population: IntArray) -> IntArray:
        return self.space.canonical(population)

    def neighbours(self, genes: Sequence[int]) -> IntArray:
        return self.space.neighbours(genes)

    def objective(self, population: IntArray) -> FloatArray:
        """Predicted accuracy (n,), 0 to 1."""
        return self.model.predict_median(features(self.space, population))

    def costs(self, population: IntArray) -> FloatArray:
        """Latencies (n, devices) in milliseconds of the synthetic tables."""
        return np.column_stack([table(population) for table in self.tables])


def synthetic_accuracy(rng: np.random.Generator, inputs: FloatArray) -> FloatArray:
    """Accuracies (n,) for features (n, d): saturating in capacity, with interactions and noise."""
    columns = inputs.shape[1]
    weights = rng.gamma(2.0, 1.0, columns)
    interactions = rng.normal(scale=0.3, size=(columns, columns))
    centred = inputs - 0.5
    capacity = inputs @ weights / np.sum(weights)
    rugged = np.tanh(np.einsum("ni,ij,nj->n", centred, interactions, centred))
    noise = rng.normal(scale=0.002, size=len(inputs))
    return np.asarray(0.75 - 0.25 * np.exp(-2.5 * capacity) + 0.02 * rugged + noise)
