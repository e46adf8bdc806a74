"""What agents ask for and hand in."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.urls import reverse

from devices import measuring, networks
from devices.kernels import Packed, identity, input_shapes, known_files, packed_of
from devices.models import Device, DeviceToken, KernelFile, LatencyTable, NetworkMeasurement
from devices.runs.models import Run
from devices.runs.writing import finite, writing

WAIT_SECONDS = 3.0
PACKAGE = Path(__file__).resolve().parent
IN_PACKAGE = ("agent", "timing", "meters")
START = "from devices.agent.main import main\n\nraise SystemExit(main())\n"
LONGEST_FACT = 200


def agent_program() -> bytes:
    """The agent as one file that Python runs: a zip of its modules, the same for the same sources."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        names = [
            PACKAGE / "__init__.py",
            *(p for room in IN_PACKAGE for p in sorted((PACKAGE / room).glob("*.py"))),
        ]
        for path in names:
            _add(archive, str(path.relative_to(PACKAGE.parent)), path.read_text("utf-8"))
        _add(archive, "__main__.py", START)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)


def hello(token: DeviceToken, machine: Mapping[str, Any], meters: Sequence[Mapping[str, Any]]) -> Device:
    """Notes what an agent says of its machine; its device."""
    token.agent = {"machine": _short(machine), "meters": [_short(meter) for meter in meters[:10]]}
    token.save(update_fields=["agent"])
    return token.device


def _short(facts: Mapping[str, Any]) -> dict[str, Any]:
    """At most twenty facts, each a number or a short text, that every database holds."""
    short: dict[str, Any] = finite(
        {
            str(name)[:40]: value
            if value is None or isinstance(value, bool | int | float)
            else str(value)[:LONGEST_FACT]
            for name, value in list(facts.items())[:20]
        }
    )
    return short


def next_work(device: Device) -> dict[str, Any]:
    """What an agent of the device measures next, or how long it waits before it asks again."""
    table = open_table(device)
    if table is None and (row := networks.waiting(device)) is not None:
        return _one_network(row)
    if table is None:
        return {
            "message": "Nothing to measure: start a table on the device's page.",
            "wait_seconds": WAIT_SECONDS,
            "idle": True,
        }
    wanted = None if table.run.status == Run.Status.PAUSED else measuring.assignment(table)
    if wanted is None:
        said = "Paused." if table.run.status == Run.Status.PAUSED else "The server is choosing what is next."
        return {"message": said, "wait_seconds": 1.0}
    packed = {name: packed_of(table, wanted.kind, name) for name in wanted.names}
    items = work_items(device, packed)
    if items is None:
        return {"message": "The server is building the files.", "wait_seconds": 1.0}
    return {
        "message": table.run.message,
        "results": reverse("api:take_timings", args=[table.pk, wanted.number]),
        "title": table.run.title,
        "done": table.run.done,
        "total": table.run.total,
        "items": items,
    }


def _one_network(row: NetworkMeasurement) -> dict[str, Any]:
    """A whole network, measured alone."""
    items = (
        given_items(row.device, row.network["files"])
        if isinstance(row.network, dict)
        else work_items(row.device, {"network": row.network})
    )
    if items is None:
        return {"message": "The server is building the files.", "wait_seconds": 1.0}
    return {
        "message": row.run.message,
        "quantity": row.quantity,
        "results": reverse("api:take_network", args=[row.pk]),
        "title": row.run.title,
        "done": row.run.done,
        "total": row.run.total,
        "items": items,
    }


def take_network(
    token: DeviceToken,
    row: NetworkMeasurement,
    values: Mapping[str, Sequence[float]],
    facts: Mapping[str, Any],
) -> bool:
    """Takes the measurements of a whole network in; False when they were. Raises ValueError."""
    with writing(row.run_id) as writer:
        writer.start()
        found = _short(facts)
        if values.get("preprocessing"):
            found["preprocessing_us"] = min(values["preprocessing"])
        return networks.record(writer, row, values.get("network", []), found)


def work_items(device: Device, packed: Mapping[str, Packed]) -> list[dict[str, Any]] | None:
    """The files of named networks; None while one of them is not built."""
    files = known_files(device, packed.values())
    found = []
    for name, network in packed.items():
        row = files.get(identity(network))
        if row is None:
            return None
        found.append(_item(name, row, input_shapes(network)))
    return found


def given_items(device: Device, files: Sequence[Sequence[Any]]) -> list[dict[str, Any]] | None:
    """Files that were put there for the agent, as [name, digest, shapes of the inputs]."""
    digests = [known for _, known, _ in files]
    rows = {row.digest: row for row in KernelFile.objects.filter(engine=device.engine, digest__in=digests)}
    if any(name not in rows for _, name, _ in files):
        return None
    return [_item(name, rows[known], shapes) for name, known, shapes in files]


def _item(name: str, row: KernelFile, shapes: Sequence[Sequence[int]]) -> dict[str, Any]:
    address = reverse("api:kernel_file", args=[row.sha256])
    return {"name": name, "url": address, "sha256": row.sha256, "size": row.size, "inputs": shapes}


def open_table(device: Device) -> LatencyTable | None:
    """The device's oldest table that waits for an agent."""
    rows = device.tables.filter(source=LatencyTable.Source.AGENT).select_related("run", "device")
    return rows.filter(run__status__in=[*Run.ACTIVE, Run.Status.PAUSED]).order_by("version").first()


def take_timings(
    token: DeviceToken, table: LatencyTable, number: int, timings: Mapping[str, Sequence[float]]
) -> bool:
    """Takes the timings of an assignment in; False when they were, or when the run is over.

    Raises ValueError for timings that are not those asked for.
    """
    with writing(table.run_id) as writer:
        if writer.run.is_final or table.source != LatencyTable.Source.AGENT:
            return False
        writer.start()
        counted = measuring.record(writer, table, number, timings)
        if counted and not table.provenance:
            table.provenance = dict(token.agent.get("machine", {}))
            table.save(update_fields=["provenance"])
    return counted
