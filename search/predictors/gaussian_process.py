"""The accuracy predictor: exact Gaussian process regression with learned input and output warps.

The room's docstring (search.predictors) fixes the notation. Hyperparameters are those of highest posterior
density (likelihood.py); given them everything here is linear algebra on the Cholesky factor of K. Predictions
are normal in z; in accuracy units their mean and standard deviation come from Gauss-Hermite quadrature
through the inverse warp, and intervals from the warp of the normal's quantiles: none leaves the possible
accuracies.

Now and then a training fails by bad luck, though its neighbours succeed. Such a sample is doubted: predicted
from all the others it lies further below than chance allows (Chauvenet's criterion). Doubted samples do not
enter K. None succeeds by bad luck, so surprises upwards are always trusted; and where several neighbours fail
they support each other, so a region of failures is learned rather than doubted.
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

from search.predictors.kernel import CONSTANT, Kernel, against, graded_columns
from search.predictors.likelihood import Theta, most_probable
from search.predictors.samples import checked_samples
from search.predictors.warping import OutputWarp, fitted_warp, robust_scale

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

FORMAT = 1
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
DOUBT_ROUNDS = 6
DOUBTED_BY_CHANCE = 0.1  # good samples expected to be doubted, in all
DOUBTED_AT_MOST = 0.15  # share of the samples
LEARNED_FROM = 400  # samples that hyperparameters are learned from, unless a caller says otherwise


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A fitted predictor of accuracy from features; immutable, rebuilt exactly from JSON and its samples."""

    X: FloatArray  # (n, d), doubted samples included
    y: FloatArray  # (n,)
    trusted: BoolArray  # (n,) False where doubted
    theta: FloatArray  # (d + 2 o + 6,), as in likelihood.py
    kernel: Kernel
    noise: float  # variance of one training in units of z
    warp: OutputWarp

    @classmethod
    def fit(
        cls,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        bounds: tuple[float, float] | None = None,
        start: GaussianProcess | None = None,
        learned_from: int = LEARNED_FROM,
    ) -> GaussianProcess:
        """Fit to features X (n, d) in 0..1 and accuracies y (n,).

        `bounds` are the possible accuracies, (0, 1) for fractions; without them predictions may leave the
        range of y by its width. `start` is an earlier fit on the same columns, to begin from. Beyond
        `learned_from` samples the hyperparameters are learned from so many of them, evenly spread over the
        range of accuracies; the posterior takes all. Raises
        ValueError when the arrays do not fit together, hold something not finite, or hold nothing to learn
        from.
        """
        features, accuracies = checked_samples(X, y)
        centre, spread = robust_scale(accuracies)
        t = (accuracies - centre) / spread
        trusted = np.ones(len(t), dtype=np.bool_)
        graded = graded_columns(features) if start is None else start.kernel.graded
        theta = None if start is None else start.theta
        with threadpool_limits(limits=1, user_api="blas"):
            for _ in range(DOUBT_ROUNDS):
                some = _spread_out(np.flatnonzero(trusted), t, learned_from)
                theta = most_probable(features[some], t[some], graded, start=theta)
                model = cls.with_theta(
                    features, accuracies, theta, graded=graded, trusted=trusted, bounds=bounds
                )
                verdict = model._plausible()
                if np.array_equal(verdict, trusted):
                    break
                trusted = verdict
        return model

    @classmethod
    def with_theta(
        cls,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        theta: FloatArray,
        *,
        graded: IntArray,
        trusted: BoolArray,
        bounds: tuple[float, float] | None,
    ) -> GaussianProcess:
        """A predictor on X (n, d), y (n,) with hyperparameters already known; ValueError as for `fit`."""
        features, accuracies = checked_samples(X, y)
        if len(theta) != features.shape[1] + 2 * len(graded) + 6:
            raise ValueError(
                f"{len(theta)} hyperparameters do not belong to {features.shape[1]} feature columns."
            )
        parts = Theta.unpack(theta, graded)
        warp = fitted_warp(accuracies, trusted, parts.warp, bounds)
        return cls(features, accuracies, trusted, theta, parts.kernel, parts.noise, warp)

    def extended(self, X: FloatArray, y: FloatArray) -> GaussianProcess:
        """This predictor with more samples X (k, d), y (k,), hyperparameters and warp as they are."""
        return replace(
            self,
            X=np.concatenate([self.X, X]),
            y=np.concatenate([self.y, y]),
            trusted=np.concatenate([self.trusted, np.ones(len(y), dtype=np.bool_)]),
        )

    def fantasise(self, X: FloatArray) -> GaussianProcess:
        """This predictor as if the rows of X (k, d) had been trained and had given just what it predicts.

        Means stay as they are; variances fall near X.
        """
        return self.extended(X, self.predict_median(X))

    def predict(self, X: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (m,), (m,) of the accuracy of one training of each row of X (m, d)."""
        mean, deviation = self.latent(X)
        return self.accuracies(mean, np.sqrt(deviation**2 + self.noise))

    def predict_interval(self, X: npt.ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Ends (m,), (m,) of the central interval that holds one training with probability `level`."""
        if not 0.0 < level < 1.0:
            raise ValueError(f"An interval's level lies between 0 and 1, not at {level}.")
        mean, deviation = self.latent(X)
        reach = ndtri(0.5 + level / 2.0) * np.sqrt(deviation**2 + self.noise)
        return self.warp.inverse(mean - reach), self.warp.inverse(mean + reach)

    def predict_median(self, X: npt.ArrayLike) -> FloatArray:
        """Median accuracy (m,) of each row of X: what is called the predicted accuracy everywhere.

        It errs least on average, also where some trainings fail and the mean lies between two cliffs; it
        orders networks as `latent_mean` does, lies within every interval, and is the quickest to compute.
        """
        return self.warp.inverse(self.latent_mean(X))

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
        """Mean (m,) in units of z, which orders architectures as `predict_median` does."""
        correlation = self.kernel.matern_with(self._embedded(X), self._against_samples)
        return np.asarray(correlation @ self._weights + CONSTANT * self.alpha.sum())

    @cached_property
    def _weights(self) -> FloatArray:
        """alpha (n,) with the kernel's variance in it: a mean then needs no covariance, only correlation."""
        return self.kernel.signal * self.alpha

    def left_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (n,), (n,) in units of z of each sample predicted from the others.

        In closed form (Rasmussen and Williams 2006, section 5.4.2), with the hyperparameters of all samples.
        """
        mean, deviation = np.empty(len(self.y)), np.empty(len(self.y))
        precision = np.einsum("ij,ij->j", self.inverse_factor, self.inverse_factor)
        mean[self.trusted] = self.z - self.alpha / precision
        deviation[self.trusted] = 1.0 / np.sqrt(precision)
        doubted = ~self.trusted
        mean[doubted], latent = self.latent(self.X[doubted])
        deviation[doubted] = np.sqrt(latent**2 + self.noise)
        return mean, deviation

    def accuracies(self, mean: FloatArray, deviation: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation in accuracy units of normals (m,), (m,) in units of z."""
        values = self.warp.inverse(mean + np.multiply.outer(NODES, deviation))
        expected = WEIGHTS @ values
        return expected, np.sqrt(WEIGHTS @ (values - expected) ** 2)

    def cross_covariance(self, X: npt.ArrayLike) -> FloatArray:
        """Covariance (m, n) between the rows of X (m, d) and the trusted samples."""
        return self.kernel.covariance_with(self._embedded(X), self._against_samples)

    def _embedded(self, X: npt.ArrayLike) -> FloatArray:
        points = np.asarray(X, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != self.X.shape[1]:
            raise ValueError(f"Expected points of {self.X.shape[1]} features, got an array {points.shape}.")
        return self.kernel.embed(points)

    @cached_property
    def U(self) -> FloatArray:
        """Trusted samples in the kernel's coordinates (n, d)."""
        return self.kernel.embed(self.X[self.trusted])

    @cached_property
    def _against_samples(self) -> FloatArray:
        return against(self.U)

    @cached_property
    def z(self) -> FloatArray:
        """Warped accuracies of the trusted samples (n,)."""
        return self.warp.forward(self.y[self.trusted])

    @cached_property
    def inverse_factor(self) -> FloatArray:
        """inv(L) (n, n): variances of many points are then one matrix product."""
        K = self.kernel.covariance(self.U, self.U)
        K.flat[:: len(K) + 1] += self.noise
        factor = cholesky(K, lower=True, overwrite_a=True)
        return np.asarray(solve_triangular(factor, np.eye(len(K)), lower=True))

    @cached_property
    def alpha(self) -> FloatArray:
        """inv(K) z (n,)."""
        return self.inverse_factor.T @ (self.inverse_factor @ self.z)

    @property
    def log_likelihood(self) -> float:
        """Log marginal likelihood of the trusted accuracies in their own unit, with the warp's Jacobian."""
        log_determinant = -2.0 * np.log(np.diag(self.inverse_factor)).sum()
        normal = self.z @ self.alpha + log_determinant + len(self.z) * np.log(2.0 * np.pi)
        return float(self.warp.log_slope(self.y[self.trusted]).sum() - 0.5 * normal)

    def _plausible(self) -> BoolArray:
        """Which samples (n,) to trust, judged by the others."""
        n = len(self.y)
        mean, deviation = self.left_out()
        score = (self.warp.forward(self.y) - mean) / deviation
        verdict = score > ndtri(DOUBTED_BY_CHANCE / n)
        worst = np.argsort(score, kind="stable")[: int(DOUBTED_AT_MOST * n)]
        verdict |= ~np.isin(np.arange(n), worst)
        return verdict if np.ptp(self.y[verdict]) > 0.0 else self.trusted

    def to_json(self) -> dict[str, Any]:
        """What a fit learned, as plain numbers; the samples are kept elsewhere and go back to `from_json`."""
        return {
            "format": FORMAT,
            "samples": len(self.y),
            "doubted": np.flatnonzero(~self.trusted).tolist(),
            "graded": self.kernel.graded.tolist(),
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
        trusted = np.ones(data["samples"], dtype=np.bool_)
        trusted[data["doubted"]] = False
        return cls.with_theta(
            X,
            y,
            np.array(data["theta"], dtype=np.float64),
            graded=np.array(data["graded"], dtype=np.int64),
            trusted=trusted,
            bounds=(low, high),
        )


def _spread_out(indices: IntArray, values: FloatArray, count: int) -> IntArray:
    """At most `count` of the indices (n,), evenly spread over the order of their values, ends included."""
    if len(indices) <= count:
        return indices
    order = indices[np.argsort(values[indices], kind="stable")]
    return np.sort(order[np.linspace(0, len(order) - 1, count).astype(np.int64)])
