"""What the first page says: what runs, what ended and how, what there is, and what to do next.

Every part is bounded; what does not fit is counted, and its list is one link away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet
from django.urls import reverse
from django.utils import timezone

from devices.freshness import freshness_of
from devices.models import Device, LatencyTable
from devices.queries import devices_of
from devices.runs.models import Run
from search.lists import kind_label
from search.models import (
    Candidate,
    CostPredictor,
    ImageSet,
    OwnedQuerySet,
    Predictor,
    Search,
    Study,
    TrainedModel,
)
from search.queries import own_dataset_rows, study_rows, usable_predictors, usable_tables

MOST_ACTIVE = 8
MOST_FAILED = 5
MOST_RECENT = 8
MOST_OTHERS = 6
FAILURES_STAND_FOR = timedelta(days=7)

REMEDIES = {
    "table": "See in the log at which operator it ended, then measure the device again from its page.",
    "dataset": "Mend what the reason names and bring the data set again; what was uploaded is kept.",
    "predictor": "What was trained is kept: the same build again trains only the rest.",
    "cost_predictor": "What was measured stays on its page; measure again from the device's page.",
    "search": "Its page says which limit binds and what is within reach; start another with a wider limit.",
    "model": "Its page has the learning curve so far; train the candidate again, or with another recipe.",
    "timing": "The model is as it was; measure it again from its page.",
    "study": "What was finished is kept; start it again when the cause is mended.",
    "probe": "A build can be started without an estimate.",
    "quickstart": "The stage that failed has the log; start the quick start again when the cause is mended.",
}


@dataclass(frozen=True, slots=True)
class NextStep:
    """The one thing to do next: a sentence, and a link with its words."""

    text: str
    action: str
    url: str


def active_runs(owner: Any) -> QuerySet[Run]:
    """What a person began that is not over; what such a run began itself belongs to it."""
    return Run.objects.owned_by(owner).unfinished().filter(parent=None)


def failures(owner: Any) -> QuerySet[Run]:
    """What failed within a week, latest first; of a run and what it began, the former alone."""
    rows = Run.objects.owned_by(owner).filter(
        status=Run.Status.FAILED, finished_at__gte=timezone.now() - FAILURES_STAND_FOR
    )
    return rows.exclude(parent__status=Run.Status.FAILED).order_by("-finished_at")


def with_remedies(runs: Iterable[Any]) -> list[Any]:
    """Failed runs, each with its kind in words and what to do about it."""
    failed = list(runs)
    for run in failed:
        run.kind_label, run.remedy = kind_label(run), REMEDIES.get(run.kind, "Its log says more.")
    return failed


def recent_runs(owner: Any) -> QuerySet[Run]:
    """What a person began that ended well, or was cancelled."""
    ended = (Run.Status.SUCCEEDED, Run.Status.CANCELLED)
    return Run.objects.owned_by(owner).filter(status__in=ended, parent=None)


def devices_measured_last(owner: Any) -> list[Any]:
    """The devices whose tables are newest, each with how far its table can be trusted."""
    rows: list[Any] = list(
        devices_of(owner).order_by(F("newest_table_at").desc(nulls_last=True), "name")[:MOST_OTHERS]
    )
    found = freshness_of(rows)
    for row in rows:
        row.freshness = found[row.pk]
    return rows


def newest_datasets(owner: Any) -> OwnedQuerySet:
    return own_dataset_rows(owner).order_by("-created_at")[:MOST_OTHERS]


def newest_studies(owner: Any) -> OwnedQuerySet:
    return study_rows(owner).order_by("-created_at")[:MOST_OTHERS]


def counts(owner: Any) -> dict[str, int]:
    return {
        "devices": Device.objects.owned_by(owner).count(),
        "tables": LatencyTable.objects.owned_by(owner).count(),
        "datasets": ImageSet.objects.owned_by(owner).exclude(source=ImageSet.Source.BUILT_IN).count(),
        "predictors": Predictor.objects.owned_by(owner).count(),
        "costs": CostPredictor.objects.owned_by(owner).count(),
        "searches": Search.objects.owned_by(owner).count(),
        "models": TrainedModel.objects.owned_by(owner).count(),
        "studies": Study.objects.owned_by(owner).count(),
    }


def next_step(owner: Any, there: dict[str, int]) -> NextStep:
    """Along the chain, the first thing that is missing and that nothing at work will bring."""
    if not there["devices"]:
        return NextStep(
            "A network is made for a device: say which hardware and engine yours will run on.",
            "Register a device",
            reverse("device-new"),
        )
    return _measure(owner, there) or _learn(owner) or _search(owner) or _use(owner, there)


def _measure(owner: Any, there: dict[str, int]) -> NextStep | None:
    working = LatencyTable.objects.owned_by(owner).filter(run__status__in=Run.ACTIVE)
    timed = CostPredictor.objects.owned_by(owner).usable().filter(quantity=CostPredictor.Quantity.LATENCY)
    if usable_tables(owner).exists() or timed.exists() or working.exists():
        return None
    text = "Searches need to know how fast operators are on the device: measure its latency table."
    if there["devices"] == 1:
        return NextStep(text, "Open the device", Device.objects.owned_by(owner)[0].get_absolute_url())
    return NextStep(text, "Choose a device", reverse("devices"))


def _learn(owner: Any) -> NextStep | None:
    if usable_predictors(owner).exists():
        return None
    working = Predictor.objects.owned_by(owner).filter(run__status__in=Run.ACTIVE).first()
    if working is not None:
        return NextStep(
            f"“{working.name}” is being built and needs nothing from you. Searches can start then.",
            "Watch it learn",
            working.get_absolute_url(),
        )
    return NextStep(
        "Searches need to know how accurate networks will be: build a predictor from real trainings.",
        "Build a predictor",
        reverse("predictor-new"),
    )


def _search(owner: Any) -> NextStep | None:
    if Search.objects.owned_by(owner).exists():
        return None
    return NextStep(
        "A table and a predictor are there, or on their way: search for the best network within a limit.",
        "New search",
        reverse("search-new"),
    )


def _use(owner: Any, there: dict[str, int]) -> NextStep:
    best = Candidate.objects.filter(search=OuterRef("pk"), rank=1)
    newest = Search.objects.owned_by(owner).usable().only("name")
    found = None if there["models"] else newest.filter(Exists(best)).first()
    if found is not None:
        return NextStep(
            f"“{found.name}” has candidates: train the one you like, and download it.",
            "See the candidates",
            found.get_absolute_url(),
        )
    if there["models"] and not there["studies"]:
        return NextStep(
            "Is it worth it? A study compares what was searched with a standard network scaled alike.",
            "New study",
            reverse("study-new"),
        )
    return NextStep("Another limit, another device or another data set.", "New search", reverse("search-new"))
