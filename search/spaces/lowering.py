"""From gene values to the layers of one network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from devices.operators import Layer, Operator
from search.spaces.blueprint import Block, Section, Step


def lower(sections: Iterable[Section]) -> tuple[Layer, ...]:
    """The layers, in topological order, of a network whose sections hold integers (blueprint.py)."""
    layers: list[Layer] = []
    source = -1
    for section in sections:
        for block in section.blocks:
            for number in range(block.first, block.first + cast(int, block.count)):
                prefix = f"{section.name}.block{number}." if section.name else ""
                source = _append(layers, block, prefix, source)
    return tuple(layers)


def _append(layers: list[Layer], block: Block, prefix: str, source: int) -> int:
    """Append one occurrence of a block that reads layer ``source``; return the index of its output."""
    ends = {"main": source, "shortcut": source}
    for step in block.steps:
        if step.present:
            inputs = (ends["main"], ends["shortcut"]) if step.kind == "add" else (ends[step.branch],)
            ends[step.branch] = len(layers)
            layers.append(Layer(prefix + step.name, _operator(step), inputs))
    return ends["main"]


def _operator(step: Step) -> Operator:
    return Operator(
        step.kind,
        cast(int, step.in_channels),
        cast(int, step.out_channels),
        cast(int, step.size),
        cast(int, step.kernel),
        step.stride,
        step.activation,
    )
