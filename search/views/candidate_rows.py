"""The table of candidates that the explorer and a search's page share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from devices.exports import Export
from devices.listing import ROWS_AT_ONCE
from devices.runs.ownership import owner_of
from search.candidates import Explored, asked, in_order
from search.models import Candidate

ROWS = 50
FILE_COLUMNS = (
    "architecture_id", "accuracy", "accuracy_low", "accuracy_high", "latency_ms", "latency_low_ms",
    "latency_high_ms", "meets_limit", "multiply_adds", "parameters", "file_bytes", "on_front",
)  # fmt: skip
PICKED = 10


@dataclass(frozen=True)
class Asked:
    """Which candidates an address asks for, and how they are to be listed."""

    searches: list[Explored]
    kept: bool = False
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sort: str = ""
    picked: list[UUID] = field(default_factory=list)

    @property
    def rows(self) -> QuerySet[Candidate]:
        return asked(self.searches, kept=self.kept, ranges=self.ranges)

    @property
    def every(self) -> QuerySet[Candidate]:
        """All candidates of the searches."""
        return asked(self.searches)

    @property
    def is_filtered(self) -> bool:
        return self.kept or bool(self.ranges)


def picked_of(request: HttpRequest) -> list[UUID]:
    """The candidates that the address says are picked."""
    return ids_asked(request, "candidate", PICKED)


def ids_asked(request: HttpRequest, name: str, most: int) -> list[UUID]:
    """The first `most` ids that a parameter of the address has, each once; what is none is left out."""
    found: dict[UUID, None] = {}
    for text in request.GET.getlist(name):
        try:
            found[UUID(text)] = None
        except ValueError:
            continue
    return list(found)[:most]


def rows_context(
    request: HttpRequest, view: Asked, count: int, address: str, form: str = "explore"
) -> dict[str, Any]:
    """A page of the table. `count` is how many candidates are asked for; `address` is that of the whole page;
    `form` is the id of the form that the boxes for picking belong to."""
    places = {one.search.pk: place for place, one in enumerate(view.searches)}
    paginator = Paginator(in_order(view.rows, view.sort).defer("genes", "limits"), ROWS)
    vars(paginator)["count"] = count  # counted already
    page = paginator.get_page(request.GET.get("page"))
    lines: list[dict[str, Any]] = [
        {
            "candidate": row,
            "search": view.searches[places[row.search_id]].search,
            "key": f"{places[row.search_id]}.{row.rank}",
            "picked": row.pk in view.picked,
        }
        for row in page
    ]
    here = {line["candidate"].pk for line in lines}
    elsewhere = [pk for pk in view.picked if pk not in here]
    others = Candidate.objects.filter(pk__in=elsewhere, search__owner=owner_of(request).pk)
    return {
        "page": page,
        "sort": view.sort or "rank",
        "lines": lines,
        "count": count,
        "every": view.every.count() if view.is_filtered else count,
        "several": len(view.searches) > 1,
        "kept": view.kept,
        "rows_address": address,
        "rows_form": form,
        "elsewhere": others.select_related("search").only("rank", "search__name") if elsewhere else [],
    }


def rows_file(view: Asked) -> Export:
    """The table with all its pages: what is asked for, in the order that is asked for."""
    names = {one.search.pk: one.search.name for one in view.searches}
    rows = in_order(view.rows, view.sort).defer("genes", "limits")

    def lines() -> Iterator[list[object]]:
        for row in rows.iterator(chunk_size=ROWS_AT_ONCE):
            yield [names[row.search_id], row.rank, *(getattr(row, name) for name in FILE_COLUMNS)]

    return Export("candidates", ("search", "rank", *FILE_COLUMNS), lines)
