"""Latency tables for search spaces."""

from __future__ import annotations

from devices.models import Device, LatencyTable
from devices.runs.models import Run
from devices.services import start_table
from search.services.catalogue import remember_space
from search.spaces import SearchSpace, spanning_networks

CALIBRATION_NETWORKS = 10


def build_table(*, device: Device, space: SearchSpace, parent: Run | None = None) -> LatencyTable:
    """Begins a table of every operator of the space, calibrated on networks that span its costs.

    Raises ValueError when the device cannot be measured here.
    """
    remember_space(space)
    return start_table(
        device=device,
        space_id=space.id,
        space_name=space.name,
        operators=sorted(space.operators(), key=lambda operator: operator.key),
        networks=[space.lower(genes) for genes in spanning_networks(space, CALIBRATION_NETWORKS)],
        parent=parent,
    )
