"""The steps that measure one whole network. Run in a worker's child: only here is torch imported."""

from __future__ import annotations

from typing import Any

import torch
from django.conf import settings

from devices import networks
from devices.building import ensure_files
from devices.measuring import network_layers
from devices.meters import MeterError, available, measure_energy
from devices.models import NetworkMeasurement
from devices.profiling import network_calls, time_networks
from devices.runs.steps import ClaimedStep, StepFailedError
from devices.tables.plan import NETWORK_ROUNDS
from devices.timing import pinned


def measure(step: ClaimedStep) -> None:
    """Measures one network of the step's run on this machine."""
    row = _row(step)
    values, facts = _measured(step, row)
    with step.commit() as writer:
        networks.record(writer, row, values, facts)


def prepare(step: ClaimedStep) -> None:
    """Builds the file of one network for the agent."""
    row = _row(step)
    ensure_files(row.device, [row.network], on_file=step.check)
    with step.commit() as writer:
        writer.event("network.prepared", {"index": row.index})


def _row(step: ClaimedStep) -> NetworkMeasurement:
    rows = NetworkMeasurement.objects.select_related("device")
    return rows.get(run=step.run, index=step.payload["index"])


def _measured(step: ClaimedStep, row: NetworkMeasurement) -> tuple[list[float], dict[str, Any]]:
    device = row.device
    torch.set_num_threads(device.threads)
    with pinned(device.threads), torch.inference_mode():
        (call,) = network_calls([network_layers(row.network)], device.batch_size)
        if row.quantity == NetworkMeasurement.Quantity.LATENCY:
            (timings,) = time_networks([call], rounds=NETWORK_ROUNDS, seed=row.index, on_round=step.check)
            return timings, {}
        meters = available(settings.ENERGY_COMMAND)
        if not meters:
            raise StepFailedError(
                "This machine has no energy meter that can be read: no RAPL, no Nvidia GPU, and "
                "ENERGY_COMMAND names no reading program. Import measurements from CSV instead.",
                mendable=True,
            )
        try:
            found = measure_energy(call, meters[0], check=lambda: step.check(every_seconds=0))
        except MeterError as error:
            raise StepFailedError(str(error), mendable=True) from error
    return [1000.0 * joules / device.batch_size for joules in found.joules_a_call], found.facts()
