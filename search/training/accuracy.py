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
    first: Sequence[float], second: Sequence[float], images: int, level: float = 0.95
) -> tuple[float, float, float]:
    """By how much the mean of `first` exceeds that of `second`, and that difference's confidence interval.

    The values are accuracies in 0..1 on so many test images, one of each training. The two sides may spread
    differently. Source: Welch, The generalization of Student's problem, Biometrika 1947. Two or three
    trainings may agree by luck, to the image even; that is no certainty. So the variance of a side is no less
    than p (1 - p) / images, which is what chance makes of a share p of that many images. p is their mean as
    though one image more had been right and one more wrong: all or none right is no certainty either.

    With a single value on either side nothing is known of the noise: the interval is unbounded. Raises
    ValueError for no images.
    """
    if images < 1:
        raise ValueError(f"An accuracy on {images} images is no share of them.")
    gain = fmean(first) - fmean(second)
    if min(len(first), len(second)) < 2:
        return gain, -math.inf, math.inf
    parts = [_variance(values, images) / len(values) for values in (first, second)]
    spread = sum(parts)
    freedom = spread**2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (first, second), strict=True)
    )
    half = float(student.ppf(0.5 + level / 2, freedom)) * math.sqrt(spread)
    return gain, gain - half, gain + half


def _variance(accuracies: Sequence[float], images: int) -> float:
    share = (fmean(accuracies) * images + 1) / (images + 2)
    return max(variance(accuracies), share * (1.0 - share) / images)
