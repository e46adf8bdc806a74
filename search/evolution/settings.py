"""What a person may set about an evolutionary search."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one search; the same settings, seed and scores give the same search.

    population, generations: individuals scored per generation, and how many times; the initial one counts.
    elite: share of the survivors taken strictly by rank; the rest are drawn, better ranks more often,
        which keeps diversity.
    crossover: lower and upper bound of the adaptive probability that a pair mixes its genes.
    mutation: lower and upper bound of the adaptive number of genes that change in an individual, on average.
    front_share: share of each generation bred from the Pareto front rather than from the population, so
    that one run also gives the trade-offs away from the limit.
    front_columns: columns of the costs that the front trades against the objective; empty for no front.

    Raises ValueError with the setting's name for a value out of range.
    """

    population: int = 96
    generations: int = 100
    seed: int = 0
    elite: float = 0.5
    crossover: tuple[float, float] = (0.8, 1.0)
    mutation: tuple[float, float] = (0.5, 1.5)
    front_share: float = 0.6
    front_columns: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if self.population < 2:
            raise ValueError(f"A population needs at least 2 individuals, not {self.population}")
        if self.generations < 1:
            raise ValueError(f"A search needs at least 1 generation, not {self.generations}")
        if self.seed < 0:
            raise ValueError(f"The seed must not be negative, but is {self.seed}")
        for name in ("elite", "front_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is a share between 0 and 1, not {getattr(self, name)}")
        for name, most in (("crossover", 1.0), ("mutation", math.inf)):
            low, high = getattr(self, name)
            if not 0.0 <= low <= high <= most:
                raise ValueError(
                    f"The bounds of {name} must be 0 <= low <= high <= {most:g}, not {low}, {high}"
                )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The settings that `dataclasses.asdict` wrote; TypeError for an unknown one, ValueError as above."""
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in data.items()}
        return cls(**known)

    def mutation_bounds(self, genes: int) -> tuple[float, float]:
        """Bounds of the mutation rate per gene for individuals of so many genes."""
        low, high = self.mutation
        return min(1.0, low / genes), min(1.0, high / genes)
