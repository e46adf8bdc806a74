"""Accuracy with its uncertainty. Imports no torch: the web process shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, variance

from scipy.stats import t as student


def wilson_interval(accuracy: float, count: int, level: float = 0.95) -> tuple[float, float]:
    """The confidence interval of an accuracy in 0..1 measured on `count` images, as (low, high).

    Source: Wilson, Probable Inference, JASA 1927. Unlike the normal approximation it stays within 0..1 and
    holds near 0 and 1, where good classifiers are.

    Raises ValueError unless 0 <= accuracy <= 1, count > 0 and 0 < level < 1.
    """
    if not 0.0 <= accuracy <= 1.0 or count < 1:
        raise ValueError(f"An accuracy of {accuracy} on {count} images is no share of them.")
    if not 0.0 < level < 1.0:
        raise ValueError(f"A confidence level lies between 0 and 1, not at {level}.")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    scale = 1.0 + z * z / count
    centre = (accuracy + z * z / (2 * count)) / scale
    half = z / scale * math.sqrt(accuracy * (1.0 - accuracy) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def difference_of_means(
    first: Sequence[float], second: Sequence[float], level: float = 0.95
) -> tuple[float, float, float]:
    """By how much the mean of `first` exceeds that of `second`, and that difference's confidence interval.

    The two may spread differently. Source: Welch, The generalization of Student's problem, Biometrika 1947.
    With a single value on either side nothing is known of the noise: the interval is unbounded.
    """
    gain = fmean(first) - fmean(second)
    if min(len(first), len(second)) < 2:
        return gain, -math.inf, math.inf
    parts = [variance(values) / len(values) for values in (first, second)]
    spread = sum(parts)
    if spread == 0.0:
        return gain, gain, gain
    freedom = spread**2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (first, second), strict=True)
    )
    half = float(student.ppf(0.5 + level / 2, freedom)) * math.sqrt(spread)
    return gain, gain - half, gain + half
