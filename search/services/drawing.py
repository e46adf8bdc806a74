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


TALLEST, LOWEST, GAP, STAGE_GAP = 96.0, 8.0, 3.0, 14.0


def drawing(parts: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Blocks as boxes in pixels: as high as their output is large, as wide as it has channels (their root),
    as dark (0 to 1) as their share of the latency beside the greatest. For documents without scripts."""
    largest = max(size for _, _, size, _, _ in parts)
    most = max(share for *_, share in parts)
    left, before = 1.0, ""
    boxes: list[dict[str, Any]] = []
    for name, channels, size, operators, share in parts:
        stage = name.split(".")[0]
        left += (STAGE_GAP if before and stage != before else 0.0) + (GAP if boxes else 0.0)
        width, height = 5 + 2.1 * math.sqrt(channels), max(LOWEST, TALLEST * size / largest)
        boxes.append(
            {
                "x": round(left, 1),
                "y": round(1 + (TALLEST - height) / 2, 1),
                "width": round(width, 1),
                "height": round(height, 1),
                "shade": round(share / most, 2) if most else 0.0,
                "text": f"{name}: {channels} channels at {size} px, {operators} operators"
                + (f", {100 * share:.1f} % of the latency" if most else ""),
            }
        )
        left, before = left + width, stage
    return {"boxes": boxes, "width": round(left + 1, 1), "height": TALLEST + 2}
