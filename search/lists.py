"""The lists of data sets, recipes, predictors, searches, models and studies, and of all runs.

Each is a function of the person, as its choices are what that person has.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from devices.listing import STATUS, Choice, Column, Listing, Options, options_of, seconds, time_taken
from devices.models import Device
from devices.runs.models import Run
from search.models import CostPredictor, ImageSet, Predictor, Sample, Search, TrainedModel
from search.queries import recipe_name

KINDS = {
    "table": "Latency table",
    "dataset": "Data set",
    "predictor": "Accuracy predictor",
    "cost_predictor": "Energy or latency predictor",
    "search": "Search",
    "model": "Training of a model",
    "timing": "Timing of a model",
    "study": "Study",
    "probe": "Estimate of a build",
    "quickstart": "Quick start",
}
"""Kinds of runs in a person's words."""

UNFINISHED = ("unfinished", "Queued, running or paused")


def kind_label(run: Run) -> str:
    return KINDS.get(run.kind, run.kind.replace("_", " ").capitalize())


def _devices(owner: Any) -> Options:
    return options_of(Device.objects.owned_by(owner), "pk", "name")


def _of_status(rows: Any, status: str) -> Any:
    return rows.unfinished() if status == UNFINISHED[0] else rows.filter(status=status)


def runs(owner: Any) -> Listing:
    """Every long job. What it says is its reason where it failed, else what it is at, or came to."""
    kinds = Run.objects.owned_by(owner).order_by("kind").values_list("kind", flat=True).distinct()
    return Listing(
        noun=("run", "runs"),
        columns=(
            Column("title", "Run", "title"),
            Column("kind", "Kind", "kind"),
            Column("status", "Status", "status"),
            Column("started", "Started", "started_at"),
            Column("seconds", "Took", seconds, time_taken(""), number=True),
            Column("said", "What happened", lambda run: run.reason or run.message, None),
            Column("created", "", "created_at"),
            Column("finished", "", "finished_at"),
            Column("done", "", "done"),
            Column("total", "", "total"),
            Column("id", "", "pk"),
        ),
        searched=("title", "message", "reason"),
        order="-created",
        choices=(
            Choice("status", "Status", [*Run.Status.choices, UNFINISHED], _of_status),
            Choice("kind", "Kind", [(kind, KINDS.get(kind, kind)) for kind in kinds], "kind"),
        ),
    )


def predictors(owner: Any) -> Listing:
    rows = Predictor.objects.owned_by(owner)
    return Listing(
        noun=("predictor", "predictors"),
        columns=(
            Column("name", "Name", "name"),
            Column("status", "Status", "run.status"),
            Column("space", "Space", "space.name"),
            Column("dataset", "Data set", "dataset_label"),
            Column("samples", "Samples", "run.done", number=True),
            Column("budget", "", "budget"),
            Column("mae", "Held-out error", "mae", number=True),
            Column("spearman", "Rank correlation", "spearman", number=True),
            Column("started", "Started", "created_at"),
            Column("recipe", "", "recipe_name"),
            Column("origin", "", "origin"),
            Column("id", "", "pk"),
        ),
        searched=("name", "space__name", "dataset_label"),
        order="-started",
        choices=(
            STATUS,
            Choice("space", "Space", options_of(rows, "space__name"), "space__name"),
            Choice("dataset", "Data set", options_of(rows, "dataset", "dataset_label"), "dataset"),
            Choice("origin", "Origin", Predictor.Origin.choices, "origin"),
        ),
    )


def costs(owner: Any) -> Listing:
    rows = CostPredictor.objects.owned_by(owner)
    return Listing(
        noun=("predictor of energy or latency", "predictors of energy or latency"),
        columns=(
            Column("device", "Predictor", "device.name"),
            Column("quantity", "Quantity", "quantity"),
            Column("version", "", "version"),
            Column("status", "Status", "run.status"),
            Column("space", "Space", "space.name"),
            Column("error", "Held-out error", "error", number=True),
            Column("baseline_error", "Baseline", "baseline_error", number=True),
            Column("meter", "Meter", "meter"),
            Column("started", "Started", "created_at"),
            Column("id", "", "pk"),
        ),
        searched=("device__name", "space__name", "meter"),
        order="-started",
        choices=(
            STATUS,
            Choice("quantity", "Quantity", CostPredictor.Quantity.choices, "quantity"),
            Choice("device", "Device", options_of(rows, "device", "device__name"), "device"),
            Choice("space", "Space", options_of(rows, "space__name"), "space__name"),
        ),
    )


def searches(owner: Any) -> Listing:
    # Asked of the predictors, as there may be many searches to each.
    one = Search.objects.filter(predictor=OuterRef("pk"))
    searched = Predictor.objects.owned_by(owner).filter(Exists(one))
    return Listing(
        noun=("search", "searches"),
        columns=(
            Column("name", "Name", "name"),
            Column("status", "Status", "run.status"),
            Column("device", "Device", "device_name"),
            Column("predictor", "Predictor", "predictor_name"),
            Column("limit_ms", "Limit", "latency_limit_ms", number=True),
            Column("accuracy", "Best predicted", "best_accuracy", number=True),
            Column("generations", "Generations", "run.done", number=True),
            Column("generations_asked", "", "generations"),
            Column("started", "Started", "created_at"),
            Column("id", "", "pk"),
        ),
        searched=("name", "predictor__name", "table__device__name", "timing__device__name"),
        order="-started",
        choices=(
            STATUS,
            Choice("device", "Device", _devices(owner), _of_device),
            Choice("space", "Space", options_of(searched, "space__name"), "predictor__space__name"),
            Choice("predictor", "Predictor", options_of(searched, "pk", "name"), "predictor"),
        ),
    )


