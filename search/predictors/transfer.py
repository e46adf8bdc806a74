"""Learning from the samples of another data set or recipe.

Accuracies of two data sets differ in level and scale, but mostly agree on which networks are better. So the
other predictor's opinion becomes one more feature: how high it ranks a network. The new predictor learns from
its own samples how much that opinion is worth, and where it does not hold the other features take over.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from search.predictors.gaussian_process import GaussianProcess

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def with_source(
    features: Callable[[IntArray], FloatArray],
    source: GaussianProcess,
    source_features: Callable[[IntArray], FloatArray] | None = None,
) -> Callable[[IntArray], FloatArray]:
    """Features (n, d + 1): those of `features` (n, d), and how high `source` ranks the networks.

    `source_features` are what the source learned from, where they are others than `features`.
    """

    def extended(population: IntArray) -> FloatArray:
        own = features(population)
        known = own if source_features is None else source_features(population)
        return np.column_stack([own, ndtr(source.latent_mean(known))])

    return extended
