"""The steps of predictors of costs: which network to measure next, and the fit."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from devices.runs.models import Step
from devices.runs.steps import ClaimedStep, StepFailedError
from search.models import CostPredictor
from search.predictors import CostModel, cost_quality
from search.services import costs
from search.services.problems import baseline_cost, cost_features, cost_measurements

SEED = 0


def propose(step: ClaimedStep) -> None:
    """Takes the last measurement in, and has the network measured that says most; the fit follows."""
    predictor: CostPredictor = step.run.cost_predictor
    space = predictor.space.load()
    costs.take_measured(predictor)
    with threadpool_limits(1):
        proposed = None if costs.is_over(step.run, predictor) else costs.ask(predictor, space)
    with step.commit() as writer:
        if proposed is None:
            writer.then("cost.fit", "cost.fit", Step.Queue.LIGHT)
        else:
            costs.ask_for(writer, predictor, space, proposed)
        predictor.save(update_fields=["measurements", "facts"])
        count = len(predictor.measurements)
        writer.event("measured", {"count": count, "value": predictor.measurements[-1][1] if count else None})
        writer.progress(done=count, message=f"{count} of {predictor.budget} networks measured")


def fit(step: ClaimedStep) -> None:
    """Fits the predictor and compares it with the baseline, constant x cost, on held-out measurements."""
    predictor: CostPredictor = step.run.cost_predictor
    space = predictor.space.load()
    population, measured = cost_measurements(predictor)
    try:
        with threadpool_limits(1):
            inputs = cost_features(space, predictor.table)
            cost = baseline_cost(space, predictor.table)(population)
            rng = np.random.default_rng(SEED)
            held = cost_quality(population, measured, cost, inputs, rng, on_fold=step.check)
            model = CostModel.fit(population, measured, inputs)
    except ValueError as error:
        raise StepFailedError(str(error)) from error
    with step.commit() as writer:
        predictor.fitted = model.process.to_json()
        predictor.quality = {
            "samples": len(measured),
            "error": held.error,
            "baseline_error": held.baseline_error,
            "beats_baseline": held.beats_baseline,
            "spearman": held.spearman,
            "coverage_90": held.coverage_90,
            "scatter": np.column_stack([measured, held.predicted, held.low, held.high]).tolist(),
        }
        predictor.save(update_fields=["fitted", "quality"])
        writer.progress(done=len(measured), total=len(measured))
        writer.succeed(
            f"{len(measured)} networks; mean error {100 * held.error:.1f} % on held-out ones, "
            f"{100 * held.baseline_error:.1f} % by the baseline."
        )
