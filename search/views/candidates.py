"""A search's candidates as data, and one of them at a glance."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from devices.exports import Export, export
from devices.queries import looked_up
from devices.runs.ownership import owner_of
from devices.runs.writing import finite
from search.candidates import in_batches
from search.models import Candidate, Search
from search.services.drawing import blocks

FIELDS = (
    "accuracy", "accuracy_low", "accuracy_high", "latency_ms", "latency_low_ms", "latency_high_ms",
    "meets_limit", "multiply_adds", "parameters", "file_bytes", "on_front",
)  # fmt: skip


@require_GET
def candidates_csv(request: HttpRequest, search_id: UUID) -> HttpResponseBase:
    """The candidates with their hyperparameters by name, the best rank first."""
    return export(request, _candidates(_search(request, search_id)), "csv")


@require_GET
def candidates_json(request: HttpRequest, search_id: UUID) -> HttpResponseBase:
    """The same as a JSON list; what limits do is added."""
    return export(request, _candidates(_search(request, search_id), "limits"), "json")


@require_GET
def candidate_glance(request: HttpRequest, search_id: UUID, rank: int) -> HttpResponse:
    """What the explorer shows of the candidate under the pointer: figures, and the network's blocks."""
    related = ("search__predictor__space", "search__table__device", "search__timing__device")
    rows = Candidate.objects.select_related(*related).defer("search__state", "search__front")
    candidate = get_object_or_404(rows, search__in=_owned(request), search=search_id, rank=rank)
    return render(request, "search/explore_candidate.html", glance(candidate))


def glance(candidate: Candidate) -> dict[str, Any]:
    """A candidate in short, with its blocks as network_drawing.js takes them."""
    labels = {gene.name: gene.label for gene in candidate.architecture.space.genes}
    return {
        "candidate": candidate,
        "blocks_json": json.dumps(_drawn_blocks(candidate)),
        "values": [(labels[name], value) for name, value in candidate.architecture.values.items()],
    }


def _drawn_blocks(candidate: Candidate) -> Any:
    """The network's blocks, with their shares of the latency by the table of its search. One query."""
    layers, table = candidate.architecture.layers, candidate.search.table
    if table is None:
        return blocks(layers, lambda operator: math.nan)
    costs = looked_up([table], {layer.operator.key for layer in layers})
    return finite(blocks(layers, costs[table.pk].cost_us))


def _candidates(search: Search, *more: str) -> Export:
    """The candidates by rank with their hyperparameters; `more` names further fields."""
    space = search.predictor.space.load()
    described = (*FIELDS, *more)
    genes = [gene.name for gene in space.genes]

    def rows() -> Iterator[list[object]]:
        for batch in in_batches(search, "id", "architecture_id", "genes", *described):
            for rank, key, architecture, row_genes, *values in batch:
                by_name = space.values(row_genes)
                page = reverse("candidate", args=[key])
                yield [key, page, architecture, rank, *values, *(by_name[name] for name in genes)]

    return Export(f"candidates-{search.pk}", ["id", "url", "architecture", "rank", *described, *genes], rows)


def _owned(request: HttpRequest) -> Any:
    return Search.objects.owned_by(owner_of(request))


def _search(request: HttpRequest, search_id: UUID) -> Search:
    search: Search = get_object_or_404(_owned(request).select_related("predictor__space"), pk=search_id)
    return search
