"""Whether a device's latency table still tells what the device is like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import UUID

from django.db.models import Max, OuterRef, Subquery

from devices.models import Device, DeviceToken, LatencyTable, NetworkMeasurement

LOCAL_VERSION = re.compile(r"\+\S*")
BULKY = ("operator_keys", "networks", "network_samples_us", "quality", "position", "calibration")
"""Fields of a table that only its own page needs."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """A device's newest finished table, and why it is stale, as sentences: none where it is fresh."""

    table: LatencyTable | None
    reasons: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        return "none" if self.table is None else "stale" if self.reasons else "fresh"


def freshness_of(devices: Sequence[Device]) -> dict[UUID, Freshness]:
    """Of every device given, by its id. Four queries, however many devices and tables there are."""
    ids = [device.pk for device in devices]
    tables = _newest_tables(ids)
    networks = dict(
        NetworkMeasurement.objects.filter(
            device__in=ids, quantity=NetworkMeasurement.Quantity.LATENCY, values__isnull=False
        )
        .order_by()
        .values_list("device")
        .annotate(Max("run__started_at"))
    )
    engines = _engines(devices)
    return {
        device.pk: Freshness(
            table := tables.get(device.pk),
            () if table is None else _reasons(table, networks.get(device.pk), engines.get(device.pk)),
        )
        for device in devices
    }


def _newest_tables(device_ids: Sequence[UUID]) -> dict[UUID, LatencyTable]:
    newest = LatencyTable.objects.usable().filter(device=OuterRef("pk")).order_by("-version").values("pk")[:1]
    ids = Device.objects.filter(pk__in=device_ids).annotate(newest=Subquery(newest)).values_list("newest")
    rows = LatencyTable.objects.filter(pk__in=[pk for (pk,) in ids if pk]).select_related("run", "device")
    return {row.device_id: row for row in rows.defer(*BULKY)}


def _reasons(table: LatencyTable, measured_at: Any, engine: str | None) -> tuple[str, ...]:
    """A network is newer when its run began after the table was finished: one timed for the table is not."""
    reasons = []
    finished = table.run.finished_at
    if measured_at is not None and finished is not None and measured_at > finished:
        reasons.append("Whole networks were measured on the device since.")
    then = table.provenance.get("engine")
    if engine and then and "imported from" not in table.provenance and _release(then) != _release(engine):
        reasons.append(f"It was measured with {then}; the device now has {engine}.")
    return tuple(reasons)


def _engines(devices: Sequence[Device]) -> dict[UUID, str]:
    """What executes networks on the devices now: the torch here, or what their agents said last."""
    agents = DeviceToken.objects.filter(
        device__in=[device.pk for device in devices], revoked_at=None, seen_at__isnull=False
    ).order_by("seen_at")
    found = {token.device_id: token.agent.get("machine", {}).get("engine") for token in agents}
    here = _torch()
    return {device.pk: here for device in devices if device.can_be_measured_here and here} | {
        device: engine for device, engine in found.items() if engine
    }


@cache
def _torch() -> str:
    """As profiling names it, without importing it."""
    try:
        return f"TorchScript, torch {version('torch')}"
    except PackageNotFoundError:
        return ""


def _release(engine: str) -> str:
    """Builds of one release count as the same: their tags differ between the package and the program."""
    return LOCAL_VERSION.sub("", engine)
