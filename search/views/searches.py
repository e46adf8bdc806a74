"""Pages about searches and their candidates."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from devices.exports import Export, export_asked, of_records
from devices.listing import list_response
from devices.runs.ownership import owner_of
from devices.runs.views import run_state
from devices.runs.writing import finite
from devices.tables.table import OperatorTable
from search.candidates import Explored, thinned
from search.forms.fields import flat_choices
from search.forms.searches import ModelForm, PublishedForm, SearchForm
from search.lists import searches
from search.models import Candidate, Generation, Predictor, PublishedSet, Search
from search.queries import (
    can_search,
    newer_table,
    recipe_name,
    search_rows,
    searches_of_group,
    stale_predictors,
)
from search.services.drawing import blocks
from search.services.layers import LAYER_COLUMNS, layers_with_costs
from search.services.models import start_model
from search.services.probes import start_probe
from search.services.search_time import scoring_pace
from search.services.searches import keep_front_point, search_range, start_searches
from search.services.training_time import forecasts_by_recipe
from search.views.candidate_rows import Asked, picked_of, rows_context, rows_file
from search.views.settings import Beginning, beginning

REPLAYED = 60  # generations whose populations a page carries; more are thinned evenly
REPLAYED_POINTS = 200  # individuals of each of them, but for the newest
SUMMARISED = ("best", "mean", "std", "feasible_share", "diversity")
LIMIT_COLUMNS = ("name", "value", "low", "high", "maximum", "unit", "chance")
DRAWN_FIELDS = ("pk", "rank", "latency_ms", "accuracy", "accuracy_low", "accuracy_high")
DRAWN = 800  # candidates on the chart of a search; its table and its files have all


@require_GET
def search_list(request: HttpRequest) -> HttpResponseBase:
    return list_response(
        request, searches(owner_of(request)), search_rows(owner_of(request)), "search/searches.html"
    )


@require_http_methods(["GET", "POST"])
def search_new(request: HttpRequest) -> HttpResponse:
    start = beginning(request, "search")
    form = SearchForm(start.data, initial=start.initial, owner=owner_of(request))
    if request.method == "POST" and form.is_valid():
        return redirect(start_searches(owner=owner_of(request), **form.cleaned_data))
    pace = scoring_pace(owner_of(request))
    networks = _networks_scored(form)
    context = {
        "form": form,
        "start": start,
        "can_begin": can_search(owner_of(request)),
        "networks": networks,
        "pace": pace,
        "span": pace and pace.span(networks),
        "state": {"pace": pace and asdict(pace)},
    }
    return render(request, "search/search_form.html", context, status=422 if form.errors else 200)


@require_GET
def latency_span(request: HttpRequest) -> JsonResponse:
    """Which latencies a predictor's space spans on a device: what a form says beside its limit."""
    try:
        predictor, source = (UUID(request.GET.get(name, "")) for name in ("predictor", "table"))
        return JsonResponse(search_range(owner_of(request), predictor, source))
    except (ValueError, Predictor.DoesNotExist):
        raise Http404("There is no such predictor or table.") from None


def _networks_scored(form: SearchForm) -> int:
    """By one search with what the form's fields hold, or where that is nothing with what they begin with."""
    counts = []
    for name in ("population", "generations"):
        field = form.fields[name]
        try:
            counts.append(int(field.clean(form[name].value())))
        except ValidationError:
            counts.append(int(field.initial))
    return counts[0] * counts[1]


@require_GET
def search_page(request: HttpRequest, search_id: UUID) -> HttpResponseBase:
    search = _search(request, search_id)
    if file := export_asked(request, lambda: _tables_of_search(request, search)):
        return file
    return _search_page(request, search, PublishedForm(owner=owner_of(request)))


@require_POST
def search_published(request: HttpRequest, search_id: UUID) -> HttpResponse:
    """Takes in a file of published networks and shows them on the search's chart."""
    search = _search(request, search_id)
    form = PublishedForm(request.POST, request.FILES, owner=owner_of(request))
    if not form.is_valid():
        return _search_page(request, search, form, status=422)
    networks = form.cleaned_data["networks"]
    made = PublishedSet.objects.create(
        owner=search.owner,
        name=form.cleaned_data["name"],
        points=[[one.label, one.accuracy, one.latency_ms] for one in networks],
    )
    return redirect(f"{search.get_absolute_url()}?with={made.pk}")


def _overlaid(request: HttpRequest) -> PublishedSet | None:
    """The list of published networks that the address asks for."""
    try:
        wanted = UUID(request.GET.get("with", ""))
    except ValueError:
        return None
    return PublishedSet.objects.owned_by(owner_of(request)).filter(pk=wanted).first()


