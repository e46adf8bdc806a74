"""Families of operators, what their times depend on, and which of them are timed first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.operators import Operator

FloatArray = npt.NDArray[np.float64]

BLOCKS = (8, 16, 32, 64)  # channels that vectors, tiles and caches' lines hold
CONSIDERED = 1500  # operators of a family that others are chosen among
WHOLE = 48  # a family of at most so many operators is timed whole
FIRST_SHARE, FIRST_LEAST, FIRST_MOST = 0.05, 40, 160  # of a family, before anything is known


class Family(NamedTuple):
    """Operators that differ in channels and size only."""

    kind: str
    kernel: int
    stride: int
    activation: str

    @property
    def label(self) -> str:
        window = f" {self.kernel}×{self.kernel}" if self.kind in ("conv", "depthwise", "maxpool") else ""
        stride = f", stride {self.stride}" if self.stride > 1 else ""
        return self.kind + window + stride + (f", {self.activation}" if self.activation != "none" else "")


def family_of(operator: Operator) -> Family:
    return Family(operator.kind, operator.kernel, operator.stride, operator.activation)


def families(operators: Iterable[Operator]) -> dict[Family, list[Operator]]:
    """Operators by family; order within a family as given."""
    found: defaultdict[Family, list[Operator]] = defaultdict(list)
    for operator in operators:
        found[family_of(operator)].append(operator)
    return dict(found)


def inputs_of(operators: Sequence[Operator]) -> FloatArray:
    """What an operator's time is learned from: (n, 5 + 2 * (2 * len(BLOCKS) - 1)), logarithms to base 2."""
    channels = np.array([[one.in_channels, one.out_channels] for one in operators], dtype=np.float64)
    size = np.array([one.size for one in operators], dtype=np.float64)
    work = np.array([one.multiply_adds + one.output_elements for one in operators], dtype=np.float64)
    moved = np.array([one.memory_accesses for one in operators], dtype=np.float64)
    columns = [*np.log2(channels).T, 2.0 * np.log2(size), np.log2(work), np.log2(moved)]
    for block in BLOCKS:
        columns += [*np.log2(np.ceil(channels / block) * block / channels).T]
    for block in BLOCKS[1:]:
        columns += [*(channels % block == 0).astype(np.float64).T]
    return np.stack(columns, axis=1)


def first_operators(operators: Iterable[Operator], seed: int = 0) -> list[Operator]:
    """What is timed before anything is known: small families whole, of others some that lie far apart."""
    rng, chosen = np.random.default_rng(seed), list[Operator]()
    for members in families(operators).values():
        if len(members) <= WHOLE:
            chosen += members
            continue
        count = int(np.clip(FIRST_SHARE * len(members), FIRST_LEAST, FIRST_MOST))
        some = [members[int(index)] for index in rng.permutation(len(members))[:CONSIDERED]]
        chosen += [some[place] for place in _far_apart(inputs_of(some)[:, :3], count)]
    return chosen


def _far_apart(points: FloatArray, count: int) -> list[int]:
    """Places of points (n, d), each the farthest from those before it, beginning with the smallest."""
    chosen = [int(np.argmin(points.sum(axis=1)))]
    distance = np.full(len(points), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(np.argmax(distance)))
    return chosen
