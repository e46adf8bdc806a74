"""Writes about devices and their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import Max

from devices.models import CalibrationPoint, Device, LatencyTable, TableEntry
from devices.operators import Layer, Operator
from devices.runs.models import Run, Step
from devices.runs.services import start_run
from devices.runs.writing import finite, writing
from devices.tables.formats import Entry, TableFile

SLICE = 100  # operators one step goes round
ROUNDS = 8
SETTLING_TURNS = 4  # times that the operators whose timings spread the most are visited again


def next_version(device: Device) -> int:
    """The number of the next version of a device's table."""
    return (device.tables.aggregate(latest=Max("version"))["latest"] or 0) + 1


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
    version = next_version(device)
    run = start_run(
        owner=device.owner,
        kind="table",
        title=f"Latency table {version} of {device.name}",
        first_step="table.slice",
        queue=Step.Queue.LIGHT,
        payload={"number": 0},
        total=slices(len(keys)) * ROUNDS + SETTLING_TURNS + 1,
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


@transaction.atomic
def import_table(*, device: Device, table: TableFile, name: str) -> LatencyTable:
    """The next version of a device's table, from a file that was read whole; finished at once.

    `name` is the file's. The space it was made for is taken over where the file names one. Nothing runs in a
    worker: the rows of a file that passed its checks are one insertion, which lands whole or not at all.
    """
    facts, space = table.facts, table.facts.get("space") or {}
    version = next_version(device)
    run = Run.objects.create(
        owner=device.owner,
        kind="table",
        title=f"Latency table {version} of {device.name}",
        total=len(table.entries),
    )
    found = LatencyTable.objects.create(
        device=device,
        run=run,
        version=version,
        space_id=str(space.get("id", ""))[:16],
        space_name=str(space.get("name", "") or "imported")[:80],
        operator_keys=[entry.key for entry in table.entries if Operator.knows(entry.key)],
        networks=[],
        provenance={
            **(facts.get("provenance") or {}),
            "imported from": name[:200],
            "measured on": str((facts.get("device") or {}).get("name", "")),
        },
        calibration=facts.get("calibration"),
    )
    TableEntry.objects.bulk_create(
        (
            TableEntry(
                table=found,
                samples_us=list(entry.samples_us),
                original=entry.original,
                **asdict(entry.measurement),
            )
            for entry in table.entries
        ),
        batch_size=1000,
    )
    CalibrationPoint.objects.bulk_create(
        CalibrationPoint(
            table=found,
            label=point["label"][:80],
            summed_us=point["summed_us"],
            measured_us=point["measured_us"],
        )
        for point in facts.get("points", [])
    )
    with writing(run.pk) as writer:
        writer.start()
        writer.progress(done=len(table.entries))
        writer.succeed(f"{len(table.entries)} operators imported from {name[:200]}.")
    return found


def table_file(table: LatencyTable) -> TableFile:
    """A table as a file holds it, with everything that JSON lines keep."""
    device = table.device
    entries = tuple(
        Entry(row.measurement, tuple(row.samples_us), row.original) for row in table.entries.order_by("key")
    )
    facts = {
        "device": {
            name: getattr(device, name)
            for name in ("name", "kind", "engine", "data_type", "threads", "batch_size")
        },
        "space": {"id": table.space_id, "name": table.space_name},
        "provenance": table.provenance,
        "calibration": finite(table.calibration) if table.calibration else None,
        "points": [point.as_json() for point in table.points.all()],
    }
    return TableFile("jsonl", entries, facts)


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
