"""Estimating what a build will cost before it is begun."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction

from devices.runs.models import Run, Step
from devices.runs.services import start_run
from search.models import Predictor, Probe, Sample
from search.services.catalogue import remember_recipe, remember_space
from search.services.datasets import dataset_of
from search.spaces import SearchSpace

NETWORKS = 5


def probed_networks(space: SearchSpace) -> list[list[int]]:
    """Genes of the networks that stand for a space: its reference and random ones, always the same."""
    others: list[list[int]] = space.sample(np.random.default_rng(0), NETWORKS - 1).tolist()
    return [list(space.reference), *others]


def find_probe(owner: Any, space: SearchSpace, dataset: str, recipe: str) -> Probe | None:
    """The newest probe of these, whatever became of it."""
    row = remember_recipe(recipe, dataset_of(owner, dataset))
    rows = Probe.objects.owned_by(owner).filter(space=space.id, dataset=dataset, recipe=row)
    return rows.select_related("run").order_by("-pk").first()


@transaction.atomic
def start_probe(owner: Any, space: SearchSpace, dataset: str, recipe: str) -> Probe:
    """Begins to time a few training steps, unless that was done or is under way."""
    known = find_probe(owner, space, dataset, recipe)
    if known is not None and known.run.status not in Run.RETRIABLE:
        return known
    run = start_run(
        owner=owner,
        kind="probe",
        title=f"Estimate for {space.name}",
        first_step="probe.time",
        queue=Step.Queue.TRAIN,
        total=1,
    )
    return Probe.objects.create(
        owner=owner,
        run=run,
        space=remember_space(space),
        dataset=dataset,
        recipe=remember_recipe(recipe, dataset_of(owner, dataset)),
    )


def is_timing(probe: Probe | None) -> bool:
    return probe is not None and not probe.run.is_final


def why_none(probe: Probe | None) -> str:
    """Why a probe that ended has no estimate to give, in a sentence; empty where none ended without one."""
    if probe is None or probe.run.status not in Run.RETRIABLE:
        return ""
    return f"The timing failed: {probe.run.reason}" if probe.run.reason else "The timing was cancelled."


def estimate(probe: Probe | None, budget: int) -> dict[str, Any] | None:
    """Seconds of a sample and of the build with all train workers; None without a finished probe."""
    if probe is None or probe.seconds is None:
        return None
    turns = -(-budget // settings.TRAIN_WORKERS)
    return {
        "sample": probe.seconds,
        "least": probe.least_seconds,
        "most": probe.most_seconds,
        "build": turns * probe.seconds,
        "workers": settings.TRAIN_WORKERS,
    }


def how_right(predictor: Predictor) -> dict[str, float] | None:
    """The estimate before a build beside what its samples took; None where either is missing."""
    probe = (
        Probe.objects.filter(
            owner=predictor.owner_id,
            space=predictor.space_id,
            dataset=predictor.dataset,
            recipe=predictor.recipe_id,
            run__finished_at__lte=predictor.created_at,
        )
        .exclude(seconds=None)
        .order_by("-pk")
        .first()
    )
    trained = Sample.objects.filter(proposals__predictor=predictor, status=Sample.Status.SUCCEEDED)
    seconds = [value for value in trained.values_list("seconds", flat=True) if value is not None]
    if probe is None or probe.seconds is None or not seconds:
        return None
    mean = sum(seconds) / len(seconds)
    return {"estimated": probe.seconds, "taken": mean, "ratio": mean / probe.seconds}
