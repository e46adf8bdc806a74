"""The posterior density of the Gaussian process's hyperparameters, with its gradient.

    E = z' inv(K) z / 2 + log det(K) / 2 - log |dz/dt| - log prior

up to constants; the warp's Jacobian is what allows likelihoods of different warps to be compared. The vector
`theta` that the optimiser sees is

    log lengths (d) | log powers (d) | log signal, log noise | skew, log tail, location, log scale

and every part of it has a normal prior, so that 20 samples cannot buy 30 length scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.optimize import minimize

from search.predictors.kernel import CONSTANT, Kernel, squared_distances
from search.predictors.warping import PARAMETERS, warp

FloatArray = npt.NDArray[np.float64]

JITTER = 1e-6  # added to the noise variance so that K of repeated points stays positive definite


@dataclass(frozen=True, slots=True)
class Prior:
    """Independent normal priors of theta, and the box the optimiser stays in; all of shape (2 d + 6,)."""

    mean: FloatArray
    deviation: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def for_columns(cls, d: int) -> Prior:
        """Priors for d feature columns.

        Lengths grow as sqrt(d): distances between random points do, and then a random pair's correlation does not
        depend on the number of genes (Hvarfner, Hellsten and Nardi 2024).
        """
        lengths = [(0.5 * log(d), 1.0, -3.0, 6.0)] * d
        powers = [(0.0, 0.7, -2.3, 1.6)] * d
        scales = [(0.0, 2.0, -5.0, 6.0), (-4.0, 1.5, -11.0, 2.0)]
        output = [(0.0, 1.0, -4.0, 4.0), (0.0, 0.5, -1.6, 1.2), (0.0, 1.0, -4.0, 4.0), (0.0, 1.0, -3.0, 3.0)]
        columns = np.array(lengths + powers + scales + output).T
        return cls(*columns)


@dataclass(frozen=True, slots=True)
class Theta:
    """The parts of a hyperparameter vector, by name and in natural units."""

    kernel: Kernel
    noise: float  # variance in units of z
    warp: FloatArray  # (4,)

    @classmethod
    def unpack(cls, theta: FloatArray) -> Theta:
        """Parts of `theta` (2 d + 6,)."""
        d = (len(theta) - 2 - PARAMETERS) // 2
        signal, noise = np.exp(theta[2 * d : 2 * d + 2])
        kernel = Kernel(np.exp(theta[:d]), np.exp(theta[d : 2 * d]), float(signal))
        return cls(kernel, float(noise) + JITTER, theta[2 * d + 2 :])


def negative_log_posterior(
    theta: FloatArray, X: FloatArray, t: FloatArray, prior: Prior
) -> tuple[float, FloatArray]:
    """E and its gradient (2 d + 6,) for features X (n, d) and robustly scaled accuracies t (n,)."""
    n, d = X.shape
    parts = Theta.unpack(theta)
    kernel, warped = parts.kernel, warp(t, parts.warp)
    U = kernel.embed(X)
    q = squared_distances(U, U)
    root = np.sqrt(5.0 * q)
    decay = kernel.signal * np.exp(-root)
    matern = decay * (1.0 + root + root * root / 3.0)
    K = matern + CONSTANT
    K.flat[:: n + 1] += parts.noise
    inverse, log_determinant = inverse_and_log_determinant(K)
    alpha = inverse @ warped.z

    by_K = 0.5 * (inverse - np.outer(alpha, alpha))
    by_q = by_K * decay * (1.0 + root) * (-5.0 / 6.0)
    by_U = 4.0 * (by_q.sum(axis=1)[:, None] * U - by_q @ U)
    powers_gradient = np.where(X > 0.0, np.log(np.where(X > 0.0, X, 1.0)), 0.0) * kernel.powers * U
    departure = (theta - prior.mean) / prior.deviation
    gradient = departure / prior.deviation
    gradient[:d] -= np.einsum("ij,ij->j", by_U, U)
    gradient[d : 2 * d] += np.einsum("ij,ij->j", by_U, powers_gradient)
    gradient[2 * d] += np.vdot(by_K, matern)
    gradient[2 * d + 1] += (parts.noise - JITTER) * np.trace(by_K)
    gradient[2 * d + 2 :] += warped.z_gradient @ alpha - warped.log_jacobian_gradient

    energy = 0.5 * (warped.z @ alpha + log_determinant + departure @ departure) - warped.log_jacobian
    return float(energy), gradient


def inverse_and_log_determinant(K: FloatArray) -> tuple[FloatArray, float]:
    """Inverse (n, n) and log determinant of a positive definite K, by Cholesky."""
    factor, _ = lapack.dpotrf(K, lower=1, clean=1)
    log_determinant = 2.0 * float(np.log(np.diag(factor)).sum())
    lower, _ = lapack.dpotri(factor, lower=1)
    # dpotri fills one triangle only.
    inverse = lower + lower.T
    inverse.flat[:: len(K) + 1] *= 0.5
    return inverse, log_determinant


def most_probable(
    X: FloatArray, t: FloatArray, *, start: FloatArray | None = None, iterations: int = 100
) -> FloatArray:
    """Theta (2 d + 6,) of highest posterior density, by L-BFGS-B from `start` or from the prior's mean."""
    prior = Prior.for_columns(X.shape[1])
    first = prior.mean if start is None else np.clip(start, prior.low, prior.high)
    found = minimize(
        negative_log_posterior,
        first,
        args=(X, t, prior),
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([prior.low, prior.high], axis=1),
        options={"maxiter": iterations, "ftol": 1e-7},
    )
    return np.asarray(found.x, dtype=np.float64)
