"""Pages about studies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from devices.exports import Export, export, export_asked, of_records
from devices.listing import list_response
from devices.runs.ownership import owner_of
from devices.runs.templatetags.runs import duration
from devices.runs.views import run_state
from devices.runs.writing import finite
from search.forms.studies import StudyForm
from search.lists import studies
from search.models import Predictor, Study, StudyEntry
from search.queries import can_search, study_rows
from search.services.catalogue import known_recipes
from search.services.datasets import dataset_of
from search.services.studies import start_study, summary
from search.services.study_time import study_forecast
from search.spaces.scaling import most_baselines
from search.views.settings import beginning

TRAINING_COLUMNS = (
    "limit_ms", "method", "network", "architecture", "predicted_ms", "multiply_adds", "parameters",
    "seed", "status", "validation_accuracy", "test_accuracy", "measured_ms",
)  # fmt: skip
BASELINE_COLUMNS = (
    "label", "width", "depth", "resolution", "latency_ms", "latency_low_ms", "latency_high_ms",
    "multiply_adds", "parameters", "accuracy", "reason",
)  # fmt: skip


@require_GET
def study_list(request: HttpRequest) -> HttpResponseBase:
    return list_response(
        request, studies(owner_of(request)), study_rows(owner_of(request)), "search/studies.html"
    )


@require_http_methods(["GET", "POST"])
def study_new(request: HttpRequest) -> HttpResponse:
    start = beginning(request, "study")
    form = StudyForm(start.data, initial=start.initial, owner=owner_of(request))
    estimates = "estimate" in request.POST
    if estimates:
        request.changes_nothing = True  # type: ignore[attr-defined]  # read by the audit trail
    elif request.method == "POST" and form.is_valid():
        return redirect(start_study(owner=owner_of(request), **form.cleaned_data))
    context = {
        "form": form,
        "start": start,
        "can_begin": can_search(owner_of(request)),
        "estimate": _time_of(request, form) if form.is_bound else "",
    }
    status = 422 if form.errors and not estimates else 200
    return render(request, "search/study_form.html", context, status=status)


@require_GET
def study_estimate(request: HttpRequest) -> JsonResponse:
    """How long the study of a form would take, as a sentence."""
    return JsonResponse({"said": _time_of(request, StudyForm(request.GET, owner=owner_of(request)))})


def _time_of(request: HttpRequest, form: StudyForm) -> str:
    """The trainings that a form asks for and what they take, as far as its fields can be read."""
    form.is_valid()
    chosen = form.cleaned_data
    if not {"limits", "seeds"} <= chosen.keys():
        return "Give limits and seeds to see how much there is to train."
    limits, seeds = len(chosen["limits"]), chosen["seeds"]
    told = f"At most {2 * limits * seeds} trainings to the end."
    if not {"predictor", "recipe"} <= chosen.keys():
        return f"{told} Choose a predictor and a recipe to see how long they take."
    predictor: Predictor = chosen["predictor"]
    trials = most_baselines(predictor.space.load(), limits)
    told = f"{told.rstrip('.')}, after at most {trials} short trial{'s' * (trials > 1)} of scaled networks."
    try:
        known = dataset_of(owner_of(request), predictor.dataset)
    except ValueError as error:
        return f"{told} {error}"
    found = study_forecast(
        owner_of(request),
        predictor,
        known_recipes(owner_of(request), known)[chosen["recipe"]],
        known,
        limits=limits,
        seeds=seeds,
    )
    if found is None:
        return f"{told} How long one takes is not known: no network of this space was trained here yet."
    one, workers = found.training, settings.TRAIN_WORKERS
    span = f" ({duration(one.least)} to {duration(one.most)})" if one.least != one.most else ""
    return (
        f"{told} A training takes about {duration(one.seconds)}{span}; all of it, {workers} at a time, about "
        f"{duration(found.seconds)}. {found.basis} Searches and measuring come on top."
    )


@require_GET
def study_page(request: HttpRequest, study_id: UUID) -> HttpResponseBase:
    study = _study(request, study_id)
    if (file := export_asked(request, lambda: _tables_of(study))) is not None:
        return file
    rows = [_row(entry, models) for entry, models in _entries(study)]
    baselines = study.baselines.all()
    chosen = {row["entry"].baseline_id for row in rows}
    context = {
        "object": study,
        "study": study,
        "run": study.run,
        "limits": _by_limit(study, rows),
        "baselines": [(baseline, baseline.pk in chosen) for baseline in baselines],
        "state": finite(
            {
                "run": run_state(study.run),
                "limits": study.limits,
                "points": [_point(row) for row in rows if row["accuracies"]],
            }
        ),
    }
    return render(request, "search/study.html", context)


@require_GET
def study_csv(request: HttpRequest, study_id: UUID) -> HttpResponseBase:
    """Every training of the study."""
    return export(request, _trainings(_study(request, study_id)), "csv")


def _tables_of(study: Study) -> dict[str, Export]:
    """The tables of a study's page."""
    rows = ({name: getattr(row, name) for name in BASELINE_COLUMNS} for row in study.baselines.all())
    return {
        "results": _results(study),
        "trainings": _trainings(study),
        "scaled": of_records(f"scaled-networks-{study.pk}", BASELINE_COLUMNS, rows),
    }


