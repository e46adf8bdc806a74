"""Latency tables for search spaces."""

from __future__ import annotations

import numpy as np

from devices.models import Device, LatencyTable
from devices.runs.models import Run
from devices.services import start_table
from search.services.catalogue import remember_space
from search.spaces import SearchSpace

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


def spanning_networks(space: SearchSpace, count: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Networks whose multiply-adds are spread evenly, on a log scale, over a random part of the space."""
    multiply_adds = space.compile(lambda operator: float(operator.multiply_adds))
    pool = space.sample(np.random.default_rng([seed, 0]), 64 * count)
    order = np.argsort(np.log(multiply_adds(pool)), kind="stable")
    ranks = np.linspace(0, len(pool) - 1, count).round().astype(int)
    chosen = dict.fromkeys(tuple(int(gene) for gene in pool[order[rank]]) for rank in ranks)
    return list(chosen)