def _search_page(
    request: HttpRequest, search: Search, form: PublishedForm, status: int = 200
) -> HttpResponse:
    overlaid = _overlaid(request)
    further = list(search.further_limits.select_related("table__device", "cost__device"))
    view = _asked(request, search)
    drawn, every = thinned(view.every, DRAWN, *DRAWN_FIELDS)
    count = view.rows.count() if view.is_filtered else every
    generations = generations_state(search)
    context = rows_context(request, view, count, search.get_absolute_url(), form="picks") | {
        "object": search,
        "search": search,
        "run": search.run,
        "best": search.candidates.first(),
        "newest": next(reversed(generations["generations"]), dict.fromkeys(SUMMARISED)),
        "further": further,
        "group": [_in_group(one) for one in searches_of_group(search)],
        "newer_table": newer_table(search.table) if search.table else None,
        "predictor_stale": stale_predictors([search.predictor]).get(search.predictor_id, []),
        "published_form": form,
        "published": PublishedSet.objects.owned_by(owner_of(request)),
        "overlaid": overlaid,
        # The rest comes from JSON fields, which are finite.
        "state": finite(
            {
                "run": run_state(search.run),
                "limit_ms": search.latency_limit_ms,
                "cautious": search.cautious,
                "energy_limit_mj": next((row.maximum for row in further if row.unit == "mJ"), None),
                "candidates": [drawn_state(row) for row in sorted(drawn, key=lambda row: row.rank)],
                "candidate_count": every,
            }
        )
        | {
            "front": front_state(search),
            "published": {"name": overlaid.name, "points": overlaid.points} if overlaid else None,
        }
        | generations,
    }
    return render(request, "search/search.html", context, status=status)


@require_GET
def search_page_rows(request: HttpRequest, search_id: UUID) -> HttpResponse:
    """The table of a search's page alone, for the same address."""
    search = _search(request, search_id)
    view = _asked(request, search)
    context = rows_context(request, view, view.rows.count(), search.get_absolute_url(), form="picks")
    return render(request, "search/candidate_rows.html", context)


def _asked(request: HttpRequest, search: Search) -> Asked:
    first = search.candidates.only("limits", "search").first()
    return Asked(
        searches=[Explored(search, first.limits if first else [])],
        kept=bool(request.GET.get("feasible")),
        sort=request.GET.get("sort", ""),
        picked=picked_of(request),
    )


def generations_state(search: Search) -> dict[str, Any]:
    """Every generation's summary, and the newest one's population; where to get earlier ones."""
    summaries = list(search.generation_rows.values_list("number", "summary"))
    newest = search.generation_rows.filter(number__in=[number for number, _ in summaries[-1:]])
    return {
        "generations": [
            {"number": number} | {name: summary.get(name) for name in SUMMARISED}
            for number, summary in summaries
        ],
        "population": _populations(newest),
        "replayed": {
            "generations": REPLAYED,
            "points": REPLAYED_POINTS,
            "address": reverse("search-populations", args=[search.pk]),
        },
    }


