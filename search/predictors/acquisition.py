"""Acquisition functions: what one more training of each candidate would be worth.

All work in units of z, where the posterior is normal. Exploitation is the expected improvement (Jones, Schonlau and
Welch 1998), kept in logarithms so that candidates far below the best still have an order (Ament et al. 2023).
Exploration is the paper's highest posterior uncertainty taken over the space rather than at a point: the
training that most reduces the summed posterior variance (Cohn 1996), since the single most uncertain
network is almost always in a corner that no other network resembles.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx, ndtr

from search.predictors.gaussian_process import GaussianProcess

FloatArray = npt.NDArray[np.float64]
Goal = Literal["sobol", "exploration", "exploitation"]


def log_expected_improvement(mean: FloatArray, deviation: FloatArray, best: float) -> FloatArray:
    """Log of E[max(0, f - best)] for f normal with `mean` (m,) and `deviation` (m,)."""
    score = (mean - best) / deviation
    below = np.minimum(score, 0.0)
    # For negative scores, phi + u Phi = phi (1 + u Phi / phi) avoids subtracting nearly equal numbers.
    tail = np.maximum(1.0 + below * np.sqrt(np.pi / 2.0) * erfcx(-below / np.sqrt(2.0)), 1e-300)
    log_density = -0.5 * score**2 - 0.5 * np.log(2.0 * np.pi)
    above = np.log(np.exp(log_density) + np.maximum(score, 0.0) * ndtr(score) + 1e-300)
    return np.asarray(np.where(score < 0.0, log_density + np.log(tail), above) + np.log(deviation))


def variance_reduction(model: GaussianProcess, candidates: FloatArray, targets: FloatArray) -> FloatArray:
    """Fall (m,) of the mean posterior variance at `targets` (k, d) if each of `candidates` (m, d) were trained."""
    solved = model.inverse_factor @ model.cross_covariance(candidates).T
    solved_targets = model.inverse_factor @ model.cross_covariance(targets).T
    prior = model.kernel.covariance(model.kernel.embed(targets), model.kernel.embed(candidates))
    covariance = prior - solved_targets.T @ solved
    variance = model.kernel.variance - np.einsum("ij,ij->j", solved, solved) + model.noise
    return np.asarray(np.einsum("ij,ij->j", covariance, covariance) / (len(targets) * variance))
