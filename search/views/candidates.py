"""A search's candidates as data, and one of them at a glance."""

from __future__ import annotations

import csv
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

from devices.queries import looked_up
from devices.runs.ownership import owner_of
from devices.runs.writing import finite
from search.candidates import in_batches
from search.models import Candidate, Search
from search.services.drawing import blocks
from search.views.streaming import streamed

FIELDS = (
    "accuracy", "accuracy_low", "accuracy_high", "latency_ms", "latency_low_ms", "latency_high_ms",
    "meets_limit", "multiply_adds", "parameters", "file_bytes", "on_front",
)  # fmt: skip


@require_GET
def candidates_csv(request: HttpRequest, search_id: UUID) -> HttpResponseBase:
    """The candidates with their hyperparameters by name, the best rank first."""
    search = _search(request, search_id)
    name = f"candidates-{search.pk}.csv"
    return streamed(request, _csv_lines(search), kind="text/csv", name=name)


@require_GET
def candidates_json(request: HttpRequest, search_id: UUID) -> HttpResponseBase:
    """The same as a JSON list; what limits do is added."""
    search = _search(request, search_id)
    name = f"candidates-{search.pk}.json"
    return streamed(request, _json_lines(search), kind="application/json", name=name)


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


def _csv_lines(search: Search) -> Iterator[str]:
    line = _Line()
    writer = csv.writer(line)
    head = False
    for batch in _described(search):
        if not head:
            writer.writerow(batch[0])
            head = True
        writer.writerows(row.values() for row in batch)
        yield line.taken()
    if not head:
        yield "rank\r\n"


class _Line:
    """What a CSV writer writes into, emptied for every piece."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def write(self, text: str) -> None:
        self._pieces.append(text)

    def taken(self) -> str:
        pieces, self._pieces = self._pieces, []
        return "".join(pieces)


def _json_lines(search: Search) -> Iterator[str]:
    between = "[\n"
    for batch in _described(search, "limits"):
        texts = [json.dumps(finite(row), ensure_ascii=False, allow_nan=False) for row in batch]
        yield between + ",\n".join(texts)
        between = ",\n"
    yield "\n]\n" if between.startswith(",") else "[]\n"


def _described(search: Search, *more: str) -> Iterator[list[dict[str, Any]]]:
    """The candidates by rank, as their files show them, some at a time."""
    space = search.predictor.space.load()
    fields = ("id", "architecture_id", "genes", *FIELDS, *more)
    for batch in in_batches(search, *fields):
        yield [
            {
                "id": str(key),
                "url": reverse("candidate", args=[key]),
                "architecture": architecture,
                "rank": rank,
            }
            | dict(zip((*FIELDS, *more), values, strict=True))
            | space.values(genes)
            for rank, key, architecture, genes, *values in batch
        ]


def _owned(request: HttpRequest) -> Any:
    return Search.objects.owned_by(owner_of(request))


def _search(request: HttpRequest, search_id: UUID) -> Search:
    search: Search = get_object_or_404(_owned(request).select_related("predictor__space"), pk=search_id)
    return search
