"""Relevance and partial dependence of single genes."""

from __future__ import annotations

import numpy as np
import pytest

from search.predictors import GaussianProcess, gene_relevance, partial_dependence
from tests.search.predictors.toy import ordinal_view

VIEW = ordinal_view(5, 5, 5)
POPULATION = np.random.default_rng(0).integers(5, size=(70, 3))
FEATURES = VIEW.features(POPULATION)


@pytest.fixture(scope="module")
def model() -> GaussianProcess:
    return GaussianProcess.fit(FEATURES, 0.5 + 0.3 * FEATURES[:, 0] + 0.1 * (FEATURES[:, 1] - 0.5) ** 2)


def test_relevance_is_shared_out_by_how_much_each_gene_matters(model: GaussianProcess) -> None:
    relevance = gene_relevance(model, VIEW, POPULATION)
    assert relevance.sum() == pytest.approx(1.0)
    assert relevance[0] > 0.9
    assert relevance[0] > relevance[1] > relevance[2]
    assert relevance[2] < 0.01


def test_partial_dependence_shows_the_shape_of_each_gene(model: GaussianProcess) -> None:
    steep = partial_dependence(model, VIEW, 0, POPULATION)
    np.testing.assert_allclose(np.diff(steep.mean), 0.075, atol=0.02)
    assert np.all((steep.low <= steep.mean) & (steep.mean <= steep.high))
    assert np.argmin(partial_dependence(model, VIEW, 1, POPULATION).mean) == 2


def test_genes_of_one_choice_have_no_relevance() -> None:
    view = ordinal_view(5, 1)
    population = np.stack([np.arange(20) % 5, np.zeros(20, dtype=np.int64)], axis=1)
    model = GaussianProcess.fit(view.features(population), 0.1 * population[:, 0])
    assert gene_relevance(model, view, population).tolist() == [1.0, 0.0]
