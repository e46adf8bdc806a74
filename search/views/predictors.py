"""Pages about predictors."""

from __future__ import annotations

import csv
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from devices.runs.views import run_state
from search.forms.predictors import PredictorForm, PredictorImportForm, cost_sentence
from search.models import Predictor, Proposal
from search.queries import stale_predictors
from search.services.catalogue import space_for
from search.services.datasets import dataset_of
from search.services.predictors import import_predictor, refit_predictor, start_predictor
from search.services.probes import estimate, find_probe, how_right, start_probe
from search.views.settings import beginning

PROPOSALS_PER_PAGE = 50


@require_GET
def predictor_list(request: HttpRequest) -> HttpResponse:
    rows = list(Predictor.objects.owned_by(request.user).select_related("run", "space", "recipe"))
    stale = stale_predictors(rows)
    context = {"predictors": [(row, stale.get(row.pk, [])) for row in rows]}
    return render(request, "search/predictors.html", context)


@require_http_methods(["GET", "POST"])
def predictor_new(request: HttpRequest) -> HttpResponse:
    start = beginning(request, "predictor", _continued(request))
    form = PredictorForm(start.data, initial=start.initial, owner=request.user)
    if request.method == "POST" and form.is_valid():
        return redirect(start_predictor(owner=request.user, **form.cleaned_data))
    context = {
        "form": form,
        "start": start,
        "estimate": cost_sentence(),
        "state": {"address": reverse("predictor-estimate")},
    }
    return render(request, "search/predictor_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def predictor_estimate(request: HttpRequest) -> HttpResponse:
    """What a build would take: what is known of it, or by POST the beginning of a few timed steps."""
    asked = request.POST if request.method == "POST" else request.GET
    try:
        known = dataset_of(request.user, asked.get("dataset", ""))
        space = space_for(asked.get("space", ""), known)
        chosen = (request.user, space, known.name, asked.get("recipe", ""))
        probe = start_probe(*chosen) if request.method == "POST" else find_probe(*chosen)
    except (ValueError, KeyError):
        return JsonResponse({"problem": "Choose a space, a data set and a recipe first."})
    budget = asked.get("budget", "")
    found = estimate(probe, int(budget) if budget.isdecimal() else 1)
    if request.method == "POST" and "application/json" not in request.headers.get("Accept", ""):
        messages.info(request, "A few training steps are being timed. Ask again in some seconds.")
        return redirect("predictor-new")
    return JsonResponse(found or {"running": probe is not None})


@require_http_methods(["GET", "POST"])
def predictor_import(request: HttpRequest) -> HttpResponse:
    """The form for architectures that were trained elsewhere."""
    form = PredictorImportForm(request.POST or None, request.FILES or None, owner=request.user)
    if request.method == "POST" and form.is_valid():
        return redirect(import_predictor(owner=request.user, **form.cleaned_data))
    context = {"form": form}
    return render(request, "search/predictor_import.html", context, status=422 if form.errors else 200)


@require_POST
def predictor_refit(request: HttpRequest, predictor_id: UUID) -> HttpResponse:
    """Fits the next version to all samples there are, and leads to it."""
    predictor = _predictor(request, predictor_id)
    names = set(Predictor.objects.owned_by(request.user).values_list("name", flat=True))
    version = next(n for n in range(2, len(names) + 3) if f"{predictor.name[:70]} ({n})" not in names)
    try:
        return redirect(refit_predictor(predictor, f"{predictor.name[:70]} ({version})"))
    except ValueError as error:
        messages.error(request, str(error))
        return redirect(predictor)


@require_GET
def predictor_page(request: HttpRequest, predictor_id: UUID) -> HttpResponse:
    predictor = _predictor(request, predictor_id)
    proposals = predictor.proposals.select_related("sample").order_by("-index")
    page = Paginator(proposals, PROPOSALS_PER_PAGE).get_page(request.GET.get("page"))
    quality = predictor.quality or {}
    given = predictor.origin != Predictor.Origin.BUILT
    context = {
        "object": predictor,
        "predictor": predictor,
        "run": predictor.run,
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
        "proposals": page,
        "state": {
            "run": run_state(predictor.run),
            "budget": predictor.budget,
            "given": given,
            "samples": [
                sample_state(proposal) | ({"reason": ""} if given else {})
                for proposal in reversed(proposals.defer("sample__losses"))
            ],
            "curves": [
                {"index": proposal.index, "losses": proposal.sample.losses}
                for proposal in page
                if proposal.sample.losses
            ],
            "quality": [point.as_json() for point in predictor.quality_points.all()],
            "genes": predictor.genes or [],
            "reliability": quality.get("reliability", []),
            "scatter": [
                {"measured": measured, "predicted": predicted, "deviation": deviation}
                for measured, predicted, deviation in quality.get("scatter", [])
            ],
        },
    }
    return render(request, "search/predictor.html", context)


@require_GET
def predictor_csv(request: HttpRequest, predictor_id: UUID) -> HttpResponse:
    """Every sample with its genes by name; accuracies from 0 to 1."""
    predictor = _predictor(request, predictor_id)
    space = predictor.space.load()
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="samples-{predictor.pk}.csv"'
    columns = [
        "index",
        "status",
        "accuracy",
        "seconds",
        "chosen_for",
        "predicted",
        "deviation",
        "architecture",
    ]
    writer = csv.DictWriter(response, [*columns, *(gene.name for gene in space.genes)], extrasaction="ignore")
    writer.writeheader()
    for proposal in predictor.proposals.select_related("sample").order_by("index").iterator():
        writer.writerow(sample_state(proposal) | space.values(proposal.sample.genes))
    return response


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
        "recipe": earlier.recipe.name,
        "budget": budget,
        "initial": earlier.initial,
        "seed": earlier.seed,
        "source": earlier.source_id or "",
    }


def sample_state(proposal: Proposal) -> dict[str, Any]:
    """A sample as charts and tables show it."""
    sample = proposal.sample
    return {
        "index": proposal.index,
        "status": sample.status,
        "accuracy": sample.accuracy,
        "seconds": sample.seconds,
        "chosen_for": proposal.chosen_for,
        "reason": proposal.reason,
        "predicted": proposal.predicted,
        "deviation": proposal.deviation,
        "architecture": sample.architecture_id,
        "failure": sample.reason,
    }


def _predictor(request: HttpRequest, predictor_id: UUID) -> Predictor:
    rows = Predictor.objects.owned_by(request.user).select_related("run", "space", "recipe", "source")
    predictor: Predictor = get_object_or_404(rows, pk=predictor_id)
    return predictor
