"""Searches: what a person may ask of a predictor, and how one begins."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from devices.models import LatencyTable
from devices.runs.models import Run, Step
from devices.runs.services import start_run
from search.models import Candidate, CostPredictor, Predictor, Search, SearchLimit
from search.queries import usable_predictors, usable_tables, usable_timings
from search.services.problems import describe_candidates, latency_range, load_problem
from search.spaces import Architecture

Networks = Literal["one", "each", "both"]
"""One network for all devices, one per device, or both ways beside each other."""


@dataclass(frozen=True, slots=True)
class FurtherLimit:
    """A limit besides the first device's latency: by a table, or by a predictor over whole networks."""

    of: LatencyTable | CostPredictor
    maximum: float

    @property
    def is_latency(self) -> bool:
        return isinstance(self.of, LatencyTable) or self.of.quantity == CostPredictor.Quantity.LATENCY

    def row(self, search: Search) -> SearchLimit:
        if isinstance(self.of, LatencyTable):
            return SearchLimit(search=search, table=self.of, maximum=self.maximum)
        return SearchLimit(search=search, cost=self.of, maximum=self.maximum)


@transaction.atomic
def start_search(
    *,
    owner: Any,
    name: str,
    predictor: Predictor,
    table: LatencyTable | CostPredictor,
    latency_limit_ms: float,
    population: int,
    generations: int,
    seed: int,
    further: Sequence[FurtherLimit] = (),
    parent: Run | None = None,
    **more: Any,
) -> Search:
    """Begins a search for the most accurate architectures within limits; `more` are fields of Search.

    `table` predicts the latency: a table, or a latency predictor over whole networks.
    """
    run = start_run(
        owner=owner,
        kind="search",
        title=f"Search “{name}”",
        first_step="search.generations",
        queue=Step.Queue.LIGHT,
        total=generations,
        parent=parent,
    )
    search = Search.objects.create(
        owner=owner,
        run=run,
        name=name,
        predictor=predictor,
        table=table if isinstance(table, LatencyTable) else None,
        timing=table if isinstance(table, CostPredictor) else None,
        latency_limit_ms=latency_limit_ms,
        population=population,
        generations=generations,
        seed=seed,
        **more,
    )
    SearchLimit.objects.bulk_create(limit.row(search) for limit in further)
    return search


@transaction.atomic
def start_searches(
    *,
    networks: Networks = "one",
    name: str,
    table: LatencyTable | CostPredictor,
    latency_limit_ms: float,
    further: Sequence[FurtherLimit] = (),
    **choices: Any,
) -> Search:
    """Begins what one form asks for and gives the first search of it; the searches share a group.

    For "each" every device is searched alone, with its own latency and energy limits and all other settings.
    """
    if networks == "one":
        return start_search(
            name=name, table=table, latency_limit_ms=latency_limit_ms, further=further, **choices
        )
    group = uuid.uuid4()
    started = []
    if networks == "both":
        started.append(
            start_search(
                name=name,
                table=table,
                latency_limit_ms=latency_limit_ms,
                further=further,
                group=group,
                **choices,
            )
        )
    for device_table, limit_ms, rest in per_device(table, latency_limit_ms, further):
        started.append(
            start_search(
                name=device_name(name, device_table),
                table=device_table,
                latency_limit_ms=limit_ms,
                further=rest,
                group=group,
                **choices,
            )
        )
    return started[0]


def device_name(name: str, table: LatencyTable | CostPredictor) -> str:
    """What the search for one device is called."""
    return f"{name[:40]} for {table.device.name[:34]}"


def per_device(
    table: LatencyTable | CostPredictor, latency_limit_ms: float, further: Sequence[FurtherLimit]
) -> list[tuple[LatencyTable | CostPredictor, float, list[FurtherLimit]]]:
    """What predicts every device's latency, its latency limit and its energy limits.

    Raises ValueError naming a device whose energy is limited but not its latency.
    """
    tables = {table.device_id: (table, latency_limit_ms)}
    tables |= {one.of.device_id: (one.of, one.maximum) for one in further if one.is_latency}
    energies: dict[Any, list[FurtherLimit]] = {}
    for limit in further:
        if not limit.is_latency:
            if limit.of.device_id not in tables:
                raise ValueError(
                    f"A network for {limit.of.device.name} alone also needs a latency limit there."
                )
            energies.setdefault(limit.of.device_id, []).append(limit)
    return [(one, limit_ms, energies.get(device, [])) for device, (one, limit_ms) in tables.items()]


@transaction.atomic
def keep_front_point(search: Search, index: int) -> Candidate:
    """A point of a search's front as a candidate, made unless it is one already.

    Raises IndexError for a point that the front does not have.
    """
    point = (search.front or [])[index]
    Search.objects.select_for_update(no_key=True).get(pk=search.pk)  # of two at once the second finds it
    architecture = Architecture(search.predictor.space.load(), tuple(point["genes"]))
    known = search.candidates.filter(architecture_id=architecture.id).first()
    if known is not None:
        return known
    problem = load_problem(search)
    last = search.candidates.aggregate(last=Max("rank"))["last"] or 0
    (candidate,) = describe_candidates(search, problem, [architecture.genes], first_rank=last + 1)
    candidate.on_front = True
    candidate.save()
    return candidate


def search_range(owner: Any, predictor_id: UUID, source_id: UUID) -> dict[str, object]:
    """What the latency limit can be with a predictor on a device, in milliseconds, or why none can be.

    Raises Predictor.DoesNotExist for what is not the owner's, or not finished.
    """
    predictor = usable_predictors(owner).get(pk=predictor_id)
    source = (
        usable_tables(owner).filter(pk=source_id).first()
        or usable_timings(owner).filter(pk=source_id).first()
    )
    if source is None:
        raise Predictor.DoesNotExist
    try:
        least, greatest = latency_range(predictor.space.load(), source)
    except ValueError as error:
        return {"problem": str(error)}
    return {"least_ms": least, "greatest_ms": greatest}
