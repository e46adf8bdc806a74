"""Pages about predictors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from devices.exports import Export, export, export_asked, of_records
from devices.listing import ROWS_AT_ONCE, Listed, list_response
from devices.runs.ownership import owner_of
from devices.runs.views import run_state
from search.forms.fields import recipe_value
from search.forms.predictors import PredictorForm, PredictorImportForm, cost_sentence
from search.lists import SAMPLES, predictors
from search.models import Predictor
from search.queries import predictor_rows, stale_predictors
from search.services.catalogue import space_for
from search.services.datasets import dataset_of
from search.services.predictors import import_predictor, refit_predictor, start_predictor
from search.services.probes import estimate, find_probe, how_right, is_timing, start_probe, why_none
from search.views.settings import Beginning, beginning
from search.views.thinning import quality_state, sample_state, samples_state

MEASURES = ("mae", "rmse", "spearman", "kendall", "coverage_50", "coverage_90", "coverage_95")
SAMPLE_COLUMNS = (
    "index", "status", "accuracy", "seconds", "chosen_for", "predicted", "deviation", "architecture",
    "failure",
)  # fmt: skip


@require_GET
def predictor_list(request: HttpRequest) -> HttpResponseBase:
    """Predictors, each with why it is stale, if it is."""
    return list_response(
        request,
        predictors(owner_of(request)),
        predictor_rows(owner_of(request)),
        "search/predictors.html",
        prepare=_with_staleness,
    )


def _with_staleness(rows: Sequence[Any]) -> None:
    found = stale_predictors(rows)
    for row in rows:
        row.stale = found.get(row.pk, [])


@require_http_methods(["GET", "POST"])
def predictor_new(request: HttpRequest) -> HttpResponse:
    start = beginning(request, "predictor", _continued(request))
    form = PredictorForm(start.data, initial=start.initial, owner=owner_of(request))
    if request.method == "POST" and form.is_valid():
        return redirect(start_predictor(owner=owner_of(request), **form.cleaned_data))
    return _form_page(request, form, start)


def _form_page(
    request: HttpRequest, form: PredictorForm, start: Beginning, found: dict[str, Any] | None = None
) -> HttpResponse:
    """The form of a build; `found` is what was asked for with `predictor_estimate`."""
    context = {
        "form": form,
        "start": start,
        "estimate": cost_sentence(),
        "found": found,
        "budget": form["budget"].value(),
        "state": {"address": reverse("predictor-estimate")},
    }
    return render(request, "search/predictor_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def predictor_estimate(request: HttpRequest) -> HttpResponse:
    """What a build would take: what is known of it, or by POST the beginning of a few timed steps.

    A form that was sent without JavaScript is answered with the page, all that was chosen in its place.
    """
    found = _estimated(request)
    if request.method == "GET" or "application/json" in request.headers.get("Accept", ""):
        return JsonResponse(found)
    chosen = request.POST.dict()
    form = PredictorForm(initial=chosen, owner=owner_of(request))
    return _form_page(request, form, Beginning(chosen, None), found)


def _estimated(request: HttpRequest) -> dict[str, Any]:
    """Seconds of the build asked about, or why there are none: it is `running`, or there is a `problem`."""
    asked = request.POST if request.method == "POST" else request.GET
    try:
        known = dataset_of(owner_of(request), asked.get("dataset", ""))
        space = space_for(asked.get("space", ""), known)
        chosen = (owner_of(request), space, known.name, asked.get("recipe", ""))
        probe = start_probe(*chosen) if request.method == "POST" else find_probe(*chosen)
    except (ValueError, KeyError):
        return {"problem": "Choose a space, a data set and a recipe first."}
    budget = asked.get("budget", "")
    found = estimate(probe, int(budget) if budget.isdecimal() else 1)
    return found or {"running": is_timing(probe), "problem": why_none(probe)}


@require_http_methods(["GET", "POST"])
def predictor_import(request: HttpRequest) -> HttpResponse:
    """The form for architectures that were trained elsewhere."""
    form = PredictorImportForm(request.POST or None, request.FILES or None, owner=owner_of(request))
    if request.method == "POST" and form.is_valid():
        return redirect(import_predictor(owner=owner_of(request), **form.cleaned_data))
    context = {"form": form}
    return render(request, "search/predictor_import.html", context, status=422 if form.errors else 200)


@require_POST
def predictor_refit(request: HttpRequest, predictor_id: UUID) -> HttpResponse:
    """Fits the next version to all samples there are, and leads to it."""
    predictor = _predictor(request, predictor_id)
    try:
        return redirect(refit_predictor(predictor))
    except ValueError as error:
        messages.error(request, str(error))
        return redirect(predictor)


@require_GET
def predictor_page(request: HttpRequest, predictor_id: UUID) -> HttpResponseBase:
    predictor = _predictor(request, predictor_id)
    quality = predictor.quality or {}
    given = predictor.origin != Predictor.Origin.BUILT
    listing = replace(SAMPLES, choices=SAMPLES.choices[:1]) if given else SAMPLES
    listed = Listed(request, listing, predictor.proposals.select_related("sample"))
    if (file := export_asked(request, lambda: _files_of(predictor, listed))) is not None:
        return file
    drawn = samples_state(predictor, given=given)
    accuracies = [one["accuracy"] for one in drawn["samples"] if one["accuracy"] is not None]
    context = {
        "object": predictor,
        "predictor": predictor,
        "run": predictor.run,
        "best": max(accuracies, default=None),  # of all: the best so far are always drawn
        "qualities": [
            (label, found)
            for label, found in (
                ("Cross-validated", quality),
                ("Leave-one-out", quality.get("leave_one_out")),
            )
            if found
        ],
        "quality": quality or None,
        "given": given,
        "how_right": how_right(predictor),
        "stale": stale_predictors([predictor]).get(predictor.pk, []),
        "listed": listed,
        "state": {
            "run": run_state(predictor.run),
            "budget": predictor.budget,
            "given": given,
            "genes": predictor.genes or [],
            "reliability": quality.get("reliability", []),
            "curves": _curves(listed),
        }
        | drawn
        | quality_state(predictor),
    }
    return render(request, "search/predictor.html", context)


def _curves(listed: Listed) -> list[dict[str, Any]]:
    """Losses by epoch of the samples on the page."""
    rows: list[Any] = list(listed.page)
    return [{"index": row.index, "losses": row.sample.losses} for row in rows if row.sample.losses]


def _files_of(predictor: Predictor, listed: Listed) -> dict[str, Export]:
    """The tables of a predictor's page."""
    quality = predictor.quality or {}
    judged = [
        {"judged": name} | found
        for name, found in (("cross-validated", quality), ("leave-one-out", quality.get("leave_one_out")))
        if found
    ]
    course = ("samples", "rmse", "mae", "spearman", "kendall")
    end = str(predictor.pk)
    return {
        "samples": _samples_file(predictor, listed.matching),
        "quality": of_records(f"quality-{end}", ("judged", *MEASURES), judged),
        "course": of_records(
            f"quality-by-samples-{end}", course, (point.as_json() for point in predictor.quality_points.all())
        ),
        "held-out": Export(
            f"held-out-{end}", ("measured", "predicted", "deviation"), lambda: quality.get("scatter", [])
        ),
    }


