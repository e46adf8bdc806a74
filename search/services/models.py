"""Final trainings of candidates."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from devices.runs.models import Run, Step
from devices.runs.services import start_run
from search.models import Candidate, TrainedModel
from search.services.catalogue import remember_recipe


@transaction.atomic
def start_model(
    *, owner: Any, candidate: Candidate, recipe: str, seed: int, parent: Run | None = None
) -> TrainedModel:
    """Begins the training of a candidate to the end, its export and its verification."""
    row = remember_recipe(recipe)
    run = start_run(
        owner=owner,
        kind="model",
        title=f"Model of {candidate}",
        first_step="model.train",
        queue=Step.Queue.TRAIN,
        total=row.load().epochs + 1,
        parent=parent,
    )
    return TrainedModel.objects.create(owner=owner, run=run, candidate=candidate, recipe=row, seed=seed)
