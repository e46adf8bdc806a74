"""Accuracy with its uncertainty. Imports no torch: the web process shows it."""

from __future__ import annotations

import math
from statistics import NormalDist


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
