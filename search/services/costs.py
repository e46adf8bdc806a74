"""Predictors of what whole networks cost on a device: energy or latency."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Max

from devices import networks
from devices.models import Device, LatencyTable
from devices.runs.models import Run, Step
from devices.runs.services import start_run
from devices.runs.writing import RunWriter
from search.models import CostPredictor
from search.predictors import GridView, Proposal, Sampler, SamplerSettings
from search.services.catalogue import remember_space
from search.services.problems import baseline_cost, compile_table, cost_features
from search.spaces import Records, SearchSpace

INITIAL_SHARE = 0.4  # of the networks, spread evenly before the sampler learns from what was measured
FEWEST_INITIAL = 5


@transaction.atomic
def import_costs(
    *,
    owner: Any,
    device: Device,
    space: SearchSpace,
    records: Records,
    meter: str,
    quantity: str = CostPredictor.Quantity.ENERGY,
) -> CostPredictor:
    """Begins the next version of a device's predictor from networks measured elsewhere, in mJ or ms.

    The newest table of the device that covers the space gives the latencies it is compared with.
    """
    return _start(
        owner=owner,
        device=device,
        space=space,
        quantity=quantity,
        first_step="cost.fit",
        total=1,
        meter=meter,
        measurements=[
            [row, value] for row, value in zip(records.genes.tolist(), records.values.tolist(), strict=True)
        ],
    )


@transaction.atomic
def measure_costs(
    *, owner: Any, device: Device, space: SearchSpace, quantity: str, budget: int
) -> CostPredictor:
    """Begins the next version from networks that the sampler picks one by one and the device measures.

    Raises ValueError for a device that nobody here can measure, and for energy without a meter.
    """
    if not device.has_kernels:
        raise ValueError(f"“{device.name}” cannot be measured from here. Import measurements instead.")
    meter = "the clock"
    if quantity == CostPredictor.Quantity.ENERGY:
        meters = networks.meters_of(device)
        if not meters:
            raise ValueError(f"No energy meter of “{device.name}” can be read. Import measurements instead.")
        meter = str(meters[0]["name"])[:120]
    return _start(
        owner=owner,
        device=device,
        space=space,
        quantity=quantity,
        first_step="cost.propose",
        total=budget,
        meter=meter,
        budget=budget,
    )


def _start(
    *,
    owner: Any,
    device: Device,
    space: SearchSpace,
    quantity: str,
    first_step: str,
    total: int,
    **fields: Any,
) -> CostPredictor:
    label = CostPredictor.Quantity(quantity).label
    run = start_run(
        owner=owner,
        kind="cost_predictor",
        title=f"{label} predictor of {device.name}",
        first_step=first_step,
        queue=Step.Queue.LIGHT,
        total=total,
    )
    # Held until the transaction ends: nobody else takes the same version.
    Device.objects.select_for_update(no_key=True).get(pk=device.pk)
    rows = device.cost_predictors.filter(quantity=quantity)
    return CostPredictor.objects.create(
        owner=owner,
        run=run,
        device=device,
        space=remember_space(space),
        table=_newest_table(device, space),
        quantity=quantity,
        version=(rows.aggregate(latest=Max("version"))["latest"] or 0) + 1,
        **fields,
    )


def _newest_table(device: Device, space: SearchSpace) -> LatencyTable | None:
    for table in LatencyTable.objects.usable().filter(device=device).order_by("-version"):
        try:
            compile_table(space, table)
        except ValueError:
            continue
        return table
    return None


def take_measured(predictor: CostPredictor) -> None:
    """Takes what was measured since into the predictor's measurements. Does not save."""
    rows = predictor.run.network_measurements.filter(values__isnull=False).order_by("index")
    asked = predictor.facts.get("asked", [])
    for row in rows[len(predictor.measurements) :]:
        found = np.array(row.values, dtype=np.float64)
        # Disturbances only add to a time; a meter errs both ways.
        latency = predictor.quantity == CostPredictor.Quantity.LATENCY
        value = float(found.min()) / 1000.0 if latency else float(np.median(found))
        predictor.measurements = [*predictor.measurements, [asked[row.index], value]]
        spread = float(np.ptp(found) / found.mean())
        spreads = [*predictor.facts.get("spreads", []), spread]
        predictor.facts = {**predictor.facts, **row.facts, "spreads": spreads}


def ask(predictor: CostPredictor, space: SearchSpace) -> Proposal | None:
    """The network to measure next; None when the space has no other."""
    view = GridView(
        cardinalities=space.shape,
        canonical=space.canonical,
        features=cost_features(space, predictor.table),
        cost=baseline_cost(space, predictor.table),
    )
    initial = max(FEWEST_INITIAL, round(INITIAL_SHARE * (predictor.budget or 0)))
    # Exploring alone: a predictor of costs has to be right everywhere, there is no best network to look for.
    sampler = Sampler(view, SamplerSettings(seed=0, initial=initial, exploration=1.0, bounds=None))
    for genes, value in predictor.measurements:
        sampler.tell(genes, float(np.log(value)))
    return sampler.ask()


def ask_for(writer: RunWriter, predictor: CostPredictor, space: SearchSpace, proposed: Proposal) -> None:
    """Has a proposed network measured."""
    asked = [*predictor.facts.get("asked", []), list(proposed.genes)]
    predictor.facts = {**predictor.facts, "asked": asked}
    networks.ask(
        writer,
        device=predictor.device,
        index=len(asked) - 1,
        quantity=predictor.quantity,
        layers=space.lower(proposed.genes),
        steps="cost",
        next_step="cost.propose",
    )


def is_over(run: Run, predictor: CostPredictor) -> bool:
    """Whether enough networks are measured."""
    return run.stop_requested or len(predictor.measurements) >= (predictor.budget or 0)
