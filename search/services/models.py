"""Final trainings."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from devices.runs.models import Run, Step
from devices.runs.services import start_run
from search.models import Baseline, Candidate, Study, TrainedModel
from search.services.catalogue import remember_recipe
from search.services.datasets import dataset_of
from search.services.training_time import model_forecast


@transaction.atomic
def start_model(
    *,
    owner: Any,
    network: Candidate | Baseline,
    recipe: str,
    seed: int,
    study: Study | None = None,
    parent: Run | None = None,
) -> TrainedModel:
    """Begins the training of a network to the end, its export and its verification."""
    known = dataset_of(owner, network.predictor.dataset)
    row = remember_recipe(recipe, known)
    forecast = model_forecast(owner, network, row.load(), known)
    run = start_run(
        owner=owner,
        kind="model",
        title=f"Model of {network}, seed {seed}" if study else f"Model of {network}",
        first_step="model.train",
        queue=Step.Queue.TRAIN,
        total=row.load().epochs + 1,
        parent=parent,
    )
    return TrainedModel.objects.create(
        owner=owner,
        run=run,
        candidate=network if isinstance(network, Candidate) else None,
        baseline=network if isinstance(network, Baseline) else None,
        study=study,
        recipe=row,
        seed=seed,
        expected_seconds=None if forecast is None else forecast.seconds,
    )
