"""Reads of candidates: which of them a page asks for, in which order, and thinned for a chart.

Every quantity that candidates can be asked by is an `Axis`: a figure (a column of the row), a further limit
of a search, or a hyperparameter. A number in an address is in the axis's unit, as it is on the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import F, Q, QuerySet
from django.utils.text import slugify

from search.models import Candidate, Search
from search.spaces import Gene, SearchSpace

FIELDS = ("accuracy", "latency_ms", "meets_limit", "multiply_adds", "parameters", "file_bytes")
SORTS = ("rank", *FIELDS)
COUNTED = ("multiply-adds", "parameters", "file size")  # limits of what is a figure anyway
NONE = Q(pk__in=[])
TOLERANCE = 1e-6  # of a chance, which was rounded when it was stored
AT_ONCE = 1000

Ranges = Mapping[str, tuple[float, float]]
"""From and to of what is asked for, by axis, in the axis's unit; an open end is infinite."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A quantity of candidates: stored values times `scale` are in its unit; a gene has `choices`."""

    name: str
    label: str
    unit: str = ""
    scale: float = 1.0
    choices: tuple[int, ...] = ()


FIGURES = (
    Axis("accuracy", "predicted accuracy", "%", 100.0),
    Axis("latency_ms", "predicted latency", "ms"),
    Axis("meets_limit", "chance to meet the latency limit", "%", 100.0),
    Axis("multiply_adds", "multiply-adds", "million", 1e-6),
    Axis("parameters", "parameters", "thousand", 1e-3),
    Axis("file_bytes", "file size", "kB", 1e-3),
)


@dataclass(frozen=True)
class Explored:
    """A finished search whose candidates are looked at, and what its candidates have in common."""

    search: Search
    limits: Sequence[Mapping[str, Any]]

    @cached_property
    def space(self) -> SearchSpace:
        return self.search.predictor.space.load()

    @cached_property
    def genes(self) -> dict[str, tuple[int, Gene]]:
        """Place and gene of every hyperparameter with a choice, by name."""
        return {
            gene.name: (place, gene) for place, gene in enumerate(self.space.genes) if len(gene.choices) > 1
        }

    @cached_property
    def further(self) -> dict[str, tuple[int, Mapping[str, Any]]]:
        """Place and description of every further limit that is no figure, by the name of its axis."""
        return {
            slugify(limit["name"]): (place, limit)
            for place, limit in enumerate(self.limits)
            if place > 0 and limit["name"] not in COUNTED
        }

    def path(self, axis: str) -> str | None:
        """How a query reaches the stored value; None where its candidates have no such quantity."""
        if axis in FIELDS:
            return axis
        if axis in self.further:
            return f"limits__{self.further[axis][0]}__value"
        return f"genes__{self.genes[axis][0]}" if axis in self.genes else None

    def kept(self) -> Q:
        """Candidates that keep every limit with the confidence that the search was begun with."""
        least = self.search.confidence - TOLERANCE
        others = {f"limits__{place}__chance__gte": least for place in range(1, len(self.limits))}
        return Q(meets_limit__gte=least, **others)

    def within(self, ranges: Ranges) -> Q:
        """Candidates inside every range; none where a range is of what they do not have."""
        asked = Q()
        for axis, (low, high) in ranges.items():
            path = self.path(axis)
            stored = self._stored(axis, low, high)
            if path is None or stored is None:
                return NONE
            for lookup, bound in zip(("gte", "lte"), stored, strict=True):
                if math.isfinite(bound):
                    asked &= Q(**{f"{path}__{lookup}": bound})
        return asked

    def _stored(self, axis: str, low: float, high: float) -> tuple[float, float] | None:
        """A range as it is stored, of a hyperparameter the places of its choices; None where it is empty."""
        if axis in self.genes:
            choices = self.genes[axis][1].choices
            places = [place for place, value in enumerate(choices) if low <= value <= high]
            return (places[0], places[-1]) if places else None
        scale = next((one.scale for one in FIGURES if one.name == axis), 1.0)
        return (low / scale, high / scale) if low <= high else None


