"""What a network costs on a device, as a Gaussian process over measured whole networks: energy, or latency.

It is the accuracy predictor's code on the logarithm of the cost, so that no prediction is negative and errors
are relative. Besides the genes it sees the logarithm of a baseline that is known of every network: its
latency from the device's table, or its multiply-adds. The simplest belief, which it has to beat, is that the
cost is constant * baseline. Values are mJ of one image, or ms of one call.

Source: Dai et al., ChamNet, CVPR 2019, section 3.3: a Gaussian process on measured energies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search.predictors.gaussian_process import GaussianProcess
from search.predictors.quality import CrossValidation, cross_validate

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Features = Callable[[IntArray], FloatArray]

FOLDS = 5
FEWEST_MEASURED = 5


def with_cost(features: Features, cost: Features, ends: tuple[float, float]) -> Features:
    """Features (n, d + 1): those of `features` (n, d) and the log of a cost, 0..1 between its `ends`."""
    low, high = np.log(ends)
    width = max(high - low, 1e-12)

    def extended(population: IntArray) -> FloatArray:
        place = (np.log(cost(population)) - low) / width
        return np.column_stack([features(population), np.clip(place, 0.0, 1.0)])

    return extended


@dataclass(frozen=True)
class CostModel:
    """Predicts the cost of populations (n, genes)."""

    process: GaussianProcess
    features: Features

    @classmethod
    def fit(cls, population: IntArray, measured: FloatArray, features: Features) -> CostModel:
        """Learns from measurements (n,), all above 0. Raises ValueError as GaussianProcess.fit does."""
        return cls(GaussianProcess.fit(features(population), np.log(measured)), features)

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], population: IntArray, measured: FloatArray, features: Features
    ) -> CostModel:
        """The model whose process `to_json` described, on the same measurements."""
        return cls(GaussianProcess.from_json(data, features(population), np.log(measured)), features)

    def quantile(self, population: IntArray, probability: float) -> FloatArray:
        """Costs (n,) that the networks stay within with this probability, 0.5 to below 1."""
        inputs = self.features(population)
        if probability == 0.5:
            return np.asarray(np.exp(self.process.predict_median(inputs)))
        return np.asarray(np.exp(self.process.predict_interval(inputs, 2.0 * probability - 1.0)[1]))

    def interval(self, population: IntArray, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Ends (n,), (n,) of the central interval that holds one measurement with this probability."""
        low, high = self.process.predict_interval(self.features(population), level)
        return np.exp(low), np.exp(high)

    def probability_within(self, population: IntArray, limit: float) -> FloatArray:
        """Probability (n,) that the measured cost is at most `limit`."""
        return 1.0 - self.process.probability_above(self.features(population), float(np.log(limit)))


@dataclass(frozen=True, slots=True)
class CostQuality:
    """Held-out predictions (n,) of measurements (n,), beside those of the baseline.

    `low` and `high` are the ends of the 95 % intervals;
    errors are mean absolute relative errors; `beats_baseline` asks for a difference of two standard errors.
    """

    measured: FloatArray
    predicted: FloatArray
    low: FloatArray
    high: FloatArray
    spearman: float
    coverage_90: float
    error: float
    baseline_error: float
    beats_baseline: bool


def cost_quality(
    population: IntArray,
    measured: FloatArray,
    cost: FloatArray,
    features: Features,
    rng: np.random.Generator,
    on_fold: Callable[[], object] | None = None,
) -> CostQuality:
    """Cross-validated quality on measurements (n,), and that of constant * cost (n,), the baseline.

    `on_fold` is as in `cross_validate`. Raises ValueError for fewer than FEWEST_MEASURED measurements, and as
    GaussianProcess.fit does.
    """
    n = len(measured)
    if n < FEWEST_MEASURED:
        raise ValueError(f"A predictor of costs needs at least {FEWEST_MEASURED} measured networks, not {n}.")
    held: CrossValidation = cross_validate(
        features(population), np.log(measured), folds=min(FOLDS, n), rng=rng, on_fold=on_fold
    )
    predicted = np.exp(held.predicted)
    errors = np.abs(predicted / measured - 1.0)
    others = np.array([_constant(np.delete(measured, i), np.delete(cost, i)) for i in range(n)])
    baseline = np.abs(others * cost / measured - 1.0)
    gain = baseline - errors
    return CostQuality(
        measured=measured,
        predicted=predicted,
        low=np.exp(held.low),
        high=np.exp(held.high),
        spearman=held.quality.spearman,
        coverage_90=held.quality.coverage_90,
        error=float(errors.mean()),
        baseline_error=float(baseline.mean()),
        beats_baseline=bool(gain.mean() > 2.0 * gain.std(ddof=1) / np.sqrt(n)),
    )


def _constant(measured: FloatArray, cost: FloatArray) -> float:
    """The factor between cost and energy: the median ratio, which few odd measurements do not move."""
    return float(np.median(measured / cost))
