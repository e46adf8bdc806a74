"""Reads that lists, and more than one page, need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Count, F, IntegerField, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce

from devices.models import Device, LatencyTable
from devices.queries import number_at
from devices.runs.models import Run
from search.models import (
    Candidate,
    CostPredictor,
    ImageSet,
    OwnedQuerySet,
    OwnRecipe,
    Predictor,
    Sample,
    Search,
    Study,
    TrainedModel,
)
from search.training.datasets import DATASETS
from search.training.recipes import PRESETS as RECIPES
from search.training.recipes import suited


def recipe_name() -> Coalesce:
    """What the owner of a row calls its recipe: its own name for it, else the preset's or a neutral one."""
    own = OwnRecipe.objects.filter(owner=OuterRef("owner"), recipe=OuterRef("recipe"))
    return Coalesce(Subquery(own.values("name")[:1]), "recipe__name")


def predictor_rows(owner: Any) -> OwnedQuerySet:
    """Predictors with their errors, without what only their own pages need."""
    rows = Predictor.objects.owned_by(owner).select_related("run", "space", "recipe")
    bulky = ("fitted", "quality", "genes", "space__definition", "recipe__definition")
    found: OwnedQuerySet = rows.defer(*bulky).annotate(
        mae=F("quality__mae"), spearman=F("quality__spearman"), recipe_name=recipe_name()
    )
    return found


def cost_rows(owner: Any) -> OwnedQuerySet:
    """Predictors of energy and latency with their errors, without what only their own pages need."""
    rows = CostPredictor.objects.owned_by(owner).select_related("run", "space", "device")
    bulky = ("measurements", "facts", "fitted", "quality", "space__definition")
    errors = {"error": F("quality__error"), "baseline_error": F("quality__baseline_error")}
    found: OwnedQuerySet = rows.defer(*bulky).annotate(**errors)
    return found


def search_rows(owner: Any) -> OwnedQuerySet:
    """Searches with the names of what they stand on and the accuracy of their best candidate.

    Subqueries, not joins: they are left out when rows are counted, and asked for the rows of a page alone.
    """
    table = LatencyTable.objects.filter(pk=OuterRef("table")).values("device__name")
    timing = CostPredictor.objects.filter(pk=OuterRef("timing")).values("device__name")
    predictor = Predictor.objects.filter(pk=OuterRef("predictor")).values("name")
    best = Candidate.objects.filter(search=OuterRef("pk"), rank=1).values("accuracy")[:1]
    rows = Search.objects.owned_by(owner).select_related("run").defer("state", "front")
    found: OwnedQuerySet = rows.annotate(
        device_name=Coalesce(Subquery(table), Subquery(timing)),
        predictor_name=Subquery(predictor),
        best_accuracy=Subquery(best),
    )
    return found


def model_rows(owner: Any) -> OwnedQuerySet:
    """Models with the networks that were trained, without their results."""
    rows = TrainedModel.objects.owned_by(owner).select_related(
        "run", "recipe", "candidate__search", "baseline__study"
    )
    bulky = (
        "results", "versions", "preprocessing", "recipe__definition", "candidate__genes", "candidate__limits",
        "candidate__search__state", "candidate__search__front", "baseline__study__result",
    )  # fmt: skip
    searched = Coalesce("candidate__search__table__device__name", "candidate__search__timing__device__name")
    found: OwnedQuerySet = rows.defer(*bulky).annotate(
        device_name=Coalesce(searched, "baseline__study__asked_table__device__name"),
        recipe_name=recipe_name(),
    )
    return found


def study_rows(owner: Any) -> OwnedQuerySet:
    rows = Study.objects.owned_by(owner).select_related("run").defer("result")
    found: OwnedQuerySet = rows.annotate(
        device_name=F("asked_table__device__name"), predictor_name=F("predictor__name")
    )
    return found


def own_recipe_rows(owner: Any) -> OwnedQuerySet:
    """Recipes of an owner's own, with the fields that the list shows."""
    names = ("epochs", "batch_size", "optimiser", "learning_rate")
    fields = {name: F(f"recipe__definition__{name}") for name in names}
    images = number_at("recipe__definition", "train_images", IntegerField())
    found: OwnedQuerySet = OwnRecipe.objects.owned_by(owner).annotate(**fields, train_images=images)
    return found


def own_dataset_rows(owner: Any) -> OwnedQuerySet:
    """Data sets of an owner's own, with the numbers that the list shows."""
    rows = ImageSet.objects.owned_by(owner).exclude(source=ImageSet.Source.BUILT_IN)
    sizes = {name: F(f"facts__{name}") for name in ("train", "validation", "test", "size")}
    found: OwnedQuerySet = rows.select_related("run").defer("report").annotate(**sizes)
    return found


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
    if recipe is not None and predictor.recipe_id not in (recipe.id, suited(recipe, mirrors=True).id):
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


def can_search(owner: Any) -> bool:
    """Whether there is something that predicts accuracy, and something that predicts latency."""
    timed = usable_tables(owner).exists() or usable_timings(owner).exists()
    return timed and usable_predictors(owner).exists()


def newer_table(table: LatencyTable) -> LatencyTable | None:
    """The newest finished version of the same device and space, if it is not this one.

    None for a table that was imported without its space.
    """
    if not table.space_id:
        return None
    rows = LatencyTable.objects.usable().filter(device=table.device_id, space_id=table.space_id)
    return rows.filter(version__gt=table.version).order_by("-version").first()


def searches_of_group(search: Search) -> list[Search]:
    """The searches begun with one form, in its order, each with its best candidate; empty for a search that
    was begun alone."""
    if search.group is None:
        return []
    rows = Search.objects.filter(owner=search.owner_id, group=search.group).order_by("created_at")
    return list(
        rows.select_related("run", "table__device", "timing__device").prefetch_related(
            Prefetch("candidates", Candidate.objects.filter(rank=1)),
            "further_limits__table__device",
            "further_limits__cost__device",
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


def whole_models(owner: Any) -> QuerySet[TrainedModel]:
    """An owner's models with their network, its predictor, table and device, and their study."""
    return TrainedModel.objects.owned_by(owner).select_related(
        "run",
        "recipe",
        "study",
        "candidate__search__predictor__space",
        "candidate__search__table__device",
        "candidate__search__timing__device",
        "baseline__study__predictor",
        "baseline__study__asked_table__device",
    )
