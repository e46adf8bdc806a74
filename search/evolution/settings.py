"""What a person may set about an evolutionary search."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one search; the same settings, seed and scores give the same search.

    population, generations: individuals scored per generation, and how many times; the initial one counts.
    elite: share of the survivors taken strictly by rank; the rest are drawn, better ranks more often, which keeps
        diversity.
    crossover, mutation: lower and upper bound of the adaptive rates; crossover is the probability that a pair
        mixes, mutation the probability per gene, its lower bound None for one gene per individual on average.
    front_share: share of each generation bred from neighbours on the Pareto front rather than from the population, so
        that one run also gives the trade-offs away from the limit.
    front_columns: columns of the costs that the front trades against the objective; empty for no front.

    Raises ValueError with the setting's name for a value out of range.
    """

    population: int = 96
    generations: int = 100
    seed: int = 0
    elite: float = 0.5
    crossover: tuple[float, float] = (0.5, 1.0)
    mutation: tuple[float | None, float] = (None, 0.1)
    front_share: float = 0.4
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
        for name in ("crossover", "mutation"):
            low, high = getattr(self, name)
            if not 0.0 <= (0.0 if low is None else low) <= high <= 1.0:
                raise ValueError(f"The bounds of {name} must be 0 <= low <= high <= 1, not {low} and {high}")

    def mutation_bounds(self, genes: int) -> tuple[float, float]:
        """Bounds of the mutation rate per gene for individuals of so many genes."""
        low, high = self.mutation
        lower = 1.0 / max(genes, 1) if low is None else low
        return lower, max(lower, high)
