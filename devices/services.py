"""Writes about devices and their tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max

from devices.models import Device, LatencyTable
from devices.operators import Layer, Operator
from devices.runs.models import Run, Step
from devices.runs.services import start_run

SLICE = 100  # operators one step goes round
ROUNDS = 8


def slices(operator_count: int) -> int:
    """Into how many steps a round over that many operators is cut."""
    return -(-operator_count // SLICE)


@transaction.atomic
def start_table(
    *,
    device: Device,
    space_id: str,
    space_name: str,
    operators: Sequence[Operator],
    networks: Sequence[Sequence[Layer]],
    parent: Run | None = None,
) -> LatencyTable:
    """Begins the next version of a device's table: measures the operators, then calibrates on the networks.

    Raises ValueError when this installation's workers cannot measure the device.
    """
    if not device.can_be_measured_here:
        raise ValueError(
            f"“{device.name}” cannot be measured here: only this machine, with TorchScript and float32, can."
        )
    keys = sorted({operator.key for operator in operators})
    version = (device.tables.aggregate(latest=Max("version"))["latest"] or 0) + 1
    run = start_run(
        owner=device.owner,
        kind="table",
        title=f"Latency table {version} of {device.name}",
        first_step="table.slice",
        queue=Step.Queue.LIGHT,
        payload={"number": 0},
        total=slices(len(keys)) * ROUNDS + 1,
        parent=parent,
    )
    return LatencyTable.objects.create(
        device=device,
        run=run,
        version=version,
        space_id=space_id,
        space_name=space_name,
        operator_keys=keys,
        networks=[pack_network(layers) for layers in networks],
    )


def pack_network(layers: Sequence[Layer]) -> list[list[Any]]:
    """A lowered network as JSON: a list of [name, operator key, inputs]."""
    return [[layer.name, layer.operator.key, list(layer.inputs)] for layer in layers]


def unpack_network(packed: Sequence[Sequence[Any]]) -> tuple[Layer, ...]:
    """The inverse of `pack_network`."""
    return tuple(Layer(name, Operator.parse(key), tuple(inputs)) for name, key, inputs in packed)


def this_machine(owner: Any, threads: int = 1) -> Device:
    """The owner's device that stands for this machine, made when there is none."""
    known = Device.objects.owned_by(owner).filter(
        is_this_machine=True, engine=Device.Engine.TORCHSCRIPT, data_type=Device.DataType.FLOAT32
    )
    device, _ = known.get_or_create(
        defaults={
            "owner": owner,
            "name": "This machine",
            "kind": Device.Kind.SERVER_CPU,
            "engine": Device.Engine.TORCHSCRIPT,
            "data_type": Device.DataType.FLOAT32,
            "threads": threads,
            "batch_size": 1,
            "is_this_machine": True,
        }
    )
    return device
