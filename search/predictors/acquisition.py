"""Acquisition functions: what one more training of each candidate would be worth.

All work in units of z, where the posterior is normal. Exploitation is the expected improvement (Jones,
Schonlau and Welch 1998), kept in logarithms so that candidates far below the best still have an order (Ament
et al. 2023). Exploration is ChamNet's highest posterior uncertainty taken over the space rather than at a
point: the training that most reduces the mean posterior variance (Cohn 1996), for the single most uncertain
network is mostly in a corner where no other network resembles it.
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


class VarianceReduction:
    """How far one more training would lower the mean posterior variance at `targets` (k, d)."""

    def __init__(self, model: GaussianProcess, targets: FloatArray) -> None:
        self._model = model
        self._targets = model.kernel.embed(targets)
        self._solved_targets = model.inverse_factor @ model.cross_covariance(targets).T
        self.before = float(model.kernel.variance - np.mean(np.sum(self._solved_targets**2, axis=0)))

    def __call__(self, candidates: FloatArray) -> FloatArray:
        """Fall (m,) of the mean variance for each of `candidates` (m, d), out of `before`."""
        model = self._model
        solved = model.inverse_factor @ model.cross_covariance(candidates).T
        covariance = model.kernel.covariance(self._targets, model.kernel.embed(candidates))
        covariance -= self._solved_targets.T @ solved
        variance = model.kernel.variance + model.noise - np.einsum("ij,ij->j", solved, solved)
        return np.asarray(np.mean(covariance**2, axis=0) / variance)
