"""Small spaces and functions with the traits of real ones: a ceiling, a long left tail, equal networks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search.predictors import GridView

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def ordinal_view(*cardinalities: int, with_cost: bool = False) -> GridView:
    """Ordinal genes in which every combination is another network; the cost doubles with the sum of genes."""
    scale = np.maximum(np.array(cardinalities) - 1, 1)
    return GridView(
        cardinalities,
        canonical=lambda population: population,
        features=lambda population: np.asarray(population / scale),
        cost=(lambda population: np.exp2(population.sum(axis=1))) if with_cost else None,
    )


def folded_view(*cardinalities: int) -> GridView:
    """Like ordinal_view, but the last gene is inert wherever the first one is 0."""

    def canonical(population: IntArray) -> IntArray:
        folded = population.copy()
        folded[folded[:, 0] == 0, -1] = 0
        return folded

    plain = ordinal_view(*cardinalities)
    return GridView(cardinalities, canonical, plain.features)


def accuracies(X: FloatArray, rng: np.random.Generator, noise: float = 0.002) -> FloatArray:
    """Noisy accuracies (n,) of features X (n, d): saturating in a weighted sum with one interaction."""
    weights = 1.0 / np.arange(1, X.shape[1] + 1)
    capacity = (np.sqrt(X) @ weights + X[:, 0] * X[:, -1]) / (weights.sum() + 1.0)
    return np.asarray(0.95 - 0.6 * np.exp(-4.0 * capacity) + rng.normal(0.0, noise, len(X)))


def samples(n: int, d: int, seed: int, levels: int = 5) -> tuple[FloatArray, FloatArray]:
    """Features (n, d) on a grid of `levels` and their accuracies (n,)."""
    rng = np.random.default_rng(seed)
    X = rng.integers(levels, size=(n, d)) / (levels - 1)
    return X, accuracies(X, rng)
