"""Acquisition functions against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.predictors import GaussianProcess
from search.predictors.acquisition import VarianceReduction, log_expected_improvement
from tests.search.predictors.toy import samples


@given(mean=st.floats(-3.0, 3.0), deviation=st.floats(0.1, 2.0), best=st.floats(-3.0, 3.0))
def test_expected_improvement_is_the_integral_that_defines_it(
    mean: float, deviation: float, best: float
) -> None:
    nodes, weights = np.polynomial.legendre.leggauss(400)
    values = best + (nodes + 1.0) * 0.5 * (12.0 * deviation + max(mean - best, 0.0))
    density = np.exp(-0.5 * ((values - mean) / deviation) ** 2) / (deviation * np.sqrt(2.0 * np.pi))
    width = 0.5 * (12.0 * deviation + max(mean - best, 0.0))
    integral = np.sum(weights * (values - best) * density) * width
    found = np.exp(log_expected_improvement(np.array([mean]), np.array([deviation]), best))[0]
    assert found == pytest.approx(integral, rel=1e-3, abs=1e-12)


def test_expected_improvement_still_orders_candidates_hopelessly_far_below() -> None:
    mean = np.array([-50.0, -200.0, -1000.0])
    values = log_expected_improvement(mean, np.ones(3), 0.0)
    assert np.all(np.isfinite(values))
    assert np.all(np.diff(values) < 0.0)


def test_variance_reduction_is_what_training_the_candidate_would_bring() -> None:
    X, y = samples(30, 3, seed=0)
    other, _ = samples(40, 3, seed=1)
    model = GaussianProcess.fit(X, y)
    reduction = VarianceReduction(model, other)
    before = np.mean(model.latent(other)[1] ** 2)
    assert reduction.before == pytest.approx(before)
    for candidate in other[:3]:
        after = np.mean(model.fantasise(candidate[None]).latent(other)[1] ** 2)
        assert reduction(candidate[None])[0] == pytest.approx(before - after, rel=1e-4)
