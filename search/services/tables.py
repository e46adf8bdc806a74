"""Latency tables for search spaces."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from devices.models import Device, LatencyTable
from devices.operators import Operator
from devices.runs.models import Run
from devices.services import interpolate_table, join_calibration, start_table
from devices.tables import Coverage
from devices.tables.plan import MEASURED_WHOLE
from search.models import TrainedModel
from search.queries import newer_table
from search.services.catalogue import remember_space
from search.spaces import SearchSpace, spanning_networks

CALIBRATION_NETWORKS = 10
MORE_CALIBRATION_NETWORKS = 16
"""Where operators are learned: the residuals then also say what that costs."""

Way = Literal["measure", "interpolate"]


def build_table(
    *,
    device: Device,
    space: SearchSpace,
    inherited: LatencyTable | None = None,
    parent: Run | None = None,
) -> LatencyTable:
    """Begins a table of the space's operators, calibrated on networks that span its costs.

    Operators that `inherited` measured are taken over. Of a space with more than MEASURED_WHOLE some
    are measured and the rest is learned. Raises ValueError when the device cannot be measured.
    """
    remember_space(space)
    operators = sorted(space.operators(), key=lambda operator: operator.key)
    whole = len(operators) <= MEASURED_WHOLE
    networks = CALIBRATION_NETWORKS if whole else MORE_CALIBRATION_NETWORKS
    return start_table(
        device=device,
        space_id=space.id,
        space_name=space.name,
        operators=operators,
        networks=[space.lower(genes) for genes in spanning_networks(space, networks)],
        inherited=inherited,
        whole=whole,
        parent=parent,
    )


def table_with(
    table: LatencyTable, space: SearchSpace, operators: Collection[Operator], *, parent: Run | None = None
) -> LatencyTable:
    """Begins a version of a table that has further operators measured, calibrated anew on networks of the
    space. Raises ValueError as `build_table`."""
    known = table.load()
    kept = [operator for operator in space.operators() if operator.key in known]
    whole = not any(known.is_learned(operator) for operator in kept)
    return start_table(
        device=table.device,
        space_id=space.id,
        space_name=space.name,
        operators=sorted({*kept, *operators}, key=lambda operator: operator.key),
        networks=[space.lower(genes) for genes in spanning_networks(space, CALIBRATION_NETWORKS)],
        inherited=table,
        whole=whole,
        parent=parent,
    )


def complete_table(*, table: LatencyTable, space: SearchSpace, way: Way) -> LatencyTable:
    """Begins a version of a table that also has the operators that it lacks of a space: measured on its
    device, or learned from those it has. Raises ValueError as `build_table`."""
    if way == "measure":
        return build_table(device=table.device, space=space, inherited=table)
    remember_space(space)
    return interpolate_table(
        table=table,
        space_id=space.id,
        space_name=space.name,
        operators=sorted(space.operators(), key=lambda operator: operator.key),
    )


def calibrate_with(model: TrainedModel, device: Device, measured_us: float) -> LatencyTable | None:
    """A version of a device's newest table of the model's space that also knows the model's latency there.

    None where there is no such table, or it lacks an operator of the model.
    """
    network, source = model.network, model.network.latency_source
    if isinstance(source, LatencyTable) and source.device == device:
        table: LatencyTable | None = newer_table(source) or source
    else:
        rows = LatencyTable.objects.usable().filter(device=device, space_id=network.predictor.space_id)
        table = rows.order_by("-version").first()
    if table is None or measured_us <= 0:
        return None
    try:
        return join_calibration(
            table=table,
            label=f"model {network.architecture_id[:8]}",
            layers=network.architecture.layers,
            measured_us=measured_us,
        )
    except LookupError:
        return None


@dataclass(frozen=True, slots=True)
class SpaceCoverage:
    """How much of one space a table covers."""

    space: SearchSpace
    label: str
    coverage: Coverage


def coverage_of(table: LatencyTable, spaces: dict[str, tuple[SearchSpace, str]]) -> list[SpaceCoverage]:
    """The table against each space, the best covered first; those it has nothing of are left out."""
    held = table.load()
    found = [
        SpaceCoverage(space, label, held.coverage(space.operators())) for space, label in spaces.values()
    ]
    found.sort(key=lambda one: (-one.coverage.share, one.label))
    return [one for one in found if one.coverage.covered]