def explored(owner: Any, searches: Sequence[UUID]) -> list[Explored]:
    """The finished searches with these ids that are the owner's, in this order. Two queries."""
    rows = Search.objects.owned_by(owner).usable().filter(pk__in=searches).defer("state", "front")
    related = rows.select_related("predictor__space", "table__device", "timing__device")
    found = {row.pk: row for row in related}
    limits = dict(Candidate.objects.filter(search__in=found, rank=1).values_list("search", "limits"))
    return [Explored(found[key], limits.get(key, [])) for key in searches if key in found]


def axes_of(searches: Sequence[Explored]) -> list[Axis]:
    """Every quantity that candidates of these searches have: figures, further limits, hyperparameters."""
    limits = {name: limit for one in searches for name, (_, limit) in one.further.items()}
    genes: dict[str, Gene] = {}
    for one in searches:
        for name, (_, gene) in one.genes.items():
            known = genes.get(name, gene)
            genes[name] = Gene(name, tuple(sorted({*known.choices, *gene.choices})))
    return [
        *FIGURES,
        *(Axis(name, limit["name"], limit["unit"]) for name, limit in limits.items()),
        *(_gene_axis(gene) for gene in genes.values()),
    ]


def _gene_axis(gene: Gene) -> Axis:
    """Its label and unit taken apart: "stage 2: kernel size (pixels)" is in "pixels"."""
    label, _, unit = gene.label.removesuffix(")").partition(" (")
    return Axis(gene.name, label, unit, choices=gene.choices)


def asked(
    searches: Sequence[Explored], *, kept: bool = False, ranges: Ranges | None = None
) -> QuerySet[Candidate]:
    """The candidates of these searches, those that keep every limit or lie in ranges alone where asked."""
    found = NONE
    for one in searches:
        found |= Q(search=one.search) & (one.kept() if kept else Q()) & one.within(ranges or {})
    return Candidate.objects.filter(found)


def in_order(rows: QuerySet[Candidate], sort: str) -> QuerySet[Candidate]:
    """Sorted by a figure, "-" before it for falling; by rank where the sort is unknown."""
    order = sort if sort.removeprefix("-") in SORTS else "rank"
    return rows.order_by(order, "rank", "pk")


def thinned(rows: QuerySet[Candidate], most: int, *fields: str) -> tuple[list[Any], int]:
    """These fields of at most `most` candidates for a chart, and how many there are. Four queries.

    The front comes first and all of it, unless it alone is more than half; the rest is taken evenly over the
    ranks.
    """
    # Each is counted and read by the index of a search's front.
    leading, others = (rows.filter(on_front=wanted) for wanted in (True, False))
    counts = leading.count(), others.count()
    front = _evenly(leading.values_list(*fields, named=True), counts[0], most // 2)
    rest = _evenly(others.values_list(*fields, named=True), counts[1], most - len(front))
    return [*front, *rest], sum(counts)


def _evenly(rows: QuerySet[Any, Any], count: int, most: int) -> list[Any]:
    step = max(1, -(-count // most))
    return list(rows.alias(turn=F("rank") % step).filter(turn=1 % step).order_by("rank")[:most])


def varied(searches: Sequence[Explored], rows: Sequence[Any], most: int) -> list[str]:
    """The hyperparameters in which these candidates differ the most, in the network's order."""
    places = {one.search.pk: one for one in searches}
    entropies: dict[str, float] = {}
    for key, one in places.items():
        genes = np.array([row.genes for row in rows if row.search_id == key], dtype=np.int64)
        for name, (place, _) in one.genes.items() if len(genes) else ():
            shares = np.bincount(genes[:, place]) / len(genes)
            found = -float(np.sum(shares[shares > 0] * np.log(shares[shares > 0])))
            entropies[name] = max(found, entropies.get(name, 0.0))
    chosen = sorted(entropies, key=lambda name: -entropies[name])[:most]
    return [name for name in entropies if name in chosen]


def in_batches(search: Search, *fields: str, most: int | None = None) -> Iterator[list[tuple[Any, ...]]]:
    """The candidates' fields by rank, AT_ONCE at a time: each batch is a query of its own."""
    last, left = 0, math.inf if most is None else most
    while left > 0:
        rows = search.candidates.filter(rank__gt=last).order_by("rank").values_list("rank", *fields)
        batch = list(rows[: int(min(AT_ONCE, left))])
        if not batch:
            return
        last, left = batch[-1][0], left - len(batch)
        yield batch
