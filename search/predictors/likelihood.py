"""The posterior density of the Gaussian process's hyperparameters, with its gradient.

    E = z' inv(K) z / 2 + log det(K) / 2 - log |dz/dt| - log prior

up to constants; the warp's Jacobian is what allows likelihoods of different warps to be compared. The vector
`theta` (d + 2 o + 6,) that the optimiser sees, for d columns of which o are graded (kernel.py), is

    log lengths d | log powers o | log bends o | log signal, log noise | skew, log tail, location, log scale

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
from search.predictors.warping import warp

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

HALVED_FROM = 256  # samples from which a fit without a start is begun on half of them
JITTER = 1e-6  # added to the noise variance so that K of repeated points stays positive definite


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """Independent normal priors of theta, and the box the optimiser stays in; all of shape (d + 2 o + 6,)."""

    mean: FloatArray
    deviation: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def of_columns(cls, columns: int, graded: int) -> Prior:
        """Priors for `columns` feature columns of which `graded` are graded.

        Lengths grow as the root of the number of columns: distances between random points do, and so a random
        pair's correlation does not depend on it (Hvarfner, Hellsten and Nardi 2024).
        """
        length = 0.5 * log(columns)
        rows = [(length, 0.6, -3.0, 6.0)] * columns
        rows += [(0.0, 0.4, -2.3, 1.6)] * graded
        rows += [(length + 2.0, 1.0, -3.0, 8.0)] * graded
        rows += [(0.0, 2.0, -5.0, 6.0), (-2.0, 1.5, -11.0, 2.0)]
        rows += [(0.0, 1.0, -4.0, 4.0), (0.0, 0.5, -1.6, 1.2), (0.0, 1.0, -4.0, 4.0), (0.0, 1.0, -3.0, 3.0)]
        return cls(*np.array(rows).T)


@dataclass(frozen=True, slots=True, eq=False)
class Theta:
    """The parts of a hyperparameter vector, by name and in natural units."""

    kernel: Kernel
    noise: float  # variance in units of z
    warp: FloatArray  # (4,)

    @classmethod
    def unpack(cls, theta: FloatArray, graded: IntArray) -> Theta:
        """Parts of `theta` (d + 2 o + 6,) where the columns `graded` (o,) are graded."""
        o = len(graded)
        d = len(theta) - 2 * o - 6
        lengths, powers, bends, scales, output = np.split(theta, [d, d + o, d + 2 * o, d + 2 * o + 2])
        signal, noise = np.exp(scales)
        kernel = Kernel(np.exp(lengths), graded, np.exp(powers), np.exp(bends), float(signal))
        return cls(kernel, float(noise) + JITTER, output)


def negative_log_posterior(
    theta: FloatArray, X: FloatArray, t: FloatArray, graded: IntArray, prior: Prior
) -> tuple[float, FloatArray]:
    """E and its gradient (d + 2 o + 6,) for features X (n, d) and robustly scaled accuracies t (n,)."""
    parts = Theta.unpack(theta, graded)
    kernel, warped = parts.kernel, warp(t, parts.warp)
    U = kernel.embed(X)
    matern, slope = kernel.matern_and_slope(squared_distances(U, U))
    K = matern + CONSTANT
    K.flat[:: len(K) + 1] += parts.noise
    inverse, log_determinant = inverse_and_log_determinant(K)
    alpha = inverse @ warped.z

    by_K = inverse - np.outer(alpha, alpha)
    by_K *= 0.5
    slope *= by_K
    by_U = 4.0 * (slope.sum(axis=1)[:, None] * U - slope @ U)
    by_scales = [np.vdot(by_K, matern), (parts.noise - JITTER) * np.trace(by_K)]
    by_warp = warped.z_gradient @ alpha - warped.log_jacobian_gradient
    departure = (theta - prior.mean) / prior.deviation
    gradient = np.concatenate([kernel.embedding_gradient(X, U, by_U), by_scales, by_warp])
    gradient += departure / prior.deviation

    energy = 0.5 * (warped.z @ alpha + log_determinant + departure @ departure) - warped.log_jacobian
    return float(energy), gradient


def inverse_and_log_determinant(K: FloatArray) -> tuple[FloatArray, float]:
    """Inverse (n, n) and log determinant of a positive definite K (n, n), by Cholesky."""
    factor, _ = lapack.dpotrf(K, lower=1, clean=1)
    log_determinant = 2.0 * float(np.log(np.diag(factor)).sum())
    inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    # dpotri fills the lower triangle and leaves the upper one at zero.
    inverse += inverse.T
    inverse.flat[:: len(K) + 1] *= 0.5
    return inverse, log_determinant


def most_probable(
    X: FloatArray, t: FloatArray, graded: IntArray, *, start: FloatArray | None = None
) -> FloatArray:
    """Theta (d + 2 o + 6,) of highest posterior density for X (n, d), t (n,), by L-BFGS-B.

    It begins from `start`; without one, from the prior's mean, and for many samples from what half of them
    gave, whose every step costs an eighth.
    """
    prior = Prior.of_columns(X.shape[1], len(graded))
    if start is None and len(t) >= HALVED_FROM and np.ptp(t[::2]) > 0.0:
        start = most_probable(X[::2], t[::2], graded)
    found = minimize(
        negative_log_posterior,
        prior.mean if start is None else np.clip(start, prior.low, prior.high),
        args=(X, t, graded, prior),
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([prior.low, prior.high], axis=1),
        options={"maxiter": 200, "maxcor": 20, "ftol": 1e-6},
    )
    return np.asarray(found.x, dtype=np.float64)
