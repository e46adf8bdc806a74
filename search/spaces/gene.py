"""The hyperparameters of a space: what a gene is called, what it may be, and when it does not matter.

A gene's name is "<part>.<trait>" ("stage2.expansion", "head.channels") or a bare trait ("resolution"). The
trait settles everything but the choices, so a gene is its name and its choices.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

GeneKind = Literal["ordinal", "categorical"]


@dataclass(frozen=True, slots=True)
class Trait:
    """What genes of one sort have in common: their label for people, and the values that make sense."""

    label: str
    maximum: int
    kind: GeneKind = "ordinal"
    odd: bool = False
    rest_only: bool = False


TRAITS = {
    "resolution": Trait("input resolution (pixels)", maximum=1024),
    "channels": Trait("output channels", maximum=8192),
    "expansion": Trait("expansion ratio (times the input channels)", maximum=16),
    "repeats": Trait("depth (blocks)", maximum=64),
    "kernel": Trait("kernel size (pixels)", maximum=15, kind="categorical", odd=True),
    "first_ratio": Trait("bottleneck of the first block (eighths of the output channels)", maximum=16),
    "ratio": Trait(
        "bottleneck of the other blocks (eighths of the output channels)", maximum=16, rest_only=True
    ),
}


@dataclass(frozen=True)
class Gene:
    """One hyperparameter and its choices, ascending values such as channels; genes hold indices into them.

    Raises ValueError, naming the gene, when the choices are not distinct ascending values that make sense.
    """

    name: str
    choices: tuple[int, ...]

    def __post_init__(self) -> None:
        if self._trait_name not in TRAITS:
            raise ValueError(f"{self.name}: no such hyperparameter; known are {', '.join(TRAITS)}")
        if not self.choices:
            raise ValueError(f"{self.name}: has no choices; give at least one value")
        for value in self.choices:
            self._check_value(value)
        if any(left >= right for left, right in zip(self.choices, self.choices[1:], strict=False)):
            raise ValueError(f"{self.name}: {spell(self.choices)} must be ascending, each value once")

    def _check_value(self, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{self.name}: {value!r} is not a whole number")
        if not 1 <= value <= self.trait.maximum:
            raise ValueError(f"{self.name}: {value} is outside 1 to {self.trait.maximum}")
        if self.trait.odd and value % 2 == 0:
            raise ValueError(f"{self.name}: {value} is even; choose odd values such as 3, 5 or 7")

    @property
    def part(self) -> str:
        """The part of the network that the gene shapes: "stem", "stage3", "head", or "" for all of it."""
        return self.name.rpartition(".")[0]

    @property
    def _trait_name(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def trait(self) -> Trait:
        """What all genes of this sort have in common."""
        return TRAITS[self._trait_name]

    @property
    def label(self) -> str:
        """The name for people, with its unit: "stage 2: depth (blocks)"."""
        part = re.sub(r"(\d+)$", r" \1", self.part)
        return f"{part}: {self.trait.label}" if part else self.trait.label

    @property
    def kind(self) -> GeneKind:
        """Whether the choices have an order that cost and accuracy may be expected to follow."""
        return self.trait.kind

    @property
    def inert_when_one(self) -> str | None:
        """Name of the gene at whose value 1 this gene shapes no block and is inert; None if never inert."""
        return f"{self.part}.repeats" if self.trait.rest_only else None

    def index(self, value: int) -> int:
        """Index of a value among the choices; ValueError names the gene and its choices."""
        if isinstance(value, bool) or value not in self.choices:
            raise ValueError(f"{self.name}: {value!r} is not a choice; choose one of {spell(self.choices)}")
        return self.choices.index(value)

    def nearest(self, value: int) -> int:
        """Index of the choice nearest to a value, the smaller one if two are as near."""
        return min(range(len(self.choices)), key=lambda index: abs(self.choices[index] - value))


def check_names(given: Collection[str], expected: Collection[str]) -> None:
    """Raise ValueError naming the first gene that is unknown, or else the first that is missing."""
    for name in given:
        if name not in expected:
            raise ValueError(f"{name}: the space has no such gene; its genes are {', '.join(expected)}")
    for name in expected:
        if name not in given:
            raise ValueError(f"{name}: missing; give a value for every gene")


def spell(choices: Sequence[object]) -> str:
    """Choices as a person reads them, the middle of a long list left out."""
    texts = [str(choice) for choice in choices]
    return ", ".join(texts if len(texts) <= 12 else [*texts[:4], "...", *texts[-2:]])
