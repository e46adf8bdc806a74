"""The accuracy predictor: exact Gaussian process regression with learned input and output warps.

The room's docstring (search.predictors) fixes the notation. Hyperparameters are those of highest posterior
density (likelihood.py); given them everything here is linear algebra on the Cholesky factor of K. Predictions are
normal in z; in accuracy units their mean and standard deviation come from Gauss-Hermite quadrature through the
inverse warp, and intervals from the warp of the normal's quantiles, so no interval leaves the possible accuracies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.special import ndtr, ndtri
from threadpoolctl import threadpool_limits

from search.predictors.kernel import Kernel
from search.predictors.likelihood import Theta, most_probable
from search.predictors.warping import OutputWarp, robust_scale, warp

FloatArray = npt.NDArray[np.float64]

FORMAT = 1
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted predictor of accuracy from features; immutable, and rebuilt exactly from JSON and its samples."""

    X: FloatArray  # (n, d)
    y: FloatArray  # (n,)
    theta: FloatArray  # (2 d + 6,), as in likelihood.py
    kernel: Kernel
    noise: float  # variance in units of z
    warp: OutputWarp

    @classmethod
    def fit(
        cls,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        bounds: tuple[float, float] | None = None,
        start: GaussianProcess | None = None,
        iterations: int = 100,
    ) -> GaussianProcess:
        """Fit to features X (n, d) in 0..1 and accuracies y (n,).

        `bounds` are the possible accuracies, (0, 1) for fractions; without them predictions may leave the range
        of y by its width. `start` is an earlier fit on the same columns to begin from. Raises ValueError when the
        arrays do not fit together, hold something not finite, or hold nothing to learn from.
        """
        features, accuracies = checked_samples(X, y)
        centre, spread = robust_scale(accuracies)
        with threadpool_limits(limits=1, user_api="blas"):
            theta = most_probable(
                features,
                (accuracies - centre) / spread,
                start=None if start is None else start.theta,
                iterations=iterations,
            )
        return cls.with_theta(features, accuracies, theta, bounds=bounds)

    @classmethod
    def with_theta(
        cls,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        theta: FloatArray,
        *,
        bounds: tuple[float, float] | None = None,
    ) -> GaussianProcess:
        """A predictor on X (n, d), y (n,) with hyperparameters already known; ValueError as for `fit`."""
        features, accuracies = checked_samples(X, y)
        if theta.shape != (2 * features.shape[1] + 6,):
            raise ValueError(
                f"{len(theta)} hyperparameters do not belong to {features.shape[1]} feature columns."
            )
        parts = Theta.unpack(theta)
        fitted = fitted_warp(accuracies, parts.warp, bounds)
        return cls(features, accuracies, theta, parts.kernel, parts.noise, fitted)

    def predict(self, X: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (m,), (m,) of the accuracy one training of each row of X (m, d) would give."""
        mean, deviation = self.latent(X)
        return self.accuracies(mean, np.sqrt(deviation**2 + self.noise))

    def predict_interval(self, X: npt.ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Lower and upper ends (m,), (m,) of the central interval that holds one training with probability `level`."""
        if not 0.0 < level < 1.0:
            raise ValueError(f"An interval's level lies between 0 and 1, not at {level}.")
        mean, deviation = self.latent(X)
        reach = ndtri(0.5 + level / 2.0) * np.sqrt(deviation**2 + self.noise)
        return self.warp.inverse(mean - reach), self.warp.inverse(mean + reach)

    def probability_above(self, X: npt.ArrayLike, accuracy: float) -> FloatArray:
        """Probability (m,) that one training of each row of X reaches `accuracy`."""
        mean, deviation = self.latent(X)
        score = (mean - self.warp.forward(accuracy)) / np.sqrt(deviation**2 + self.noise)
        return np.asarray(ndtr(score))

    def latent(self, X: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (m,), (m,) in units of z, without a training's own noise."""
        cross = self.cross_covariance(X)
        solved = self.inverse_factor @ cross.T
        variance = self.kernel.variance - np.einsum("ij,ij->j", solved, solved)
        return cross @ self.alpha, np.sqrt(np.maximum(variance, 1e-12))

    def latent_mean(self, X: npt.ArrayLike) -> FloatArray:
        """Mean (m,) in units of z: orders architectures as `predict_median` does, at a fraction of `latent`'s work."""
        return self.cross_covariance(X) @ self.alpha

    def predict_median(self, X: npt.ArrayLike) -> FloatArray:
        """Median accuracy (m,) of each row of X: the quickest prediction, for searches that need no interval."""
        return self.warp.inverse(self.latent_mean(X))

    def fantasise(self, X: npt.ArrayLike) -> GaussianProcess:
        """This predictor as if the rows of X (m, d) had been trained and had given just what it predicts.

        Means stay as they are; variances fall near X.
        """
        points = np.asarray(X, dtype=np.float64)
        return replace(
            self, X=np.concatenate([self.X, points]), y=np.concatenate([self.y, self.predict_median(points)])
        )

    def accuracies(self, mean: FloatArray, deviation: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation in accuracy units of normals (m,), (m,) in units of z."""
        values = self.warp.inverse(mean + np.multiply.outer(NODES, deviation))
        expected = WEIGHTS @ values
        return expected, np.sqrt(WEIGHTS @ (values - expected) ** 2)

    def cross_covariance(self, X: npt.ArrayLike) -> FloatArray:
        """Covariance (m, n) between the rows of X (m, d) and the samples."""
        points = np.asarray(X, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != self.X.shape[1]:
            raise ValueError(
                f"Expected points of {self.X.shape[1]} features, got an array of shape {points.shape}."
            )
        return self.kernel.covariance(self.kernel.embed(points), self.U)

    @cached_property
    def U(self) -> FloatArray:
        """Samples in the kernel's coordinates (n, d)."""
        return self.kernel.embed(self.X)

    @cached_property
    def z(self) -> FloatArray:
        """Warped accuracies of the samples (n,)."""
        return self.warp.forward(self.y)

    @cached_property
    def factor(self) -> FloatArray:
        """Lower Cholesky factor L (n, n) of K."""
        K = self.kernel.covariance(self.U, self.U)
        K.flat[:: len(K) + 1] += self.noise
        return np.asarray(cholesky(K, lower=True, overwrite_a=True))

    @cached_property
    def inverse_factor(self) -> FloatArray:
        """inv(L) (n, n): variances of many points are then one matrix product."""
        return np.asarray(solve_triangular(self.factor, np.eye(len(self.X)), lower=True))

    @cached_property
    def alpha(self) -> FloatArray:
        """inv(K) z (n,)."""
        return self.inverse_factor.T @ (self.inverse_factor @ self.z)

    def to_json(self) -> dict[str, Any]:
        """What a fit learned, as plain numbers; the samples are kept elsewhere and given back to `from_json`."""
        return {
            "format": FORMAT,
            "samples": len(self.y),
            "theta": self.theta.tolist(),
            "bounds": [self.warp.low, self.warp.high],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], X: npt.ArrayLike, y: npt.ArrayLike) -> GaussianProcess:
        """The predictor that `to_json` described, on the same samples; ValueError when they are others."""
        if data.get("format") != FORMAT:
            raise ValueError(f"Unknown predictor format {data.get('format')!r}; this version reads {FORMAT}.")
        if np.shape(y) != (data["samples"],):
            raise ValueError(f"The predictor was fitted to {data['samples']} samples, not {np.shape(y)}.")
        low, high = data["bounds"]
        return cls.with_theta(X, y, np.array(data["theta"], dtype=np.float64), bounds=(low, high))


def fitted_warp(y: FloatArray, parameters: FloatArray, bounds: tuple[float, float] | None) -> OutputWarp:
    """The output warp of accuracies y (n,) with fitted `parameters` (4,)."""
    centre, spread = robust_scale(y)
    warped = warp((y - centre) / spread, parameters)
    skew, log_tail, location, log_scale = (float(value) for value in parameters)
    width = float(np.ptp(y))
    low, high = bounds or (float(y.min()) - width, float(y.max()) + width)
    tail, scale = float(np.exp(log_tail)), float(np.exp(log_scale))
    return OutputWarp(
        centre, spread, skew, tail, location, scale, warped.mean, warped.deviation, float(low), float(high)
    )


def checked_samples(X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """X (n, d) and y (n,) as arrays; ValueError says what is wrong with them."""
    features = np.array(X, dtype=np.float64)
    accuracies = np.array(y, dtype=np.float64)
    if features.ndim != 2 or accuracies.shape != (len(features),):
        raise ValueError(
            f"Features {features.shape} and accuracies {accuracies.shape} do not belong together."
        )
    if features.shape[1] == 0:
        raise ValueError("A space of one architecture has nothing to predict: it has no feature columns.")
    if len(features) < 2:
        raise ValueError(
            f"A predictor needs at least 2 samples, not {len(features)}: train more architectures."
        )
    for name, values in (("feature", features), ("accuracy", accuracies)):
        if not np.all(np.isfinite(values)):
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            raise ValueError(
                f"Sample {row} has a {name} that is not a finite number; leave failed trainings out."
            )
    if features.min() < -1e-9 or features.max() > 1.0 + 1e-9:
        raise ValueError(f"Features must lie in 0..1, not {features.min():g}..{features.max():g}.")
    if np.ptp(accuracies) <= 1e-12 * max(1.0, float(np.abs(accuracies).max())):
        raise ValueError(
            f"All {len(accuracies)} accuracies are {accuracies[0]:g}: there is nothing to learn from them."
        )
    return np.clip(features, 0.0, 1.0), accuracies