def _populations(rows: QuerySet[Generation], most: int | None = None) -> dict[str, dict[int, Any]]:
    """Populations by generation: points are [latency in ms, predicted accuracy], counts say of how many."""
    points, counts = {}, {}
    for number, found in rows.values_list("number", "points").iterator():
        step = -(-len(found) // most) if most and found else 1
        points[number], counts[number] = found[::step], len(found)
    return {"points": points, "counts": counts}


@require_GET
def search_populations(request: HttpRequest, search_id: UUID) -> HttpResponse:
    """The populations of at most REPLAYED generations, thinned, for the slider of a search's page."""
    rows = _search(request, search_id).generation_rows
    every = max(1, -(-rows.count() // REPLAYED))
    taken = rows.alias(turn=F("number") % every).filter(turn=0)
    return JsonResponse(_populations(taken, REPLAYED_POINTS))


@require_POST
def front_keep(request: HttpRequest, search_id: UUID) -> HttpResponse:
    """Makes the chosen point of the front a candidate, and leads to it."""
    search = _search(request, search_id)
    index = request.POST.get("index", "")
    if not index.isdecimal() or int(index) >= len(search.front or []):
        raise Http404("The front has no such point.")
    return redirect(keep_front_point(search, int(index)))


def _in_group(search: Search) -> dict[str, Any]:
    """A search beside those begun with it: its devices and its best candidate."""
    return {"search": search, "best": next(iter(search.candidates.all()), None)}


def _tables_of_search(request: HttpRequest, search: Search) -> dict[str, Export]:
    """The tables of a search's page: candidates as they are filtered and sorted there, and its group."""
    return {"candidates": rows_file(_asked(request, search)), "group": _group_file(search)}


def _group_file(search: Search) -> Export:
    """The searches begun with it: limits, and what is predicted of the best candidate of each."""
    head = (
        "search", "device", "latency_limit_ms", "further_limits", "status",
        "predicted_accuracy", "predicted_latency_ms",
    )  # fmt: skip

    def row(one: Search) -> list[object]:
        best = _in_group(one)["best"]
        further = [str(limit) for limit in one.further_limits.all()]
        facts = [one.name, one.device.name, one.latency_limit_ms, further, one.run.status]
        return [*facts, best and best.accuracy, best and best.latency_ms]

    return Export(f"searches-{search.group}", head, lambda: map(row, searches_of_group(search)))


def front_state(search: Search) -> dict[str, Any] | None:
    """The front as the slider reads it: points, and the names of what their values are."""
    if not search.front:
        return None
    space = search.predictor.space.load()
    varied = [gene for gene in space.genes if len(gene.choices) > 1]
    points = [
        {name: value for name, value in point.items() if name != "genes"}
        | {"values": [values[gene.name] for gene in varied]}
        for point in search.front
        for values in [space.values(point["genes"])]
    ]
    return {"labels": [gene.label for gene in varied], "points": points}


@require_GET
def candidate_page(request: HttpRequest, candidate_id: UUID) -> HttpResponseBase:
    candidate = _candidate(request, candidate_id)
    if (file := export_asked(request, lambda: _tables_of(candidate))) is not None:
        return file
    start = beginning(request, "model", {})
    form = ModelForm(initial=start.initial, owner=owner_of(request))
    return _candidate_page(request, candidate, form, start=start)


@require_POST
def model_new(request: HttpRequest, candidate_id: UUID) -> HttpResponse:
    """Begins the final training of a candidate."""
    candidate = _candidate(request, candidate_id)
    start = beginning(request, "model", {})
    form = ModelForm(start.data, initial=start.initial, owner=owner_of(request))
    if not form.is_valid():
        return _candidate_page(request, candidate, form, status=422 if form.is_bound else 200, start=start)
    return redirect(start_model(owner=owner_of(request), network=candidate, **form.cleaned_data))


@require_POST
def model_estimate(request: HttpRequest, candidate_id: UUID) -> HttpResponse:
    """Begins to time a few training steps, where nothing is known of how long a training takes."""
    candidate = _candidate(request, candidate_id)
    form = ModelForm(request.POST, owner=owner_of(request))
    if not form.is_valid():
        return _candidate_page(request, candidate, form, status=422, start=beginning(request, "model", {}))
    predictor = candidate.predictor
    start_probe(owner_of(request), predictor.space.load(), predictor.dataset, form.cleaned_data["recipe"])
    messages.info(request, "A few training steps are being timed; what a training takes follows from them.")
    return redirect(f"{candidate.get_absolute_url()}#train-title")


def drawn_state(candidate: Any) -> list[Any]:
    """A candidate as the search's chart draws it: id, rank, latency in ms, accuracy, ends of its interval."""
    shares = (candidate.accuracy, candidate.accuracy_low, candidate.accuracy_high)
    latency_ms = float(f"{candidate.latency_ms:.5g}")
    return [str(candidate.pk), candidate.rank, latency_ms, *(round(share, 5) for share in shares)]


def _candidate_page(
    request: HttpRequest, candidate: Candidate, form: ModelForm, status: int = 200, *, start: Beginning
) -> HttpResponse:
    architecture = candidate.architecture
    table = _latencies(candidate)
    layers = layers_with_costs(architecture.layers, table)
    forecasts = forecasts_by_recipe(owner_of(request), candidate)
    context = {
        "object": candidate,
        "candidate": candidate,
        "search": candidate.search,
        "values": _values_of(candidate),
        "layers": layers,
        "train_form": form,
        "forecasts": forecasts,
        "recipe_forecasts": [
            (name, label.partition(":")[0], forecasts.by_recipe[name])
            for name, label in flat_choices(form, "recipe")
            if name in forecasts.by_recipe
        ],
        "start": start,
        "models": candidate.trained_models.select_related("run").annotate(recipe_name=recipe_name()),
        "state": finite(
            {
                "layers": layers,
                "blocks": blocks(architecture.layers, table.cost_us if table else lambda operator: math.nan),
            }
        ),
    }
    return render(request, "search/candidate.html", context, status=status)


def _tables_of(candidate: Candidate) -> dict[str, Export]:
    """The tables of a candidate's page."""
    end = str(candidate.pk)
    layers = layers_with_costs(candidate.architecture.layers, _latencies(candidate))
    return {
        "limits": of_records(f"limits-{end}", LIMIT_COLUMNS, candidate.limits),
        "values": Export(
            f"hyperparameters-{end}", ("hyperparameter", "value"), lambda: _values_of(candidate)
        ),
        "layers": of_records(f"layers-{end}", LAYER_COLUMNS, layers),
    }


def _latencies(candidate: Candidate) -> OperatorTable | None:
    """The latency table that the candidate was found with, where it was with one."""
    return candidate.search.table.load() if candidate.search.table else None


def _values_of(candidate: Candidate) -> list[tuple[str, int]]:
    """The hyperparameters by their labels."""
    labels = {gene.name: gene.label for gene in candidate.architecture.space.genes}
    return [(labels[name], value) for name, value in candidate.architecture.values.items()]


def _search(request: HttpRequest, search_id: UUID) -> Search:
    rows = Search.objects.owned_by(owner_of(request)).select_related(
        "run", "predictor__space", "predictor__run", "predictor__recipe", "table__device"
    )
    search: Search = get_object_or_404(rows, pk=search_id)
    return search


def _candidate(request: HttpRequest, candidate_id: UUID) -> Candidate:
    owner: Any = owner_of(request)
    rows = Candidate.objects.filter(search__owner=owner)
    return get_object_or_404(
        rows.select_related(
            "search__run", "search__predictor__space", "search__table__device", "search__timing__device"
        ),
        pk=candidate_id,
    )
