"""A network as its operators in the order in which they run."""

from __future__ import annotations

from dataclasses import dataclass

from devices.operators.operator import Operator


@dataclass(frozen=True, slots=True)
class Layer:
    """An operator placed in a network.

    A network is a ``tuple[Layer, ...]`` in topological order. ``name`` is dotted and unique in its network
    ("stage3.block2.depthwise", "stem"); ``inputs`` are the indices of the layers that feed this one, -1
    being the image. An add has two inputs, everything else one.
    """

    name: str
    operator: Operator
    inputs: tuple[int, ...]
