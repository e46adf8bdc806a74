"""A network as blocks to draw: how wide, how large and how slow each is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from devices.operators import Layer, Operator


def block_of(layer: str) -> str:
    """The block a layer belongs to: "stage3.block2" for "stage3.block2.project", "stem" for "stem"."""
    parts = layer.split(".")
    return ".".join(parts[:2]) if parts[0].startswith("stage") else parts[0]


def blocks(layers: Sequence[Layer], cost_us: Callable[[Operator], float]) -> list[list[Any]]:
    """Per block, in order: name, output channels, output size in pixels, operators, share of the latency.

    Shares add up to 1, or are 0 where the latency is not known.
    """
    grouped: dict[str, list[Operator]] = {}
    for layer in layers:
        grouped.setdefault(block_of(layer.name), []).append(layer.operator)
    costs = {name: math.fsum(map(cost_us, operators)) for name, operators in grouped.items()}
    total = math.fsum(costs.values())
    known = math.isfinite(total) and total > 0.0
    return [
        [
            name,
            operators[-1].out_channels,
            operators[-1].out_size,
            len(operators),
            round(costs[name] / total, 4) if known else 0.0,
        ]
        for name, operators in grouped.items()
    ]
