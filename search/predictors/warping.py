"""The output warp: accuracies become values a Gaussian process can believe in.

Accuracies crowd together below a ceiling and trail off in a long left tail, so a Gaussian on the raw scale
spends its resolution on the failures. The sinh-arcsinh map (Jones and Pewsey 2009) has a closed inverse, one
parameter for skewness and one for the weight of the tails, and its Jacobian lets the marginal likelihood fit
it together with the kernel, as in warped Gaussian processes (Snelson, Rasmussen and Ghahramani 2004):

    t = (y - centre) / spread              median and range of the deciles: outliers do not set the scale
    v = (t - location) / scale
    u = tail * asinh(v) - skew
    z = (sinh(u) - mean) / deviation       mean and deviation over the samples, so that z is standardised
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

PARAMETERS = 4  # skew, log tail, location, log scale
NORMAL_DECILES = 2.563  # between the first and the last decile of a standard normal


def robust_scale(y: FloatArray) -> tuple[float, float]:
    """Median and spread of `y` (n,); the spread is the standard deviation where the deciles are equal."""
    low, centre, high = np.percentile(y, [10, 50, 90])
    spread = (high - low) / NORMAL_DECILES
    return float(centre), float(spread if high > low else y.std())


@dataclass(frozen=True, slots=True)
class Warped:
    """Values of the warp at the samples, with what the gradient of the likelihood needs."""

    z: FloatArray  # (n,)
    log_jacobian: float  # sum over samples of log dz/dt
    z_gradient: FloatArray  # (4, n) by skew, log tail, location, log scale
    log_jacobian_gradient: FloatArray  # (4,)
    mean: float
    deviation: float


def warp(t: FloatArray, parameters: FloatArray) -> Warped:
    """Warp robustly scaled accuracies t (n,) with `parameters` (4,): skew, log tail, location, log scale."""
    skew, log_tail, location, log_scale = parameters
    tail, scale = np.exp(log_tail), np.exp(log_scale)
    v = (t - location) / scale
    root = np.sqrt(1.0 + v * v)
    arc = tail * np.arcsinh(v)
    u = arc - skew
    raw, slope_u = np.sinh(u), np.cosh(u)
    mean = float(raw.mean())
    deviation = float(raw.std())
    z = (raw - mean) / deviation

    u_gradient = np.stack([np.full_like(v, -1.0), arc, -tail / (scale * root), -tail * v / root])
    centred = slope_u * u_gradient
    centred -= centred.mean(axis=1, keepdims=True)
    deviation_gradient = centred @ z / len(z)
    z_gradient = (centred - deviation_gradient[:, None] * z) / deviation

    log_slope = np.log(slope_u) + log_tail - np.log(root) - log_scale - np.log(deviation)
    from_root = np.stack([np.zeros_like(v), np.zeros_like(v), v / (root**2 * scale), (v / root) ** 2])
    constants = np.array([0.0, 1.0, 0.0, -1.0]) - deviation_gradient / deviation
    log_jacobian_gradient = (np.tanh(u) * u_gradient + from_root).sum(axis=1) + len(t) * constants
    return Warped(z, float(log_slope.sum()), z_gradient, log_jacobian_gradient, mean, deviation)


@dataclass(frozen=True, slots=True)
class OutputWarp:
    """A fitted warp between accuracies and the standardised scale of the Gaussian process."""

    centre: float
    spread: float
    skew: float
    tail: float
    location: float
    scale: float
    mean: float
    deviation: float
    low: float  # no prediction leaves low..high, in accuracy units
    high: float

    def forward(self, y: npt.ArrayLike) -> FloatArray:
        """Accuracies of any shape to the standardised scale."""
        t = (np.asarray(y, dtype=np.float64) - self.centre) / self.spread
        u = self.tail * np.arcsinh((t - self.location) / self.scale) - self.skew
        return np.asarray((np.sinh(u) - self.mean) / self.deviation)

    def inverse(self, z: npt.ArrayLike) -> FloatArray:
        """Standardised values of any shape to accuracies, within low..high."""
        u = np.arcsinh(np.asarray(z, dtype=np.float64) * self.deviation + self.mean)
        # Beyond 300 the hyperbolic sine overflows; such values lie outside low..high anyway.
        v = np.sinh(np.clip((u + self.skew) / self.tail, -300.0, 300.0))
        y = self.centre + self.spread * (self.location + self.scale * v)
        return np.asarray(np.clip(y, self.low, self.high))

    def log_slope(self, y: FloatArray) -> FloatArray:
        """Logarithm of dz/dy at accuracies y (n,): the Jacobian of a likelihood in accuracy units."""
        v = ((y - self.centre) / self.spread - self.location) / self.scale
        u = self.tail * np.arcsinh(v) - self.skew
        slope = np.cosh(u) * self.tail / np.sqrt(1.0 + v * v)
        return np.asarray(np.log(slope) - np.log(self.scale * self.deviation * self.spread))


def fitted_warp(
    y: FloatArray, trusted: npt.NDArray[np.bool_], parameters: FloatArray, bounds: tuple[float, float] | None
) -> OutputWarp:
    """The output warp of accuracies y (n,) with fitted `parameters` (4,), standardised over trusted ones."""
    centre, spread = robust_scale(y)
    warped = warp((y[trusted] - centre) / spread, parameters)
    skew, log_tail, location, log_scale = (float(value) for value in parameters)
    width = float(np.ptp(y))
    low, high = bounds or (float(y.min()) - width, float(y.max()) + width)
    return OutputWarp(
        centre=centre,
        spread=spread,
        skew=skew,
        tail=float(np.exp(log_tail)),
        location=location,
        scale=float(np.exp(log_scale)),
        mean=warped.mean,
        deviation=warped.deviation,
        low=float(low),
        high=float(high),
    )
