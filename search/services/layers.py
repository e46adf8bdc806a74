"""The layers of networks with what each costs, of one network or of several beside one another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from devices.operators import Layer
from devices.tables import OperatorTable
from search.services.drawing import block_of

LAYER_COLUMNS = (
    "name", "kind", "shape", "multiply_adds", "parameters", "latency_us", "learned", "share",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer by its name in several networks: of each its facts, None where a network lacks the layer."""

    name: str
    block: str
    cells: tuple[dict[str, Any] | None, ...]


def layers_with_costs(layers: Sequence[Layer], table: OperatorTable | None) -> list[dict[str, Any]]:
    """Facts of every layer: latencies in µs, and their shares, 0 to 1, of the sum of these.

    What the table does not hold has neither.
    """
    found: list[dict[str, Any]] = [
        {
            "name": layer.name,
            "block": block_of(layer.name),
            "kind": layer.operator.kind,
            "shape": f"{layer.operator.in_channels} → {layer.operator.out_channels} at "
            f"{layer.operator.size} px, kernel {layer.operator.kernel}, stride {layer.operator.stride}",
            "multiply_adds": layer.operator.multiply_adds,
            "parameters": layer.operator.parameters,
            "latency_us": table.cost_us(layer.operator) if table and layer.operator.key in table else None,
            "learned": table is not None and table.is_learned(layer.operator),
        }
        for layer in layers
    ]
    total = math.fsum(layer["latency_us"] or 0.0 for layer in found)
    for layer in found:
        layer["share"] = layer["latency_us"] / total if layer["latency_us"] is not None else None
    return found


def side_by_side(networks: Sequence[Sequence[dict[str, Any]]]) -> list[LayerRow]:
    """Every layer that one of the networks has, once, in an order that all follow where they can."""
    names: list[str] = []
    for network in networks:
        at = 0
        for layer in network:
            if layer["name"] in names:
                at = names.index(layer["name"]) + 1
            else:
                names.insert(at, layer["name"])
                at += 1
    held = [{layer["name"]: layer for layer in network} for network in networks]
    return [LayerRow(name, block_of(name), tuple(mine.get(name) for mine in held)) for name in names]
