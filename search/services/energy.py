"""Energy predictors of devices."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max

from devices.models import Device, LatencyTable
from devices.runs.models import Step
from devices.runs.services import start_run
from search.models import EnergyPredictor
from search.services.catalogue import remember_space
from search.services.problems import compile_table
from search.spaces import Records, SearchSpace


@transaction.atomic
def start_energy_predictor(
    *, owner: Any, device: Device, space: SearchSpace, records: Records, meter: str
) -> EnergyPredictor:
    """Begins the next version of a device's energy predictor, from measured networks in mJ an image.

    The newest table of the device that covers the space gives the latencies it is compared with.
    """
    run = start_run(
        owner=owner,
        kind="energy_predictor",
        title=f"Energy predictor of {device.name}",
        first_step="energy.fit",
        queue=Step.Queue.LIGHT,
        total=1,
    )
    latest = device.energy_predictors.aggregate(latest=Max("version"))["latest"] or 0
    return EnergyPredictor.objects.create(
        owner=owner,
        run=run,
        device=device,
        space=remember_space(space),
        table=_newest_table(device, space),
        version=latest + 1,
        meter=meter,
        measurements=[
            [row, value] for row, value in zip(records.genes.tolist(), records.values.tolist(), strict=True)
        ],
    )


def _newest_table(device: Device, space: SearchSpace) -> LatencyTable | None:
    for table in LatencyTable.objects.usable().filter(device=device).order_by("-version"):
        try:
            compile_table(space, table)
        except ValueError:
            continue
        return table
    return None
