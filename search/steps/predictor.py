"""The steps of building a predictor."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from devices.runs.steps import ClaimedStep, StepFailedError
from devices.runs.worker import worker_index
from devices.runs.writing import RunWriter
from search.models import Predictor, Proposal, QualityPoint, Sample
from search.predictors import (
    CrossValidation,
    GaussianProcess,
    all_alike,
    cross_validate,
    gene_relevance,
    leave_one_out,
    partial_dependence,
)
from search.services import predictors
from search.services.datasets import dataset_of
from search.spaces import Architecture
from search.steps import images
from search.training.datasets import load_training
from search.training.networks import build_network
from search.training.process import prepare_process, training_device
from search.training.trainer import DivergedError, EpochResult, train

FOLDS = 5
FEWEST_FOR_QUALITY = 8
AVERAGED_OVER = 128  # networks that partial dependence is averaged over
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # of the intervals in the reliability plot


def propose(step: ClaimedStep) -> None:
    """Asks the sampler for one architecture, and now and then how good the predictor has become."""
    predictor: Predictor = step.run.predictor
    space = predictor.space.load()
    proposals = list(predictor.proposals.select_related("sample").order_by("index"))
    with threadpool_limits(1):
        stopping = step.run.stop_requested or len(proposals) >= predictor.budget
        proposed = None if stopping else predictors.ask(predictor, space, proposals)
        point = _quality_point(step, predictor, len(proposals) - predictor.in_flight + 1)
    with step.commit() as writer:
        if proposed is not None:
            predictors.record_proposal(writer, predictor, space, proposed)
        elif not stopping:
            predictor.budget = len(proposals)
            predictor.save(update_fields=["budget"])
            writer.event("log", {"level": "info", "text": "Every architecture of the space is trained."})
        if point is not None:
            point.save()
            writer.event("quality", point.as_json())
        reason = predictors.reason_to_stop(predictor, step.run, point)
        if reason is not None and writer.run.can_stop_early:
            writer.event("log", {"level": "info", "text": reason})
            writer.request_stop()
        predictors.go_on(writer, predictor)


@images.needed()
def train_sample(step: ClaimedStep) -> None:
    """Trains one proposed architecture, unless its sample has been trained meanwhile."""
    predictor: Predictor = step.run.predictor
    proposal = predictor.proposals.select_related("sample").get(index=step.payload["index"])
    result: dict[str, Any] = {}
    if not proposal.sample.is_finished:
        with step.report() as writer:
            Sample.objects.filter(pk=proposal.sample_id, status=Sample.Status.WAITING).update(
                status=Sample.Status.TRAINING
            )
            writer.event("sample.started", {"index": proposal.index})
        result = _train(step, predictor, proposal)
    with step.commit() as writer:
        predictors.record_training(writer, proposal, result)
        predictors.go_on(writer, predictor)


def record_lost_training(writer: RunWriter, step: ClaimedStep, reason: str) -> None:
    """A training that keeps failing is a failed sample, not the end of the build."""
    predictor: Predictor = step.run.predictor
    proposal = predictor.proposals.select_related("sample").get(index=step.payload["index"])
    predictors.record_training(writer, proposal, {"status": Sample.Status.FAILED, "reason": reason})
    predictors.go_on(writer, predictor)


def fit(step: ClaimedStep) -> None:
    """Fits the predictor to everything trained and measures its held-out quality."""
    predictor: Predictor = step.run.predictor
    genes, accuracies = predictors.training_set(predictor)
    if len(accuracies) < predictors.FEWEST_SAMPLES:
        raise StepFailedError(
            f"Only {'1 network was' if len(accuracies) == 1 else f'{len(accuracies)} networks were'} "
            f"trained without failing: a predictor needs at least {predictors.FEWEST_SAMPLES}. "
            "Choose a larger budget, or look at the reasons beside the failed samples.",
            mendable=predictors.lost_proposals(predictor).exists(),
        )
    if all_alike(accuracies):
        raise StepFailedError(
            f"All {len(accuracies)} networks reached the same accuracy, {100 * accuracies[0]:.2f} %: "
            "there is nothing to learn from. Choose a shorter recipe or a harder data set."
        )
    with threadpool_limits(1):
        rows = predictors.predictor_features(predictor)(genes)
        model = GaussianProcess.fit(rows, accuracies, bounds=(0.0, 1.0))
        held_out = _cross_validate(step, predictor, rows, accuracies)
        learned = _learned(predictor, model)
    with step.commit() as writer:
        predictor.fitted = model.to_json()
        predictor.genes = learned
        writer.progress(done=len(accuracies), total=len(accuracies))
        predictor.quality = asdict(held_out.quality) | {
            "leave_one_out": asdict(leave_one_out(model).quality),
            "reliability": [[level, held_out.coverage(level)] for level in LEVELS],
            "scatter": [
                [float(measured), float(predicted), float(deviation)]
                for measured, predicted, deviation in zip(
                    held_out.measured, held_out.predicted, held_out.deviation, strict=True
                )
            ],
        }
        predictor.save(update_fields=["fitted", "quality", "genes"])
        point = _point(predictor, held_out)
        if not predictor.quality_points.filter(samples=point.samples).exists():
            point.save()
        writer.event("quality", point.as_json())
        writer.succeed(
            f"{len(accuracies)} samples; "
            f"mean error {100 * held_out.quality.mae:.2f} points, "
            f"rank correlation {held_out.quality.spearman:.2f} on held-out samples."
        )


def _learned(predictor: Predictor, model: GaussianProcess) -> list[dict[str, Any]]:
    """Relevance and partial dependence of every hyperparameter that varies, the most relevant first."""
    view, space = predictors.view(predictor), predictor.space.load()
    population = space.sample(np.random.default_rng([predictor.seed, 1]), AVERAGED_OVER)
    relevance = gene_relevance(model, view, population)
    found = []
    for index in np.argsort(-relevance, kind="stable").tolist():
        gene = space.genes[index]
        if len(gene.choices) < 2:
            continue
        curve = partial_dependence(model, view, index, population)
        found.append(
            {
                "name": gene.name,
                "label": gene.label,
                "relevance": round(float(relevance[index]), 5),
                "choices": list(gene.choices),
                "mean": curve.mean.round(5).tolist(),
                "low": curve.low.round(5).tolist(),
                "high": curve.high.round(5).tolist(),
            }
        )
    return found


def _train(step: ClaimedStep, predictor: Predictor, proposal: Proposal) -> dict[str, Any]:
    """Trains in this process; the fields of the sample's result."""
    prepare_process()
    recipe = predictor.recipe.load()
    architecture = Architecture(predictor.space.load(), tuple(proposal.sample.genes))
    known = dataset_of(predictor.owner, predictor.dataset)
    begun = time.monotonic()
    losses: list[float] = []

    def report_epoch(epoch: EpochResult) -> None:
        losses.append(round(epoch.loss, 5))
        with step.report() as writer:
            Sample.objects.filter(pk=proposal.sample_id).update(losses=losses)
            facts = {"index": proposal.index, "epoch": epoch.number, "epochs": recipe.epochs}
            writer.event("sample.epoch", facts | {"loss": losses[-1]})

    torch.manual_seed(predictor.seed)
    try:
        outcome = train(
            build_network(architecture.layers, dropout=recipe.dropout),
            load_training(known, predictor.seed, limit=recipe.train_images),
            recipe,
            size=architecture.values["resolution"],
            device=training_device(worker_index()),
            seed=predictor.seed,
            on_batch=step.check,
            on_epoch=report_epoch,
        )
    except DivergedError as error:
        return {"status": Sample.Status.FAILED, "reason": str(error), "seconds": time.monotonic() - begun}
    return {
        "status": Sample.Status.SUCCEEDED,
        "accuracy": outcome.validation_accuracy,
        "seconds": time.monotonic() - begun,
    }


