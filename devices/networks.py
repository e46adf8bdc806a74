"""Measuring whole networks one by one, for whoever asks: by a worker, or by an agent on the device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from devices.measuring import pack_network
from devices.meters import available
from devices.models import Device, NetworkMeasurement
from devices.operators import Layer
from devices.runs.models import Run, Step
from devices.runs.writing import RunWriter

MOST = 1e12
"""Microseconds or millijoules that no network takes."""


def ask(
    writer: RunWriter,
    *,
    device: Device,
    index: int,
    quantity: str,
    layers: Sequence[Layer],
    steps: str,
    next_step: str,
) -> NetworkMeasurement:
    """Asks for one network of a run to be measured.

    The run's kind must have the steps `{steps}.measure` (devices.network_steps.measure) and `{steps}.prepare`
    (devices.network_steps.prepare); `next_step` is added once there is a result.
    """
    row = NetworkMeasurement.objects.create(
        run=writer.run,
        device=device,
        index=index,
        quantity=quantity,
        network=pack_network(layers),
        next_step=next_step,
    )
    doing = "measure" if device.can_be_measured_here else "prepare"
    writer.then(f"{steps}.{doing}", f"{steps}.{doing}:{index}", Step.Queue.LIGHT, {"index": index})
    return row


def record(
    writer: RunWriter,
    row: NetworkMeasurement,
    values: Sequence[float],
    facts: Mapping[str, Any] | None = None,
) -> bool:
    """Takes a network's repeated measurements in; False when it was measured already.

    Call it while holding the run. Raises ValueError for values that cannot be.
    """
    row.refresh_from_db()
    if row.values is not None or writer.run.is_final:
        return False
    if not values or not all(math.isfinite(value) and 0 < value < MOST for value in values):
        raise ValueError("Measurements must be finite numbers above 0.")
    row.values, row.facts = list(values), dict(facts or {})
    row.save(update_fields=["values", "facts"])
    writer.then(row.next_step, f"{row.next_step}:{row.index + 1}", Step.Queue.LIGHT, {"index": row.index + 1})
    return True


def waiting(device: Device) -> NetworkMeasurement | None:
    """What an agent of the device measures next."""
    if device.can_be_measured_here:
        return None
    rows = NetworkMeasurement.objects.filter(device=device, values__isnull=True, run__status__in=Run.ACTIVE)
    return rows.select_related("run", "device").order_by("pk").first()


def meters_of(device: Device) -> list[dict[str, Any]]:
    """Name and resolution of the energy meters that can be read where the device is measured."""
    if device.can_be_measured_here:
        return [meter.describe() for meter in available(settings.ENERGY_COMMAND)]
    token = device.tokens.filter(revoked_at=None).exclude(seen_at=None).order_by("-seen_at").first()
    return list(token.agent.get("meters", [])) if token else []
