"""Searches, their fronts and their candidates."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from devices.api.answers import Line, Linked, Page, Refused, Size, Window, With, checked, filled, page_of
from devices.api.runs import RunFacts
from devices.runs.ownership import owner_of
from search.forms.searches import SearchForm
from search.models import Candidate, Search
from search.services.searches import keep_front_point, start_searches

router = Router(tags=["searches"])
candidates = Router(tags=["candidates"])


class SearchFacts(Linked):
    """A constrained search over a predictor."""

    id: UUID
    name: str
    predictor_id: UUID
    table_id: UUID | None
    timing_id: UUID | None = Field(description="A latency predictor, where there is no table.")
    latency_limit_ms: float
    confidence: float
    cautious: bool
    population: int
    generations: int
    seed: int
    max_multiply_adds: int | None
    max_parameters: int | None
    max_file_bytes: int | None
    group: UUID | None = Field(description="Shared by searches that were begun together.")
    created_at: datetime
    run: RunFacts


class LimitFacts(Schema):
    """A further limit."""

    quantity: str
    maximum: float
    unit: str


class SearchDetail(SearchFacts):
    """A search with its further limits and how it went."""

    further_limits: list[LimitFacts]
    neighbours: int | None
    generation_count: int
    last_generation: dict[str, Any] | None


class NewLimit(Schema):
    """A limit on something else: the latency of another device, or a device's energy."""

    of: Line = Field(description="“table:ID” of a latency table, or “cost:ID” of a cost predictor.")
    maximum: float = Field(description="Milliseconds, or millijoules.")


class NewSearch(Schema):
    """What a search looks for."""

    name: Line
    predictor: UUID
    table: UUID = Field(description="A latency table, or a latency predictor over whole networks.")
    latency_limit_ms: float
    confidence: Literal[0.5, 0.8, 0.9, 0.95] = 0.9  # type: ignore[valid-type]  # JSON numbers
    cautious: bool = False
    networks: Literal["one", "each", "both"] = Field(
        default="one", description="With several devices: one network for all, one for each, or both."
    )
    max_multiply_adds: int | None = None
    max_parameters: int | None = None
    max_file_kb: float | None = None
    population: int = 96
    generations: int = 100
    seed: int = 0
    limits: list[NewLimit] = Field(default=[], max_length=16)


class CandidateFacts(Linked):
    """A network that a search proposes, with its predictions and their 95 % intervals."""

    id: UUID
    search_id: UUID
    rank: int
    architecture: str
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    latency_ms: float
    latency_low_ms: float
    latency_high_ms: float
    meets_limit: float = Field(description="Probability of meeting the latency limit.")
    multiply_adds: int
    parameters: int
    file_bytes: int
    on_front: bool

    @staticmethod
    def resolve_architecture(row: Candidate) -> str:
        return row.architecture_id


class LayerFacts(Schema):
    """An operator of a network; its latency is null where no table knows it."""

    name: str
    operator: str
    multiply_adds: int
    parameters: int
    latency_us: float | None
    is_learned: bool


class CandidateDetail(CandidateFacts):
    """A candidate with its hyperparameters and its layers."""

    values: dict[str, Any]
    limits: list[Any]
    layers: list[LayerFacts]


class FrontPoint(Schema):
    """A network of a front, with what is predicted of it."""

    index: int
    facts: dict[str, Any]
    values: dict[str, Any] = Field(description="Its hyperparameters.")


class Kept(Schema):
    """A point of a front."""

    index: Size


@router.get("", response=Page[SearchFacts])
def list_searches(request: HttpRequest, window: Query[Window]) -> Any:
    """List searches, the newest first."""
    rows = Search.objects.owned_by(owner_of(request)).select_related("run").defer("state", "front")
    return page_of(request, rows.order_by("-created_at", "-pk"), window)


@router.post("", response={201: SearchFacts})
def begin_search(request: HttpRequest, data: NewSearch) -> Any:
    """Begin a search. Of several that are begun together the first is answered; they share a `group`."""
    owner, limits = owner_of(request), data.limits
    fields = filled(data)
    fields |= {"limits-TOTAL_FORMS": str(len(limits)), "limits-INITIAL_FORMS": "0"}
    for number, limit in enumerate(limits):
        fields |= {f"limits-{number}-of": limit.of, f"limits-{number}-maximum": limit.maximum}
    form = SearchForm(fields, owner=owner)
    form.is_valid()  # rows are looked at with it
    return Status(201, start_searches(owner=owner, **checked(form, *form.limits.forms)))


@router.get("/{uuid:search_id}", response=SearchDetail)
def get_search(request: HttpRequest, search_id: UUID) -> Any:
    """Get a search."""
    row = _search(request, search_id)
    further = row.further_limits.select_related("table__device", "cost__device")
    last = row.generation_rows.order_by("number").last()
    return With(
        row,
        further_limits=list(further),
        generation_count=row.generation_rows.count(),
        last_generation={"number": last.number} | last.summary if last else None,
    )


@router.get("/{uuid:search_id}/candidates", response=Page[CandidateFacts])
def list_candidates(request: HttpRequest, search_id: UUID, window: Query[Window]) -> Any:
    """List a search's candidates, the best first."""
    return page_of(request, _search(request, search_id).candidates.order_by("rank", "pk"), window)


@router.get("/{uuid:search_id}/front", response=Page[FrontPoint])
def list_front(request: HttpRequest, search_id: UUID, window: Query[Window]) -> Any:
    """List a search's front: the most accurate network for every latency, fastest first."""
    search = _search(request, search_id)
    space = search.predictor.space.load()
    points = list(enumerate(search.front or []))

    def shape(found: list[Any]) -> list[Any]:
        return [
            {
                "index": index,
                "facts": {name: value for name, value in point.items() if name != "genes"},
                "values": space.values(point["genes"]),
            }
            for index, point in found
        ]

    return page_of(request, points, window, shape)


@router.post("/{uuid:search_id}/front", response={201: CandidateFacts})
def keep_point(request: HttpRequest, search_id: UUID, data: Kept) -> Any:
    """Make a point of a search's front a candidate."""
    search = _search(request, search_id)
    if data.index >= len(search.front or []):
        raise Refused(422, "The front has no such point.")
    return Status(201, keep_front_point(search, data.index))


@candidates.get("/{uuid:candidate_id}", response=CandidateDetail)
def get_candidate(request: HttpRequest, candidate_id: UUID) -> Any:
    """Get a candidate with its layers."""
    row = candidate_of(request, candidate_id)
    architecture = row.architecture
    table = row.search.table.load() if row.search.table else None
    layers = []
    for layer in architecture.layers:
        cost = table.cost_us(layer.operator) if table else math.nan
        layers.append(
            {
                "name": layer.name,
                "operator": layer.operator.key,
                "multiply_adds": layer.operator.multiply_adds,
                "parameters": layer.operator.parameters,
                "latency_us": cost if math.isfinite(cost) else None,
                "is_learned": table is not None and table.is_learned(layer.operator),
            }
        )
    return With(row, values=architecture.values, layers=layers)


def candidate_of(request: HttpRequest, candidate_id: UUID) -> Candidate:
    """A candidate of the request's owner; there is no other."""
    rows = Candidate.objects.filter(search__owner=owner_of(request)).select_related(
        "search__run", "search__predictor__space", "search__table__device", "search__timing__device"
    )
    return get_object_or_404(rows, pk=candidate_id)


def _search(request: HttpRequest, search_id: UUID) -> Search:
    rows = Search.objects.owned_by(owner_of(request)).select_related("run", "predictor__space")
    found: Search = get_object_or_404(rows, pk=search_id)
    return found
