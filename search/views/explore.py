"""The explorer: candidates of one or several searches, seen from several sides at once.

Everything that can be chosen stands in the address: `search` (any number), `feasible`, `axis` (any number),
`from.AXIS` and `to.AXIS`, `sort`, `page`, `candidate` (those picked), `chosen`.
"""

from __future__ import annotations

import math
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from devices.exports import export_asked
from devices.runs.ownership import owner_of
from devices.runs.writing import finite
from search.candidates import Axis, axes_of, explored, thinned, varied
from search.columns import COLUMNS_TYPE, KEEPS, ON_FRONT, packed
from search.models import Candidate, Search
from search.views.candidate_rows import Asked, ids_asked, picked_of, rows_context, rows_file
from search.views.candidates import glance

SEARCHES = 6  # at once: so many are told apart by colour and shape
OFFERED = 30  # searches to choose from, the newest
DRAWN_FIELDS = ("search_id", "rank", "latency_ms", "accuracy", "on_front", "genes")
DRAWN = 2000  # candidates in the page itself, so that it shows something before the columns are here
FIRST_FIGURES = ("accuracy", "latency_ms", "multiply_adds", "parameters")
FIRST_GENES = 6


@require_GET
def explore(request: HttpRequest) -> HttpResponseBase:
    view = _view(request)
    if file := export_asked(request, lambda: {"candidates": rows_file(view)}):
        return file
    drawn, count = thinned(view.rows, DRAWN, *DRAWN_FIELDS)
    axes = axes_of(view.searches)
    shown = _shown_axes(request, view, axes, drawn)
    chosen = _chosen(request, view)
    offered = _finished(request)[:OFFERED]
    context = rows_context(request, view, count, reverse("explore")) | {
        "searches": view.searches,
        "offered": {one.pk: one.name for one in [*(seen.search for seen in view.searches), *offered]},
        "taken": [one.search.pk for one in view.searches],
        "kept": view.kept,
        "axes": [(axis, axis.name in shown) for axis in axes],
        "shown": [(axis, *_texts(request, axis)) for axis in axes if axis.name in shown],
        "chosen": chosen,
        "state": finite(_state(view, axes, shown, drawn, count)),
    }
    return render(request, "search/explore.html", context | (glance(chosen) if chosen else {}))


@require_GET
def explore_rows(request: HttpRequest) -> HttpResponse:
    """The table of the explorer alone, for the same address."""
    view = _view(request)
    return render(
        request,
        "search/candidate_rows.html",
        rows_context(request, view, view.rows.count(), reverse("explore")),
    )


@require_GET
def explore_columns(request: HttpRequest) -> HttpResponse:
    """All candidates of the searches, column by column: see `search.columns`."""
    return HttpResponse(packed(_view(request).searches), content_type=COLUMNS_TYPE)


def _view(request: HttpRequest) -> Asked:
    """What is asked for; what makes no sense is left out, and without a search it is the newest."""
    wanted = ids_asked(request, "search", SEARCHES)
    if not wanted:
        wanted = list(_finished(request).values_list("pk", flat=True)[:1])
    searches = explored(owner_of(request), wanted)
    ranges = {}
    for axis in axes_of(searches):
        low, high = (_number(request.GET.get(f"{end}.{axis.name}", "")) for end in ("from", "to"))
        if low is not None or high is not None:
            ranges[axis.name] = (-math.inf if low is None else low, math.inf if high is None else high)
    return Asked(
        searches=searches,
        kept=bool(request.GET.get("feasible")),
        ranges=ranges,
        sort=request.GET.get("sort", ""),
        picked=picked_of(request),
    )


def _finished(request: HttpRequest) -> QuerySet[Search]:
    """Searches to look into, the newest first, without what they carry along."""
    return Search.objects.owned_by(owner_of(request)).usable().defer("state", "front")


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _texts(request: HttpRequest, axis: Axis) -> tuple[str, str]:
    """What stands in the fields of an axis: what was typed, where it is a number."""
    typed = [request.GET.get(f"{end}.{axis.name}", "") for end in ("from", "to")]
    low, high = (text if _number(text) is not None else "" for text in typed)
    return low, high


def _shown_axes(request: HttpRequest, view: Asked, axes: list[Axis], drawn: list[Any]) -> set[str]:
    """The axes asked for, else some figures and what varies most; what is brushed is always shown."""
    wanted = set(request.GET.getlist("axis")) & {axis.name for axis in axes}
    return (wanted or {*FIRST_FIGURES, *varied(view.searches, drawn, FIRST_GENES)}) | set(view.ranges)


def _chosen(request: HttpRequest, view: Asked) -> Candidate | None:
    """The candidate asked for, if it is of one of the searches; else the best of what is asked for."""
    related = ("search__predictor__space", "search__table__device", "search__timing__device")
    rows = view.every.select_related(*related).defer("search__state", "search__front")
    wanted = ids_asked(request, "chosen", 1)
    found = rows.filter(pk=wanted[0]).first() if wanted else None
    return found or rows.filter(rank=1).order_by("-accuracy").first()


def _state(view: Asked, axes: list[Axis], shown: set[str], drawn: list[Any], count: int) -> dict[str, Any]:
    """What the page's module starts from. A drawn candidate: search, rank, latency in ms, accuracy, marks."""
    places = {one.search.pk: place for place, one in enumerate(view.searches)}
    query = "&".join(f"search={one.search.pk}" for one in view.searches)
    return {
        "searches": [
            {
                "id": str(one.search.pk),
                "name": one.search.name,
                "limit_ms": one.search.latency_limit_ms,
                "glance": reverse("candidate-glance", args=[one.search.pk, 0]),
            }
            for one in view.searches
        ],
        "axes": [
            {"name": axis.name, "label": axis.label, "unit": axis.unit, "choices": axis.choices}
            for axis in axes
            if axis.name in shown
        ],
        "drawn": [
            [
                places[row.search_id],
                row.rank,
                float(f"{row.latency_ms:.5g}"),
                round(row.accuracy, 5),
                ON_FRONT * row.on_front,
            ]
            for row in drawn
        ],
        "count": count,
        "keeps": KEEPS,
        "on_front": ON_FRONT,
        "columns": f"{reverse('explore-columns')}?{query}",
        "rows": reverse("explore-rows"),
    }
