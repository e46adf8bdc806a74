"""Writes about devices and their tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import chain, count
from typing import Any

from django.db import transaction
from django.db.models import Max

from devices import measuring
from devices.measuring import pack_network
from devices.models import CalibrationPoint, Device, LatencyTable, TableEntry, TableScope
from devices.operators import Layer, Operator
from devices.runs.models import Run, Step
from devices.runs.services import start_run
from devices.runs.writing import writing
from devices.tables import calibrate, first_operators
from devices.tables.formats import Entry, TableFile

POINT_FIELDS = ("summed_us", "measured_us", "learned_us", "expected_us")


def next_version(device: Device) -> int:
    """The number of the next version of a device's table. Holds the device until the transaction ends, so
    that nobody else takes the same number."""
    Device.objects.select_for_update(no_key=True).get(pk=device.pk)
    return (device.tables.aggregate(latest=Max("version"))["latest"] or 0) + 1


@transaction.atomic
def start_table(
    *,
    device: Device,
    space_id: str,
    space_name: str,
    operators: Sequence[Operator],
    networks: Sequence[Sequence[Layer]],
    inherited: LatencyTable | None = None,
    whole: bool = True,
    parent: Run | None = None,
) -> LatencyTable:
    """Begins the next version of a device's table: measures the operators, then calibrates on the networks.

    Operators that `inherited` has measured are taken over. Unless the table is `whole`, only some operators
    are measured and the rest is learned from them. Workers measure what is this machine, an agent what is
    not. Raises ValueError for a device that neither can measure.
    """
    if not device.has_kernels:
        raise ValueError(
            f"“{device.name}” cannot be measured: operators are built for TorchScript and ONNX Runtime, in "
            "float32. Import a table that was measured elsewhere."
        )
    here = device.can_be_measured_here
    known = _inherited(inherited, operators) if inherited else []
    taken = {entry.key for entry in known}
    chosen = list(operators) if whole else first_operators(operators)
    version = next_version(device)
    run = start_run(
        owner=device.owner,
        kind="table",
        title=f"Latency table {version} of {device.name}",
        first_step="table.measure" if here else "table.prepare",
        queue=Step.Queue.LIGHT,
        parent=parent,
    )
    table = LatencyTable(
        device=device,
        run=run,
        version=version,
        source=LatencyTable.Source.WORKER if here else LatencyTable.Source.AGENT,
        space_id=space_id,
        space_name=space_name,
        operator_keys=sorted({operator.key for operator in chosen} - taken),
        operator_count=len(set(operators)),
        networks=[pack_network(layers) for layers in networks],
    )
    if not whole:
        table.scope = TableScope(table=table, packed=TableScope.pack(sorted({o.key for o in operators})))
    measuring.begin(table)
    run.total = measuring.remaining(table)
    run.save(update_fields=["total"])
    table.save()
    if not whole:
        table.scope.save()
    _copy_entries(known, table)
    return table


def _inherited(table: LatencyTable, operators: Iterable[Operator]) -> list[TableEntry]:
    """The measured rows of a table that are among these operators."""
    wanted = {operator.key for operator in operators}
    return [entry for entry in table.rows.filter(deviation=0) if entry.key in wanted]


def _copy_entries(entries: Iterable[TableEntry], table: LatencyTable) -> None:
    rows = list(entries)
    for row in rows:
        row.pk, row.table = None, table
        row._state.adding = True
    TableEntry.objects.bulk_create(rows, batch_size=1000)


@transaction.atomic
def interpolate_table(
    *, table: LatencyTable, space_id: str, space_name: str, operators: Sequence[Operator]
) -> LatencyTable:
    """Begins a version of a table in which the operators that it lacks of a space are learned.

    Its calibration is the table's; learned operators widen every interval.
    """
    device, version = table.device, next_version(table.device)
    run = start_run(
        owner=device.owner,
        kind="table",
        title=f"Latency table {version} of {device.name}",
        first_step="table.interpolate",
        queue=Step.Queue.LIGHT,
        total=1,
    )
    rows = list(table.rows.filter(deviation=0))
    found = LatencyTable.objects.create(
        device=device,
        run=run,
        version=version,
        source=LatencyTable.Source.TABLE,
        space_id=space_id,
        space_name=space_name,
        operator_keys=[row.key for row in rows],
        operator_count=len(set(operators)),
        networks=[],
        provenance={**table.provenance, "interpolated from": f"version {table.version}"},
        calibration=table.calibration,
    )
    TableScope.objects.create(table=found, packed=TableScope.pack(sorted({o.key for o in operators})))
    _copy_entries(rows, found)
    _copy_points(table, found)
    return found


def _copy_points(table: LatencyTable, heir: LatencyTable) -> None:
    CalibrationPoint.objects.bulk_create(
        CalibrationPoint(table=heir, **point.as_json()) for point in table.points.all()
    )


@transaction.atomic
def join_calibration(
    *, table: LatencyTable, label: str, layers: Sequence[Layer], measured_us: float
) -> LatencyTable:
    """The next version of a table, whose calibration also knows a network that was measured later.

    It shares the operators of the version it is made from. Raises LookupError when the table lacks one, or
    the networks that its calibration was fitted to: one network does not replace them.
    """
    looked_up = table.load()
    if looked_up.calibration.networks > table.points.count():
        raise LookupError("The table does not hold the networks that it was calibrated on.")
    device, version = table.device, next_version(table.device)
    run = Run.objects.create(
        owner=device.owner, kind="table", title=f"Latency table {version} of {device.name}", total=1
    )
    names = ("space_id", "space_name", "operator_keys", "operator_count", "networks", "provenance", "quality")
    heir = LatencyTable.objects.create(
        device=device,
        run=run,
        version=version,
        source=LatencyTable.Source.TABLE,
        basis=table.basis or table,
        position={"phase": "done"},
        **{name: getattr(table, name) for name in names},
    )
    _copy_points(table, heir)
    CalibrationPoint.objects.create(
        table=heir,
        label=label[:80],
        summed_us=looked_up.summed_us(layers),
        measured_us=measured_us,
        learned_us=looked_up.summed_learned_us(layers),
        expected_us=(expected := looked_up.network_us(layers)),
    )
    points = list(heir.points.all())
    fitted = calibrate(
        [point.summed_us for point in points],
        [point.measured_us for point in points],
        [point.learned_us for point in points],
    )
    heir.calibration = fitted.to_json()
    heir.save(update_fields=["calibration"])
    with writing(run.pk) as writer:
        writer.start()
        writer.progress(done=1)
        writer.succeed(
            f"{label}: measured {measured_us / 1000:.3g} ms, version {table.version} predicted "
            f"{expected / 1000:.3g} ms. Calibrated on {len(points)} network{'' if len(points) == 1 else 's'}."
        )
    heir.run = writer.run
    return heir


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
        source=LatencyTable.Source.FILE,
        operator_keys=(known := [entry.key for entry in table.entries if Operator.knows(entry.key)]),
        operator_count=max(len(known), space.get("operators", 0)),
        networks=[],
        quality=facts.get("quality"),
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
            **{name: point[name] for name in POINT_FIELDS if name in point},
        )
        for point in facts.get("points", [])
    )
    with writing(run.pk) as writer:
        writer.start()
        writer.progress(done=len(table.entries))
        writer.succeed(f"{len(table.entries)} operators imported from {name[:200]}.")
    found.run = writer.run
    return found


def table_file(table: LatencyTable) -> TableFile:
    """A table as a file holds it, with everything that JSON lines keep."""
    device = table.device
    entries = tuple(
        Entry(row.measurement, tuple(row.samples_us), row.original) for row in table.rows.order_by("key")
    )
    facts = {
        "device": {
            name: getattr(device, name)
            for name in ("name", "kind", "engine", "data_type", "threads", "batch_size")
        },
        "space": {"id": table.space_id, "name": table.space_name, "operators": table.operator_count},
        "provenance": table.provenance,
        "calibration": table.calibration,
        "points": [point.as_json() for point in table.points.all()],
        "quality": table.quality,
    }
    return TableFile("jsonl", entries, facts)


def this_machine(owner: Any, threads: int = 1) -> Device:
    """The owner's oldest device that stands for this machine, made when there is none."""
    owned = Device.objects.owned_by(owner)
    found: Device | None = (
        owned.filter(
            is_this_machine=True, engine=Device.Engine.TORCHSCRIPT, data_type=Device.DataType.FLOAT32
        )
        .order_by("created_at", "pk")
        .first()
    )
    if found is not None:
        return found
    taken = set(owned.values_list("name", flat=True))
    names = chain(["This machine"], (f"This machine ({number})" for number in count(2)))
    return Device.objects.create(
        owner=owner,
        name=next(name for name in names if name not in taken),
        kind=Device.Kind.SERVER_CPU,
        engine=Device.Engine.TORCHSCRIPT,
        data_type=Device.DataType.FLOAT32,
        threads=threads,
        batch_size=1,
        is_this_machine=True,
    )