def _samples_file(predictor: Predictor, proposals: QuerySet[Any]) -> Export:
    """Samples with their genes by name; accuracies from 0 to 1."""
    space = predictor.space.load()
    genes = [gene.name for gene in space.genes]

    def rows() -> Iterator[list[object]]:
        for proposal in proposals.iterator(chunk_size=ROWS_AT_ONCE):
            facts, values = sample_state(proposal), space.values(proposal.sample.genes)
            yield [*(facts[name] for name in SAMPLE_COLUMNS), *(values[name] for name in genes)]

    return Export(f"samples-{predictor.pk}", [*SAMPLE_COLUMNS, *genes], rows)


@require_GET
def predictor_csv(request: HttpRequest, predictor_id: UUID) -> HttpResponseBase:
    """Every sample, in the order in which they were proposed."""
    predictor = _predictor(request, predictor_id)
    proposals = predictor.proposals.select_related("sample").order_by("index")
    return export(request, _samples_file(predictor, proposals), "csv")


def _continued(request: HttpRequest) -> dict[str, Any]:
    """What the form begins with when an earlier build is continued: its settings and twice its budget."""
    try:
        earlier_id = UUID(request.GET.get("continue", ""))
    except ValueError:
        return {"dataset": request.GET.get("dataset", "digits")}
    earlier = _predictor(request, earlier_id)
    budget = 2 * earlier.budget
    return {
        "name": f"{earlier.name[:60]}, {budget} samples",
        "space": earlier.space.name,
        "dataset": earlier.dataset,
        "recipe": recipe_value(earlier.owner, earlier.recipe),
        "budget": budget,
        "initial": earlier.initial,
        "seed": earlier.seed,
        "source": earlier.source_id or "",
    }


def _predictor(request: HttpRequest, predictor_id: UUID) -> Predictor:
    rows = Predictor.objects.owned_by(owner_of(request)).select_related("run", "space", "recipe", "source")
    predictor: Predictor = get_object_or_404(rows, pk=predictor_id)
    return predictor
