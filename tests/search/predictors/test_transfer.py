"""Learning from another data set's predictor."""

from __future__ import annotations

import numpy as np

from search.predictors import GaussianProcess, with_source
from tests.search.predictors.toy import accuracies, ordinal_view

VIEW = ordinal_view(*[5] * 8)


def test_few_samples_with_a_related_predictor_beat_few_samples_alone() -> None:
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        population = rng.integers(5, size=(500, 8))
        measured = accuracies(VIEW.features(population), rng)
        easier = 0.5 + 0.5 * measured**2
        source = GaussianProcess.fit(VIEW.features(population[:150]), easier[:150])
        own, other = slice(150, 165), slice(165, None)
        for features in (VIEW.features, with_source(VIEW.features, source)):
            model = GaussianProcess.fit(features(population[own]), measured[own])
            errors.append(np.abs(model.predict(features(population[other]))[0] - measured[other]).mean())
    assert np.mean(errors[1::2]) < 0.85 * np.mean(errors[::2])