def _quality_point(step: ClaimedStep, predictor: Predictor, known: int) -> QualityPoint | None:
    """Quality with the first `known` proposals, about twelve times in a build."""
    every = max(2, predictor.budget // 12)
    if known < FEWEST_FOR_QUALITY or known % every:
        return None
    genes, accuracies = predictors.training_set(predictor, known)
    done = predictor.quality_points.filter(samples=len(accuracies)).exists()
    if done or len(accuracies) < FEWEST_FOR_QUALITY or all_alike(accuracies):
        return None
    rows = predictors.predictor_features(predictor)(genes)
    return _point(predictor, _cross_validate(step, predictor, rows, accuracies))


def _cross_validate(step: ClaimedStep, predictor: Predictor, rows: Any, accuracies: Any) -> CrossValidation:
    """Held-out quality. The step's lease is renewed from fold to fold: thousands of samples take minutes."""
    return cross_validate(
        rows,
        accuracies,
        folds=min(FOLDS, len(accuracies)),
        rng=np.random.default_rng(predictor.seed),
        bounds=(0.0, 1.0),
        on_fold=step.check,
    )


def _point(predictor: Predictor, held_out: CrossValidation) -> QualityPoint:
    quality = held_out.quality
    return QualityPoint(
        predictor=predictor,
        samples=quality.n,
        rmse=quality.rmse,
        mae=quality.mae,
        spearman=quality.spearman,
        kendall=quality.kendall,
    )
