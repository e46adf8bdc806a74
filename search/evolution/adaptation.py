"""What adapts: Deb's ranking, and the rates of crossover and mutation that follow fitness.

Srinivas and Patnaik, "Adaptive probabilities of crossover and mutation in genetic algorithms" (IEEE
Transactions on Systems, Man and Cybernetics 24(4), 1994): the fitter an individual, the less it is
disturbed; whoever is below the average is disturbed at the full rate.
"""

from __future__ import annotations

import numpy as np

from search.evolution.arrays import FloatArray, IntArray


def ranking(objective: FloatArray, violation: FloatArray) -> IntArray:
    """Positions from best to worst by Deb's rules: (n,).

    The feasible (violation 0) come first, higher objective first; the infeasible follow, smaller violation
    first, and among equal violations higher objective first. Equals keep their order. No NaN may be passed.
    """
    return np.lexsort((-objective, violation))


def fitness(objective: FloatArray, violation: FloatArray) -> FloatArray:
    """One finite number per individual in the order of Deb's rules, for comparing with an average: (n,).

    The feasible keep their objective. The infeasible lie below the worst feasible by at most the feasible's
    spread (Deb 2000 without his unbounded scale, so that no outlier moves the average past everybody).
    """
    feasible = violation == 0.0
    known = objective[feasible]
    floor = float(known.min()) if len(known) else 0.0
    spread = float(known.max()) - floor if len(known) else 0.0
    missed = 1.0 - 1.0 / (1.0 + violation)
    return np.where(feasible, objective, floor - (spread or 1.0) * missed)


def adaptive_rates(
    values: FloatArray, average: float, best: float, bounds: tuple[float, float]
) -> FloatArray:
    """Rates for individuals of fitness `values`: low for the best, high for the average and below.

    low + (high - low) * (best - f) / (best - average), at most high; where all are alike, high, for then only
    disturbance leads anywhere. values (n,); returns (n,). In Srinivas and Patnaik (1994) low
    is 0.
    """
    low, high = bounds
    gap = best - average
    if not gap > 0.0:
        return np.full(len(values), high)
    return low + (high - low) * np.minimum((best - values) / gap, 1.0)


def diversity(population: IntArray, cardinalities: IntArray) -> float:
    """Probability that two members drawn at random differ in a gene, as a mean over the genes with a choice.

    Nei's gene diversity ("Analysis of gene diversity in subdivided populations", 1973): 0 is a population
    of one architecture; uniform random genes of c choices give 1 - 1/c. population (n, genes).
    """
    free = int(np.count_nonzero(cardinalities > 1))
    if len(population) == 0 or free == 0:
        return 0.0
    starts = np.cumsum(cardinalities) - cardinalities
    shares = np.bincount((population + starts).ravel()) / len(population)
    alike = float(shares @ shares) - (len(cardinalities) - free)  # a gene without a choice is always alike
    return max(0.0, 1.0 - alike / free)
