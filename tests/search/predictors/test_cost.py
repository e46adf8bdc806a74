"""Energy predictors against made-up meters."""

from __future__ import annotations

import numpy as np
import pytest

from search.predictors import CostModel, cost_quality, cross_validate, with_cost
from tests.search.predictors.toy import ordinal_view

VIEW = ordinal_view(*[5] * 6)
RNG = np.random.default_rng(0)
POPULATION = np.unique(RNG.integers(5, size=(90, 6)), axis=0)


def latency(population: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 + population @ np.arange(1, 7) / 20.0)


def hungry(population: np.ndarray) -> np.ndarray:
    """A device whose power depends on the network: energy is not proportional to latency."""
    return np.asarray(latency(population) * (2.0 + 0.6 * population[:, 0] - 0.2 * population[:, 3]))


FEATURES = with_cost(VIEW.features, latency, (1.0, 6.0))


def test_it_beats_the_baseline_where_power_depends_on_the_network_and_says_so() -> None:
    noise = np.exp(np.random.default_rng(1).normal(scale=0.02, size=len(POPULATION)))
    energy = hungry(POPULATION) * noise
    found = cost_quality(POPULATION, energy, latency(POPULATION), FEATURES, np.random.default_rng(0))
    assert found.beats_baseline
    assert found.error < 0.05 < found.baseline_error
    assert found.spearman > 0.95
    assert np.all(found.low > 0.0)


def test_the_ends_are_those_of_the_models_own_intervals() -> None:
    # One in five is measured twice too high: the belief about the others is far from normal.
    noise = np.where(np.arange(len(POPULATION)) % 5 == 0, 2.0, 1.0)
    energy = hungry(POPULATION) * noise
    found = cost_quality(POPULATION, energy, latency(POPULATION), FEATURES, np.random.default_rng(0))
    held = cross_validate(FEATURES(POPULATION), np.log(energy), folds=5, rng=np.random.default_rng(0))
    assert np.mean((found.low <= energy) & (energy <= found.high)) == held.quality.coverage_95
    assert not np.allclose(found.predicted / found.low, found.high / found.predicted, rtol=0.05)


def test_where_energy_is_proportional_to_latency_the_baseline_is_as_good_and_it_says_so() -> None:
    noise = np.exp(np.random.default_rng(1).normal(scale=0.05, size=len(POPULATION)))
    energy = 3.0 * latency(POPULATION) * noise
    found = cost_quality(POPULATION, energy, latency(POPULATION), FEATURES, np.random.default_rng(0))
    assert not found.beats_baseline


def test_no_prediction_is_negative_and_quantiles_are_ordered() -> None:
    energy = hungry(POPULATION)
    model = CostModel.fit(POPULATION[:30], energy[:30], FEATURES)
    everything = VIEW.everything()[::7]
    likely, sure = model.quantile(everything, 0.5), model.quantile(everything, 0.95)
    low, high = model.interval(everything)
    assert np.all(low > 0.0)
    assert np.all((low <= likely) & (likely <= sure) & (sure <= high))
    chance = model.probability_within(everything, float(np.median(likely)))
    assert np.all((chance >= 0.0) & (chance <= 1.0))
    assert abs(np.corrcoef(np.log(likely), np.log(hungry(everything)))[0, 1]) > 0.9


def test_a_model_comes_back_from_json_with_the_same_predictions() -> None:
    energy = hungry(POPULATION)
    model = CostModel.fit(POPULATION, energy, FEATURES)
    again = CostModel.from_json(model.process.to_json(), POPULATION, energy, FEATURES)
    assert np.allclose(again.quantile(POPULATION, 0.9), model.quantile(POPULATION, 0.9))


def test_too_few_measurements_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 5 measured networks, not 3"):
        cost_quality(POPULATION[:3], np.ones(3), np.ones(3), FEATURES, np.random.default_rng(0))
