"""From the sum of separately timed operators to the latency of the network they form.

A network executed as one runs its operators without the cost of entering the engine for each of them, with
other contents in the caches. Both effects are close to linear in practice: latency = scale * sum + offset.

Where a part of the sum was learned instead of measured, its uncertainty widens the interval: by all of it, as
if the learned operators of one network erred together, less what the calibration's own networks contained,
whose residuals hold it already.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

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
    error_before, error_after: mean absolute relative error of the plain sum, and leave-one-out of the fit;
    learned: the relative uncertainty that learned operators brought into those networks, on average.

    The methods take sums (n,) in microseconds and `learned_us`, how much of each is uncertain because it was
    learned: the sum over its learned operators of time * deviation.
    """

    scale: float
    offset_us: float
    residual: float
    networks: int
    error_before: float
    error_after: float
    learned: float = 0.0

    @classmethod
    def identity(cls) -> Calibration:
        """The plain sum, for a table that was never compared with whole networks."""
        return cls(1.0, 0.0, UNKNOWN_RESIDUAL, 0, math.nan, math.nan)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """The inverse of `to_json`. Raises TypeError for what is none."""
        values: dict[str, Any] = {name: math.nan if value is None else value for name, value in data.items()}
        return cls(**values)

    def to_json(self) -> dict[str, float | None]:
        """Its fields; errors that are not known, with too few networks, are None."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}

    def latency_us(self, summed_us: float) -> float:
        """Calibrated latency; at least a tenth of the scaled sum, so that no offset makes it negative."""
        return float(self._centres(np.float64(summed_us)))

    def quantiles_us(
        self, summed_us: FloatArray, probability: float, learned_us: npt.ArrayLike = 0.0
    ) -> FloatArray:
        """Latencies (n,) that the networks stay within with this probability; 0.5 gives `latency_us`."""
        centres = self._centres(summed_us)
        if probability == 0.5:
            return centres
        reach = float(student.ppf(probability, self._freedom))
        return centres * (1.0 + reach * self._residuals(summed_us, learned_us))

    def interval_us(
        self, summed_us: FloatArray, level: float = 0.95, learned_us: npt.ArrayLike = 0.0
    ) -> tuple[FloatArray, FloatArray]:
        """Ends (n,), (n,) of the central prediction interval: Student's t with as many degrees of freedom as
        the fit leaves."""
        centres = self._centres(summed_us)
        half = float(student.ppf(0.5 + level / 2, self._freedom)) * centres
        half = half * self._residuals(summed_us, learned_us)
        return np.maximum(centres - half, 0.0), centres + half

    def probability_within(
        self, summed_us: FloatArray, limit_us: float, learned_us: npt.ArrayLike = 0.0
    ) -> FloatArray:
        """Probability (n,) that the measured latency is at most `limit_us`."""
        centres = self._centres(summed_us)
        deviations = np.maximum(self._residuals(summed_us, learned_us) * centres, 1e-12)
        found: FloatArray = student.cdf((limit_us - centres) / deviations, self._freedom)
        return found

    def _centres(self, summed_us: FloatArray | np.float64) -> FloatArray:
        scaled = self.scale * summed_us
        return np.maximum(scaled + self.offset_us, 0.1 * scaled)

    def _residuals(self, summed_us: FloatArray, learned_us: npt.ArrayLike) -> FloatArray:
        """Relative standard deviations (n,) of networks' latencies."""
        learned = np.asarray(learned_us, dtype=np.float64) / summed_us
        extra = np.maximum(learned**2 - self.learned**2, 0.0)
        widened: FloatArray = np.sqrt(self.residual**2 + extra)
        return widened

    @property
    def _freedom(self) -> int:
        return max(self.networks - 2, 1)


def calibrate(
    summed_us: npt.ArrayLike, measured_us: npt.ArrayLike, learned_us: npt.ArrayLike = 0.0
) -> Calibration:
    """Fits scale and offset to networks' sums (n,) and measured latencies (n,) by relative least squares.

    `learned_us` (n,) is as for the methods of Calibration. With fewer than four networks only the scale is
    fitted; with none the plain sum is kept.
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
    learned = float(np.mean(np.asarray(learned_us, dtype=np.float64) / summed))
    return Calibration(scale, offset, residual, len(summed), error_before, error_after, learned)


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