def _of_device(rows: QuerySet[Any], device: str) -> QuerySet[Any]:
    return rows.filter(Q(table__device=device) | Q(timing__device=device))


def models(owner: Any) -> Listing:
    rows = TrainedModel.objects.owned_by(owner)
    predicted = Coalesce("candidate__latency_ms", "baseline__latency_ms")
    return Listing(
        noun=("model", "models"),
        columns=(
            Column(
                "model", "Model", _model_name, Coalesce("candidate__search__name", "baseline__study__name")
            ),
            Column("status", "Status", "run.status"),
            Column("recipe", "Recipe", "recipe_name"),
            Column("test_accuracy", "Test accuracy", "test_accuracy", number=True),
            Column(
                "predicted_accuracy", "Predicted", _predicted_accuracy, "candidate__accuracy", number=True
            ),
            Column("latency_ms", "Latency", "latency_ms", number=True),
            Column("predicted_ms", "Predicted", "network.latency_ms", predicted, number=True),
            Column("started", "Started", "created_at"),
            Column("seed", "", "seed"),
            Column("device", "", "device_name"),
            Column("id", "", "pk"),
        ),
        searched=("candidate__search__name", "baseline__study__name", "study__name", "recipe_name"),
        order="-started",
        choices=(
            STATUS,
            Choice("device", "Device", _devices(owner), _model_of_device),
            Choice(
                "recipe",
                "Recipe",
                options_of(rows.annotate(recipe_name=recipe_name()), "recipe", "recipe_name"),
                "recipe",
            ),
            Choice("study", "Study", options_of(rows.exclude(study=None), "study", "study__name"), "study"),
        ),
    )


def _model_name(model: TrainedModel) -> str:
    network = model.network
    parent = model.candidate.search.name if model.candidate else model.baseline.study.name  # type: ignore[union-attr]
    return f"{parent}, {network.label}"


def _predicted_accuracy(model: TrainedModel) -> float | None:
    return model.candidate.accuracy if model.candidate else None


def _model_of_device(rows: QuerySet[Any], device: str) -> QuerySet[Any]:
    searched = Q(candidate__search__table__device=device) | Q(candidate__search__timing__device=device)
    return rows.filter(searched | Q(baseline__study__asked_table__device=device))


def studies(owner: Any) -> Listing:
    return Listing(
        noun=("study", "studies"),
        columns=(
            Column("name", "Name", "name"),
            Column("status", "Status", "run.status"),
            Column("device", "Device", "device_name"),
            Column("predictor", "Predictor", "predictor_name"),
            Column("limits", "Limits", lambda study: len(study.limits), None, number=True),
            Column("seeds", "Seeds", lambda study: len(study.seeds), None, number=True),
            Column("outcome", "Outcome", "run.message", None),
            Column("started", "Started", "created_at"),
            Column("id", "", "pk"),
        ),
        searched=("name", "predictor__name", "asked_table__device__name"),
        order="-started",
        choices=(STATUS, Choice("device", "Device", _devices(owner), "asked_table__device")),
    )


RECIPES = Listing(
    noun=("recipe", "recipes"),
    columns=(
        Column("name", "Name", "name"),
        Column("epochs", "Epochs", "epochs", number=True),
        Column("batch_size", "Batch", "batch_size", number=True),
        Column("optimiser", "Optimiser", "optimiser"),
        Column("learning_rate", "Learning rate", "learning_rate", number=True),
        Column("train_images", "Training images", "train_images", number=True),
        Column("id", "", "recipe_id"),
    ),
    searched=("name",),
    order="name",
)

DATASETS = Listing(
    noun=("data set", "data sets"),
    columns=(
        Column("name", "Name", "name"),
        Column("status", "Status", "run.status"),
        Column(
            "classes",
            "Classes",
            lambda row: len(row.facts["classes"]) if row.facts else None,
            None,
            number=True,
        ),
        Column("train", "Training", "train", number=True),
        Column("validation", "Validation", "validation", number=True),
        Column("test", "Test", "test", number=True),
        Column("size", "Stored at", "size", number=True),
        Column("origin", "From", "origin"),
        Column("source", "", "source"),
        Column("checksum", "", lambda row: row.facts["checksum"] if row.facts else None),
    ),
    searched=("name", "origin"),
    order="name",
    choices=(STATUS, Choice("source", "From", ImageSet.Source.choices[:2], "source")),
)

SAMPLES = Listing(
    noun=("sample", "samples"),
    columns=(
        Column("index", "Sample", "index"),
        Column("status", "Status", "sample.status"),
        Column("chosen_for", "Chosen for", "chosen_for"),
        Column("reason", "Why", lambda row: row.sample.reason or row.reason, None),
        Column("predicted", "Predicted then", "predicted", number=True),
        Column("accuracy", "Measured", "sample.accuracy", number=True),
        Column("seconds", "Took", "sample.seconds", number=True),
    ),
    searched=("reason", "sample__reason", "sample__architecture_id"),
    order="-index",
    choices=(
        Choice("status", "Status", Sample.Status.choices, "sample__status"),
        Choice(
            "chosen_for",
            "Chosen for",
            [("sobol", "an even spread"), ("exploration", "exploration"), ("exploitation", "exploitation")],
            "chosen_for",
        ),
    ),
)