def _results(study: Study) -> Export:
    """What is compared at every limit; accuracies from 0 to 1, over the seeds."""

    def rows() -> Iterator[list[object]]:
        for row in (_row(entry, models) for entry, models in _entries(study)):
            network, entry = row["network"], row["entry"]
            known = (network.label, network.latency_ms) if network else (None, None)
            accuracies = [model.test_accuracy for model in row["models"]]
            found = (row["measured_ms"], row["mean"], row["deviation"], accuracies)
            yield [entry.limit_ms, entry.method, *known, *found]

    head = ("limit_ms", "method", "network", "predicted_ms", "measured_ms", "mean", "deviation", "each_seed")
    return Export(f"at-every-limit-{study.pk}", head, rows)


def _trainings(study: Study) -> Export:
    """Every training of the study; accuracies from 0 to 1."""

    def rows() -> Iterator[list[object]]:
        for entry, models in _entries(study):
            network = entry.network
            if network is None:
                continue
            for model in models:
                facts = (entry.limit_ms, entry.method, network.label, network.architecture_id)
                costs = (network.latency_ms, network.multiply_adds, network.parameters)
                found = (model.validation_accuracy, model.test_accuracy, model.latency_ms)
                yield [*facts, *costs, model.seed, model.run.status, *found]

    return Export(f"study-{study.pk}", TRAINING_COLUMNS, rows)


def _entries(study: Study) -> list[tuple[StudyEntry, list[Any]]]:
    """Every entry with the trainings of its network, in the order of their seeds. Two queries."""
    models = list(study.trained_models.select_related("run").order_by("seed"))
    found = []
    for entry in study.entries.select_related("search", "candidate__search", "baseline"):
        mine = [
            model
            for model in models
            if entry.network is not None
            and (model.candidate_id, model.baseline_id) == (entry.candidate_id, entry.baseline_id)
        ]
        found.append((entry, mine))
    return found


def _row(entry: StudyEntry, models: list[Any]) -> dict[str, Any]:
    return {"entry": entry, "network": entry.network, "models": models} | summary(models)


def _by_limit(study: Study, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {row["limit_ms"]: row for row in study.result or []}
    limits = []
    for limit in study.limits:
        result = found.get(limit)
        mine = [row for row in rows if row["entry"].limit_ms == limit]
        limits.append({"limit_ms": limit, "rows": mine, "result": result, "sentence": sentence(result)})
    return limits


def sentence(result: dict[str, Any] | None) -> str:
    """How a limit's gain is to be read."""
    if result is None or result["gain"] is None:
        return ""
    gain = f"{100 * abs(result['gain']):.2f} points"
    side = "above" if result["gain"] >= 0 else "below"
    if result["reading"] == "one seed":
        return f"The searched network is {gain} {side}; one seed says nothing of the noise."
    interval = f"95 % interval {100 * result['low']:+.2f} to {100 * result['high']:+.2f}"
    if result["reading"] == "within the noise":
        return f"The searched network is {gain} {side}, which is within the noise ({interval})."
    return f"The searched network is {result['reading']} by {gain} ({interval})."


def _point(row: dict[str, Any]) -> dict[str, Any]:
    accuracies = [100 * one for one in row["accuracies"]]
    network = row["network"]
    return {
        "method": row["entry"].method,
        "limit_ms": row["entry"].limit_ms,
        "x": network.latency_ms,
        "y": 100 * row["mean"],
        "low": min(accuracies),
        "high": max(accuracies),
        "measured_ms": row["measured_ms"],
        "note": f"{network.label}, limit {row['entry'].limit_ms:g} ms",
    }


def _study(request: HttpRequest, study_id: UUID) -> Study:
    rows = Study.objects.owned_by(owner_of(request)).select_related(
        "run", "predictor__space", "recipe", "asked_table__device", "table__device"
    )
    study: Study = get_object_or_404(rows, pk=study_id)
    return study
