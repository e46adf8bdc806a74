"""The step that fits an energy predictor."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from devices.runs.steps import ClaimedStep, StepFailedError
from search.models import EnergyPredictor
from search.predictors import EnergyModel, energy_quality
from search.services.problems import energy_cost, energy_features, energy_measurements

SEED = 0


def fit(step: ClaimedStep) -> None:
    """Fits the predictor and compares it with energy = constant x latency, on held-out measurements."""
    energy: EnergyPredictor = step.run.energy_predictor
    space = energy.space.load()
    population, measured = energy_measurements(energy)
    try:
        with threadpool_limits(1):
            inputs = energy_features(space, energy.table)
            cost = energy_cost(space, energy.table)(population)
            rng = np.random.default_rng(SEED)
            held = energy_quality(population, measured, cost, inputs, rng, on_fold=step.check)
            model = EnergyModel.fit(population, measured, inputs)
    except ValueError as error:
        raise StepFailedError(str(error)) from error
    with step.commit() as writer:
        energy.fitted = model.process.to_json()
        energy.quality = {
            "samples": len(measured),
            "error": held.error,
            "baseline_error": held.baseline_error,
            "beats_baseline": held.beats_baseline,
            "spearman": held.spearman,
            "coverage_90": held.coverage_90,
            "scatter": np.column_stack([measured, held.predicted, held.low, held.high]).tolist(),
        }
        energy.save(update_fields=["fitted", "quality"])
        writer.progress(done=1)
        writer.succeed(
            f"{len(measured)} networks; mean error {100 * held.error:.1f} % on held-out ones, "
            f"{100 * held.baseline_error:.1f} % by the baseline."
        )
