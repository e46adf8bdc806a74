"""The notation in which a family writes its network, once, for one architecture and for a whole space.

A family is a function from gene values to sections, sections hold blocks, and blocks hold steps. Every number
in it, from channels to the count of a block, is an integer or an array of integers, and the arithmetic does
not care which:

- given one integer per gene, each step is one operator, and the network *lowers* to layers (lowering.py);
- given the open grid of the space (gene i's choices on axis i, every other axis of length 1, as ``numpy.ix_``
  makes it), each step is an array of operators that spans just the axes of the genes it depends on, and the
  network *enumerates* all operators of the space (enumeration.py).

A block has two branches, both starting at the block's input. A step continues its own branch; an add joins
the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from devices.operators import Activation, Kind
from search.spaces.gene import IntArray

Ints = int | IntArray
Bools = bool | npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a block, or an array of them; it does not exist where ``present`` is false."""

    name: str
    kind: Kind
    in_channels: Ints
    out_channels: Ints
    size: Ints
    kernel: Ints = 1
    stride: int = 1
    activation: Activation = "none"
    present: Bools = True
    branch: Literal["main", "shortcut"] = "main"


@dataclass(frozen=True, slots=True)
class Block:
    """Steps that occur ``count`` times one after the other, the first of them as number ``first``."""

    steps: tuple[Step, ...]
    count: Ints = 1
    first: int = 1


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the network whose cost one table look-up gives; its layers carry its name, if it has one."""

    blocks: tuple[Block, ...]
    name: str = ""


@dataclass(frozen=True)
class Layout:
    """What does not vary within a space: the stem's window and the stride of each stage.

    Raises ValueError for what no network can have.
    """

    strides: tuple[int, ...]
    stem_kernel: int = 3
    stem_stride: int = 1
    stem_pool: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.strides) <= 12:
            raise ValueError(f"strides: a network has 1 to 12 stages, not {len(self.strides)}")
        for name, value in [("stem_stride", self.stem_stride), *(("strides", s) for s in self.strides)]:
            if value not in (1, 2, 3, 4):
                raise ValueError(f"{name}: {value!r} is not a stride; choose 1 to 4")
        if self.stem_kernel not in (1, 3, 5, 7, 9, 11):
            raise ValueError(f"stem_kernel: {self.stem_kernel!r} is not an odd number from 1 to 11")


@dataclass(frozen=True)
class Family:
    """A kind of network: the genes it has for a number of stages, and the network that they describe."""

    name: str
    gene_names: Callable[[int], tuple[str, ...]]
    network: Callable[[Layout, Mapping[str, Ints], int, int], Iterator[Section]]
    """(layout, values, in_channels, classes) -> sections; values hold one entry per gene name."""
    channel_step: int = 1
    """What the output channels of every stage must be a multiple of."""


def strided(size: Ints, stride: int) -> Ints:
    """Output size of an odd window with padding ``kernel // 2``: ceil(size / stride), in pixels."""
    return (size - 1) // stride + 1
