"""Measures of quality, against their definitions and against fits that really left samples out."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from search.predictors import (
    GaussianProcess,
    cross_validate,
    leave_one_out,
    measure_quality,
)
from tests.search.predictors.toy import samples

X, Y = samples(60, 4, seed=3)


def test_quality_of_known_predictions() -> None:
    measured = np.array([0.1, 0.2, 0.3, 0.4])
    predicted = np.array([0.1, 0.3, 0.2, 0.4])
    quality = measure_quality(measured, predicted, np.array([0.5, 0.7, 0.04, 0.999]))
    assert quality.n == 4
    assert quality.mae == pytest.approx(0.05)
    assert quality.rmse == pytest.approx(np.sqrt(0.005))
    assert quality.spearman == pytest.approx(0.8)
    assert quality.kendall == pytest.approx(4 / 6)
    assert (quality.coverage_50, quality.coverage_90, quality.coverage_95) == (0.5, 0.5, 0.75)


def test_predictions_that_order_nothing_have_a_rank_correlation_of_zero() -> None:
    quality = measure_quality(np.array([0.1, 0.2]), np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    assert (quality.spearman, quality.kendall) == (0.0, 0.0)
    json.dumps(asdict(quality), allow_nan=False)


def test_cross_validation_predicts_every_sample_without_having_seen_it() -> None:
    found = cross_validate(X, Y, folds=5, rng=np.random.default_rng(0), bounds=(0.0, 1.0))
    assert found.quality.n == 60
    assert found.quality.spearman > 0.9
    np.testing.assert_array_equal(found.measured, Y)
    assert np.all((found.rank >= 0.0) & (found.rank <= 1.0))
    assert np.all(found.deviation > 0.0)
    # An accuracy nobody could foresee from the others must be missed by its own fold.
    surprised = Y.copy()
    surprised[7] = 0.05
    again = cross_validate(X, surprised, folds=5, rng=np.random.default_rng(0), bounds=(0.0, 1.0))
    assert again.predicted[7] > 0.3


def test_the_intervals_hold_as_many_as_their_coverage_says_and_are_warped() -> None:
    skewed = 1.0 - 0.2 * np.exp(-6.0 * Y) * np.random.default_rng(2).lognormal(sigma=0.5, size=len(Y))
    rng = np.random.default_rng(0)
    found = cross_validate(X, skewed, rng=rng, bounds=(0.0, 1.0))
    for held in (found, leave_one_out(GaussianProcess.fit(X, skewed, bounds=(0.0, 1.0)))):
        inside = (held.low <= held.measured) & (held.measured <= held.high)
        assert inside.mean() == held.quality.coverage_95
        assert np.all((held.low >= 0.0) & (held.high <= 1.0))
        below, above = held.predicted - held.low, held.high - held.predicted
        assert np.mean(below > 1.2 * above) > 0.9


def test_cross_validation_is_repeatable() -> None:
    first, second = (cross_validate(X, Y, folds=4, rng=np.random.default_rng(1)) for _ in range(2))
    assert first.quality == second.quality


def test_leave_one_out_agrees_with_predictions_by_the_same_hyperparameters() -> None:
    model = GaussianProcess.fit(X, Y)
    found = leave_one_out(model)
    assert found.quality.n == 60
    assert found.quality.spearman > 0.9
    assert np.all(np.abs(found.predicted - Y) < 8.0 * found.deviation)


def test_leave_one_out_counts_doubted_samples_as_the_misses_they_are() -> None:
    features, measured = samples(150, 4, seed=5)
    measured[11] = 0.1
    model = GaussianProcess.fit(features, measured, bounds=(0.0, 1.0))
    assert not model.trusted[11]
    found = leave_one_out(model)
    assert found.rank[11] < 0.001
    assert found.predicted[11] > 0.3


def test_coverage_grows_with_the_level() -> None:
    found = cross_validate(X, Y, folds=5, rng=np.random.default_rng(0))
    shares = [found.coverage(level) for level in (0.1, 0.5, 0.9, 0.999)]
    assert shares == sorted(shares)
    assert found.coverage(0.9) == found.quality.coverage_90


@pytest.mark.parametrize("folds", [1, 61])
def test_senseless_numbers_of_folds_are_refused(folds: int) -> None:
    with pytest.raises(ValueError, match="choose between 2 and as many folds as samples"):
        cross_validate(X, Y, folds=folds, rng=np.random.default_rng(0))


@pytest.mark.parametrize("odd", [0.1, 0.91])
def test_one_sample_unlike_all_others_is_judged_and_not_an_error(odd: float) -> None:
    accuracies = np.append(np.full(11, 0.9), odd)
    rows = np.random.default_rng(0).random((12, 4))
    found = cross_validate(rows, accuracies, folds=12, rng=np.random.default_rng(0), bounds=(0.0, 1.0))
    assert found.predicted[-1] == 0.9
    assert found.rank[-1] in (0.0, 1.0)
    assert np.isfinite(found.quality.mae)
