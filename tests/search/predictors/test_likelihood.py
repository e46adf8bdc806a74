"""The posterior density of hyperparameters, and finding its maximum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.predictors.kernel import graded_columns
from search.predictors.likelihood import Prior, most_probable, negative_log_posterior
from tests.search.predictors.toy import FloatArray, IntArray, samples


def mixed_samples(seed: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Ordinal columns beside a binary one, and robustly scaled accuracies."""
    X, y = samples(25, 4, seed)
    X[:, 3] = X[:, 3] > 0.5
    return X, (y - np.median(y)) / y.std(), graded_columns(X)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_the_gradient_agrees_with_finite_differences(seed: int) -> None:
    X, t, graded = mixed_samples(seed % 7)
    prior = Prior.of_columns(4, len(graded))
    rng = np.random.default_rng(seed)
    theta = prior.mean + 0.5 * prior.deviation * rng.standard_normal(len(prior.mean))
    _, gradient = negative_log_posterior(theta, X, t, graded, prior)
    step = 1e-5
    measured = [
        (
            negative_log_posterior(theta + step * unit, X, t, graded, prior)[0]
            - negative_log_posterior(theta - step * unit, X, t, graded, prior)[0]
        )
        / (2 * step)
        for unit in np.eye(len(theta))
    ]
    np.testing.assert_allclose(gradient, measured, rtol=1e-5, atol=1e-5 * np.abs(gradient).max())


def test_only_columns_with_values_between_0_and_1_are_graded() -> None:
    X = np.array([[0.0, 0.5, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.25]])
    assert graded_columns(X).tolist() == [1, 2]


@pytest.mark.parametrize("seed", range(3))
def test_the_maximum_found_is_no_worse_than_many_random_hyperparameters(seed: int) -> None:
    X, t, graded = mixed_samples(seed)
    prior = Prior.of_columns(4, len(graded))
    found, gradient = negative_log_posterior(most_probable(X, t, graded), X, t, graded, prior)
    rng = np.random.default_rng(seed)
    others = prior.mean + prior.deviation * rng.standard_normal((200, len(prior.mean)))
    others = np.clip(others, prior.low, prior.high)
    assert found <= min(negative_log_posterior(theta, X, t, graded, prior)[0] for theta in others)
    assert np.abs(gradient).max() < 0.1


def test_a_start_from_half_of_many_samples_reaches_what_a_start_from_the_prior_reaches() -> None:
    X, y = samples(300, 5, seed=3)
    t, graded = (y - np.median(y)) / y.std(), graded_columns(X)
    prior = Prior.of_columns(5, len(graded))
    halved, _ = negative_log_posterior(most_probable(X, t, graded), X, t, graded, prior)
    direct, _ = negative_log_posterior(most_probable(X, t, graded, start=prior.mean), X, t, graded, prior)
    assert halved == pytest.approx(direct, abs=0.5)
