"""What a predictor has learned about single genes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.predictors.gaussian_process import GaussianProcess
from search.predictors.space_view import SpaceView

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PartialDependence:
    """Accuracy as a function of one gene, the others averaged over a population."""

    gene: int
    mean: FloatArray  # (choices,) predicted accuracy, averaged
    low: FloatArray  # (choices,) 10th percentile over the population
    high: FloatArray  # (choices,) 90th percentile


def partial_dependence(
    model: GaussianProcess, view: SpaceView, gene: int, population: IntArray
) -> PartialDependence:
    """Partial dependence (Friedman 2001) of the predicted accuracy on `gene` over `population` (n, g)."""
    curves = responses(model, view, gene, population)
    low, high = np.percentile(curves, [10, 90], axis=1)
    return PartialDependence(gene, curves.mean(axis=1), low, high)


def gene_relevance(model: GaussianProcess, view: SpaceView, population: IntArray) -> FloatArray:
    """Share (g,) of the predicted accuracy's variation each gene accounts for, summing to 1 (or all 0).

    For each gene, the variance of the prediction over its choices with the other genes held, averaged over
    `population` (n, g): Sobol's total-effect index up to normalisation. Length scales would only say how fast
    the prediction varies along a column, not by how much.
    """
    variances = np.array(
        [
            responses(model, view, gene, population).var(axis=0).mean()
            for gene in range(len(view.cardinalities))
        ]
    )
    total = variances.sum()
    return np.asarray(variances / total) if total > 0.0 else variances


def responses(model: GaussianProcess, view: SpaceView, gene: int, population: IntArray) -> FloatArray:
    """Predicted accuracy (choices, n) of `population` (n, g) with `gene` set to each of its choices."""
    rows = []
    for choice in range(view.cardinalities[gene]):
        changed = population.copy()
        changed[:, gene] = choice
        rows.append(model.predict_median(view.features(view.canonical(changed))))
    return np.stack(rows)
