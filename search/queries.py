"""Reads about predictors and tables that more than one page needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet

from devices.models import Device, LatencyTable
from devices.runs.models import Run
from search.models import CostPredictor, Predictor, Sample, Search, TrainedModel
from search.training.datasets import DATASETS
from search.training.recipes import PRESETS as RECIPES


def stale_predictors(predictors: Iterable[Predictor]) -> dict[UUID, list[str]]:
    """Why each finished predictor is no longer what would be built today, as sentences; none where it is.

    Two queries, however many predictors there are.
    """
    finished = [one for one in predictors if one.run.status == Run.Status.SUCCEEDED]
    trained = Count("architecture_id", distinct=True)
    samples = Sample.objects.filter(status=Sample.Status.SUCCEEDED)
    known = {
        tuple(row[:4]): row[4]
        for row in samples.filter(owner__in={one.owner_id for one in finished})
        .values_list("owner", "space", "dataset", "recipe")
        .annotate(trained)
    }
    own = dict(
        samples.filter(proposals__predictor__in=[one.pk for one in finished])
        .values_list("proposals__predictor")
        .annotate(trained)
    )
    return {
        one.pk: _reasons(
            one, known.get((one.owner_id, one.space_id, one.dataset, one.recipe_id), 0) - own.get(one.pk, 0)
        )
        for one in finished
    }


def _reasons(predictor: Predictor, unknown: int) -> list[str]:
    reasons = []
    if unknown > 0:
        networks = "1 network was" if unknown == 1 else f"{unknown} networks were"
        reasons.append(f"{networks} trained under the same recipe since, which it does not know.")
    recipe = RECIPES.get(predictor.recipe.name)
    if recipe is not None and recipe.id != predictor.recipe_id:
        reasons.append(f"The recipe “{predictor.recipe.name}” has changed since its samples were trained.")
    dataset = DATASETS.get(predictor.dataset)
    if dataset is not None and predictor.dataset_checksum not in ("", dataset.checksum):
        reasons.append(f"The data set {dataset.label} has changed since its samples were trained.")
    return reasons


def usable_predictors(owner: Any) -> QuerySet[Predictor]:
    return Predictor.objects.owned_by(owner).usable().select_related("space")


def usable_tables(owner: Any) -> QuerySet[LatencyTable]:
    """Finished tables that hold operators a space of ours can use."""
    rows = LatencyTable.objects.owned_by(owner).usable().exclude(operator_keys=[])
    return rows.select_related("device")


def usable_costs(owner: Any) -> QuerySet[CostPredictor]:
    return CostPredictor.objects.owned_by(owner).usable().select_related("device", "space")


def usable_timings(owner: Any) -> QuerySet[CostPredictor]:
    """Finished latency predictors over whole networks."""
    return usable_costs(owner).filter(quantity=CostPredictor.Quantity.LATENCY)


def newer_table(table: LatencyTable) -> LatencyTable | None:
    """The newest finished version of the same device and space, if it is not this one.

    None for a table that was imported without its space.
    """
    if not table.space_id:
        return None
    rows = LatencyTable.objects.usable().filter(device=table.device_id, space_id=table.space_id)
    return rows.filter(version__gt=table.version).order_by("-version").first()


def searches_of_group(search: Search) -> list[Search]:
    """The searches begun with one form, in its order; empty for a search that was begun alone."""
    if search.group is None:
        return []
    rows = Search.objects.filter(owner=search.owner_id, group=search.group).order_by("created_at")
    return list(
        rows.select_related("run", "table__device", "timing__device").prefetch_related(
            "candidates", "further_limits__table__device", "further_limits__cost__device"
        )
    )


def steps_to_a_file(owner: Any) -> dict[str, Any]:
    """Which of the five steps from a device to a file are done, and the first that is not, or None."""
    finished = {"run__status": Run.Status.SUCCEEDED}
    done = {
        "device": Device.objects.owned_by(owner).exists(),
        "table": usable_tables(owner).exists() or usable_timings(owner).exists(),
        "predictor": usable_predictors(owner).exists(),
        "search": Search.objects.owned_by(owner).filter(**finished).exists(),
        "model": TrainedModel.objects.owned_by(owner).filter(**finished).exists(),
    }
    return {"done": done, "next": next((step for step, is_done in done.items() if not is_done), None)}
