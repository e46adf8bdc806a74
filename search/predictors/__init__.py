"""Accuracy predictors: a Gaussian process over architecture genes, and the sampler that feeds it.

Notation and array shapes, the same in every module of this room:

    n, m, d     samples told, points predicted, feature columns
    genes       (g,) or population (n, g), int64: indices into each gene's choices, canonical
    X           (n, d) features in 0..1: an ordinal gene is one column, a categorical gene one column a choice
    y           (n,) measured accuracies, any finite unit; fractions of 1 throughout the application
    z           (n,) accuracies after the output warp: dimensionless, mean 0 and standard deviation 1
    U           (n, d + o) features after input warps and length scales: the kernel sees distances in U
    K           (n, n) covariance of z, noise included; L is its lower Cholesky factor
    alpha       (n,) inv(K) z

Everything is double precision and deterministic; whatever is random takes a `numpy.random.Generator`.
"""

from search.predictors.acquisition import Goal
from search.predictors.cost import FEWEST_MEASURED, CostModel, CostQuality, cost_quality, with_cost
from search.predictors.gaussian_process import GaussianProcess
from search.predictors.quality import (
    CrossValidation,
    Quality,
    cross_validate,
    leave_one_out,
    measure_quality,
)
from search.predictors.relevance import PartialDependence, gene_relevance, partial_dependence
from search.predictors.sampler import Proposal, Sampler, SamplerSettings
from search.predictors.samples import all_alike
from search.predictors.space_view import GridView, SpaceView
from search.predictors.transfer import with_source

__all__ = [
    "FEWEST_MEASURED",
    "CostModel",
    "CostQuality",
    "CrossValidation",
    "GaussianProcess",
    "Goal",
    "GridView",
    "PartialDependence",
    "Proposal",
    "Quality",
    "Sampler",
    "SamplerSettings",
    "SpaceView",
    "all_alike",
    "cost_quality",
    "cross_validate",
    "gene_relevance",
    "leave_one_out",
    "measure_quality",
    "partial_dependence",
    "with_cost",
    "with_source",
]
