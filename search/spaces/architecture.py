"""One architecture of a space: the one truth that everything else about a network derives from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from devices.operators import Layer
from search.spaces.space import SearchSpace


@dataclass(frozen=True)
class Architecture:
    """An individual of a space, held by its canonical genes: equal architectures are equal networks.

    Raises ValueError, naming the gene, for genes that the space does not have.
    """

    space: SearchSpace
    genes: tuple[int, ...]

    def __post_init__(self) -> None:
        valid = np.array([self.space.validate(self.genes)])
        object.__setattr__(self, "genes", tuple(self.space.canonical(valid)[0].tolist()))

    @cached_property
    def id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the space's id and the canonical genes."""
        content = f"{self.space.id}:{','.join(map(str, self.genes))}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def values(self) -> dict[str, int]:
        """Gene names to the values chosen."""
        return self.space.values(self.genes)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The network's operators in topological order."""
        return self.space.lower(self.genes)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds per image of the convolutions and the classifier."""
        return sum(layer.operator.multiply_adds for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Trainable parameters, those of the norms included."""
        return sum(layer.operator.parameters for layer in self.layers)
