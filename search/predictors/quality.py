"""How good a predictor is, measured on samples it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri
from scipy.stats import kendalltau, spearmanr

from search.predictors.gaussian_process import GaussianProcess
from search.predictors.samples import all_alike, checked_samples

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEVEL = 0.95
"""Probability of the intervals that people are shown."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Errors in accuracy units, rank correlations in -1..1, shares of samples inside their intervals."""

    n: int
    rmse: float
    mae: float
    spearman: float
    kendall: float
    coverage_50: float
    coverage_90: float
    coverage_95: float


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Predictions of samples by a predictor that had not seen them; arrays (n,) in the samples' order."""

    measured: FloatArray
    predicted: FloatArray  # median, accuracy units
    deviation: FloatArray  # standard deviation, accuracy units
    low: FloatArray  # ends of the central interval of probability LEVEL
    high: FloatArray
    rank: FloatArray  # probability that was given to values below the measured one; uniform when honest
    quality: Quality

    def coverage(self, level: float) -> float:
        """Share of samples inside their central intervals of probability `level`: for a reliability plot."""
        return coverage(self.rank, level)


def measure_quality(measured: FloatArray, predicted: FloatArray, rank: FloatArray) -> Quality:
    """Quality of predictions (n,) against measurements (n,); `rank` as in CrossValidation.

    Rank correlations of constant values are 0: they order nothing.
    """
    error = predicted - measured
    ordered = np.ptp(measured) > 0.0 and np.ptp(predicted) > 0.0
    return Quality(
        n=len(measured),
        rmse=float(np.sqrt(np.mean(error**2))),
        mae=float(np.mean(np.abs(error))),
        spearman=float(spearmanr(measured, predicted).statistic) if ordered else 0.0,
        kendall=float(kendalltau(measured, predicted).statistic) if ordered else 0.0,
        coverage_50=coverage(rank, 0.50),
        coverage_90=coverage(rank, 0.90),
        coverage_95=coverage(rank, 0.95),
    )


def coverage(rank: FloatArray, level: float) -> float:
    """Share of probability ranks (n,) inside the central interval of probability `level`."""
    return float(np.mean(np.abs(rank - 0.5) <= level / 2.0))


def cross_validate(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    folds: int = 5,
    rng: np.random.Generator,
    bounds: tuple[float, float] | None = None,
    on_fold: Callable[[], object] | None = None,
) -> CrossValidation:
    """Out-of-fold predictions of X (n, d), y (n,): everything, the warps too, is fitted anew for each fold.

    The fit to all samples gives each fold its first guess of the hyperparameters. `on_fold` is called before
    each fold and may raise to stop. Raises ValueError for fewer
    than two folds, fewer samples than folds, and as GaussianProcess.fit does.
    """
    features, accuracies = checked_samples(X, y)
    n = len(accuracies)
    if not 2 <= folds <= n:
        raise ValueError(f"{folds} folds of {n} samples: choose between 2 and as many folds as samples.")
    whole = GaussianProcess.fit(features, accuracies, bounds=bounds)
    fold = np.empty(n, dtype=np.int64)
    fold[rng.permutation(n)] = np.arange(n) % folds
    predicted, deviation, low, high, rank = np.empty((5, n))
    for index in range(folds):
        if on_fold is not None:
            on_fold()
        inside, outside = fold != index, fold == index
        if all_alike(accuracies[inside]):  # the one number they are is all that these samples say
            alike = accuracies[inside][0]
            predicted[outside] = low[outside] = high[outside] = alike
            deviation[outside] = 0.0
            rank[outside] = 0.5 * (1.0 + np.sign(accuracies[outside] - alike))
            continue
        model = GaussianProcess.fit(features[inside], accuracies[inside], bounds=bounds, start=whole)
        mean, spread = model.latent(features[outside])
        spread = np.sqrt(spread**2 + model.noise)
        predicted[outside] = model.warp.inverse(mean)
        deviation[outside] = model.accuracies(mean, spread)[1]
        low[outside], high[outside] = _ends(model, mean, spread)
        rank[outside] = ndtr((model.warp.forward(accuracies[outside]) - mean) / spread)
    quality = measure_quality(accuracies, predicted, rank)
    return CrossValidation(accuracies, predicted, deviation, low, high, rank, quality)


def leave_one_out(model: GaussianProcess) -> CrossValidation:
    """Leave-one-out predictions of a fitted model, in closed form.

    Hyperparameters and warps are those of the full fit, so with few samples this flatters: `cross_validate`
    is the honest figure, this the instant one.
    """
    mean, spread = model.left_out()
    predicted, deviation = model.warp.inverse(mean), model.accuracies(mean, spread)[1]
    rank = np.asarray(ndtr((model.warp.forward(model.y) - mean) / spread))
    low, high = _ends(model, mean, spread)
    quality = measure_quality(model.y, predicted, rank)
    return CrossValidation(model.y, predicted, deviation, low, high, rank, quality)


def _ends(model: GaussianProcess, mean: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ends (m,), (m,) of the intervals of probability LEVEL of z's mean and deviation, as accuracies."""
    reach = ndtri(0.5 + LEVEL / 2.0) * spread
    return model.warp.inverse(mean - reach), model.warp.inverse(mean + reach)
