"""Splits that keep every class in proportion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TEST_SEED = 20_190_616
"""Cuts the test part off data sets that come without one. Any constant will do; it must never change."""


def stratified_order(labels: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """A random order (n,) of the images in which every beginning holds the classes in proportion.

    Image number r of a class of m images is placed at (r + 1/2) / m, so the first k images of the order hold
    each class within about one image of its share; cutting the order anywhere gives two stratified parts.
    """
    shuffled = rng.permutation(len(labels))
    grouped = shuffled[np.argsort(labels[shuffled], kind="stable")]  # class after class, each in random order
    _, starts, which, sizes = np.unique(
        labels[grouped], return_index=True, return_inverse=True, return_counts=True
    )
    place = np.empty(len(labels), dtype=np.float64)
    place[grouped] = (np.arange(len(labels)) - starts[which] + 0.5) / sizes[which]
    # A stable sort of the shuffled images leaves ties between classes in random order.
    return shuffled[np.argsort(place[shuffled], kind="stable")].astype(np.int64)
