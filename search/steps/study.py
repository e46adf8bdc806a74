"""The steps of a study: going on whenever something it began has ended, and the trials of scaled networks."""

from __future__ import annotations

import torch

from devices.runs.models import Step
from devices.runs.steps import ClaimedStep
from devices.runs.worker import worker_index
from devices.runs.writing import RunWriter
from search.models import Baseline, Study
from search.services import studies
from search.services.datasets import dataset_of
from search.steps import images
from search.training.datasets import load_training
from search.training.networks import build_network
from search.training.process import prepare_process, training_device
from search.training.trainer import DivergedError, train


def advance(step: ClaimedStep) -> None:
    """Begins whatever can begin next."""
    with step.commit() as writer:
        studies.go_on(writer, _study(step))


@images.needed()
def trial(step: ClaimedStep) -> None:
    """Trains a scaled network as the predictor's samples were trained."""
    study = _study(step)
    baseline = study.baselines.select_related("space").get(index=step.payload["index"])
    predictor = study.predictor
    recipe = predictor.recipe.load()
    prepare_process()
    torch.manual_seed(predictor.seed)
    architecture = baseline.architecture
    known = dataset_of(study.owner, predictor.dataset)
    try:
        trained = train(
            build_network(architecture.layers, dropout=recipe.dropout),
            load_training(known, predictor.seed, limit=recipe.train_images),
            recipe,
            seed=predictor.seed,
            size=baseline.resolution,
            device=training_device(worker_index()),
            on_batch=step.check,
        )
    except DivergedError as error:
        baseline.reason = str(error)
    else:
        baseline.accuracy = trained.validation_accuracy
    with step.commit() as writer:
        _record(writer, baseline)


def lose_trial(writer: RunWriter, step: ClaimedStep, reason: str) -> None:
    """A trial that keeps failing is a scaled network less, not the end of the study."""
    baseline = _study(step).baselines.get(index=step.payload["index"])
    baseline.reason = reason
    _record(writer, baseline)


def _record(writer: RunWriter, baseline: Baseline) -> None:
    baseline.save(update_fields=["accuracy", "reason"])
    writer.event("trial", {"index": baseline.index, "accuracy": baseline.accuracy})
    name = f"study.advance:trial:{baseline.index}"
    writer.then("study.advance", name, Step.Queue.LIGHT, again=True)


def _study(step: ClaimedStep) -> Study:
    rows = Study.objects.select_related("predictor__space", "predictor__recipe", "asked_table", "table__run")
    study: Study = rows.get(run=step.run)
    return study
