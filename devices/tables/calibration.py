"""From the sum of separately timed operators to the latency of the network they form.

A network executed as one runs its operators without the cost of entering the engine for each of them, with
other contents in the caches. Both effects are close to linear in practice: latency = scale * sum + offset.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

FloatArray = npt.NDArray[np.float64]

FEWEST_FOR_OFFSET = 4
UNKNOWN_RESIDUAL = 0.15
"""Relative error assumed of a table that was never compared with whole networks."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """latency_us = scale * sum_us + offset_us.

    residual: relative standard deviation of held-out residuals; networks: how many were measured;
    error_before, error_after: mean absolute relative error of the plain sum, and leave-one-out of the fit.
    """

    scale: float
    offset_us: float
    residual: float
    networks: int
    error_before: float
    error_after: float

    @classmethod
    def identity(cls) -> Calibration:
        """The plain sum, for a table that was never compared with whole networks."""
        return cls(1.0, 0.0, UNKNOWN_RESIDUAL, 0, math.nan, math.nan)

    def latency_us(self, summed_us: float) -> float:
        """Calibrated latency; at least a tenth of the scaled sum, so that no offset makes it negative."""
        return max(self.scale * summed_us + self.offset_us, 0.1 * self.scale * summed_us)

    def quantiles_us(self, summed_us: FloatArray, probability: float) -> FloatArray:
        """Latencies (n,) that the networks of these sums (n,) stay within with this probability; 0.5 gives
        `latency_us`."""
        centres = np.maximum(self.scale * summed_us + self.offset_us, 0.1 * self.scale * summed_us)
        if probability == 0.5 or self.residual == 0.0:
            return centres
        return centres * (1.0 + float(student.ppf(probability, self._freedom)) * self.residual)

    def interval_us(self, summed_us: float, level: float = 0.95) -> tuple[float, float]:
        """Central prediction interval: Student's t with as many degrees of freedom as the fit leaves."""
        centre = self.latency_us(summed_us)
        half = float(student.ppf(0.5 + level / 2, self._freedom)) * self.residual * centre
        return max(centre - half, 0.0), centre + half

    def probability_within(self, summed_us: float, limit_us: float) -> float:
        """Probability that the measured latency is at most `limit_us`."""
        centre = self.latency_us(summed_us)
        if self.residual == 0.0:
            return float(centre <= limit_us)
        return float(student.cdf((limit_us - centre) / (self.residual * centre), self._freedom))

    @property
    def _freedom(self) -> int:
        return max(self.networks - 2, 1)


def calibrate(summed_us: npt.ArrayLike, measured_us: npt.ArrayLike) -> Calibration:
    """Fits scale and offset to networks' sums (n,) and measured latencies (n,) by relative least squares.

    With fewer than four networks only the scale is fitted; with none the plain sum is kept.
    Raises ValueError for arrays of different lengths or values that are not finite and above 0.
    """
    summed = np.asarray(summed_us, dtype=np.float64)
    measured = np.asarray(measured_us, dtype=np.float64)
    if summed.shape != measured.shape or summed.ndim != 1:
        raise ValueError(f"{summed.shape} sums do not pair with {measured.shape} measured latencies.")
    if not (np.isfinite(summed) & np.isfinite(measured) & (summed > 0) & (measured > 0)).all():
        raise ValueError("Sums and measured latencies must be finite and above 0.")
    if len(summed) == 0:
        return Calibration.identity()
    scale, offset = _fit(summed, measured)
    held_out = np.array([_held_out_error(summed, measured, index) for index in range(len(summed))])
    if len(summed) == 1:
        residual, error_after = UNKNOWN_RESIDUAL, math.nan
    else:
        residual, error_after = float(np.sqrt(np.mean(held_out**2))), float(np.mean(np.abs(held_out)))
    error_before = float(np.mean(np.abs(summed / measured - 1.0)))
    return Calibration(scale, offset, residual, len(summed), error_before, error_after)


def _fit(summed: FloatArray, measured: FloatArray) -> tuple[float, float]:
    """Minimises the sum of squared relative errors over scale > 0 and, with enough networks, offset."""
    if len(summed) >= FEWEST_FOR_OFFSET and np.ptp(summed) > 0:
        design = np.stack([summed / measured, 1.0 / measured], axis=1)
        scale, offset = np.linalg.lstsq(design, np.ones(len(summed)), rcond=None)[0]
        if scale > 0:
            return float(scale), float(offset)
    ratio = summed / measured
    return float(ratio.sum() / (ratio @ ratio)), 0.0


def _held_out_error(summed: FloatArray, measured: FloatArray, index: int) -> float:
    """Relative error at one network of the fit to all others."""
    if len(summed) == 1:
        return math.nan
    scale, offset = _fit(np.delete(summed, index), np.delete(measured, index))
    return float((scale * summed[index] + offset) / measured[index] - 1.0)
