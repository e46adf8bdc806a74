"""Breeding: which parents meet, how strongly their offspring vary, who survives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.evolution.adaptation import adaptive_rates, fitness, ranking
from search.evolution.archive import Archive
from search.evolution.arrays import FloatArray, IntArray
from search.evolution.settings import Settings
from search.evolution.variation import any_scale_step, crossover, mutate


@dataclass(frozen=True, slots=True)
class Brood:
    """Offspring (n, genes), not yet canonical or distinct, and the mean rates that made them."""

    offspring: IntArray
    crossover_rate: float
    mutation_rate: float


def breed(
    rng: np.random.Generator, archive: Archive, members: IntArray, cardinalities: IntArray, settings: Settings
) -> Brood:
    """One generation of offspring of the members (archive rows, best first).

    Parents win binary tournaments; a share of the pairs come from the Pareto front instead. A
    pair's rates follow its better parent's fitness (Srinivas and Patnaik 1994); pairs on the front count as
    the best, being the best of their cost.
    """
    scores = fitness(archive.objective[members], archive.violation[members])
    average, best = float(scores.sum()) / len(scores), float(scores.max())
    positions = rng.integers(0, len(members), (2, 2, settings.population)).min(axis=0)
    parents, better = members[positions], scores[positions].max(axis=0)
    on_front = round(settings.front_share * settings.population) if len(archive.front) > 1 else 0
    if on_front:
        parents[:, :on_front] = front_pairs(rng, archive, settings.front_columns, on_front)
        better[:on_front] = best
    crossing = adaptive_rates(better, average, best, settings.crossover)
    mutating = adaptive_rates(better, average, best, settings.mutation_bounds(len(cardinalities)))
    children = crossover(rng, archive.genes[parents[0]], archive.genes[parents[1]], crossing)
    return Brood(
        offspring=mutate(rng, children, cardinalities, mutating),
        crossover_rate=float(crossing.sum()) / len(crossing),
        mutation_rate=float(mutating.sum()) / len(mutating),
    )


def front_pairs(rng: np.random.Generator, archive: Archive, columns: tuple[int, ...], n: int) -> IntArray:
    """Rows (2, n) of n pairs on the front, the first spread evenly over the (logarithmic) cost of one column.

    Evenly over the cost, not over the points: where the front is thin, breeding is denser. The second
    stands some places further along the front, every order of magnitude of the distance alike. With several
    columns each generation follows one of them, drawn at random.
    """
    column = columns[int(rng.integers(len(columns)))]
    front = archive.front
    costs = archive.costs[front, column]
    order = np.argsort(costs, kind="stable")
    front, places = front[order], _logarithmic(costs[order])
    first = np.searchsorted(places, rng.uniform(places[0], places[-1], n))
    first = np.minimum(first, len(front) - 1)
    pairs: IntArray = front[np.stack([first, any_scale_step(rng, first, np.full(n, len(front)))])]
    return pairs


def _logarithmic(costs: FloatArray) -> FloatArray:
    """The logarithm of positive costs; costs that reach 0 stay as they are."""
    return np.log(costs) if costs[0] > 0.0 else costs


def survivors(rng: np.random.Generator, archive: Archive, rows: IntArray, settings: Settings) -> IntArray:
    """Of parents and offspring (archive rows) the next population, best first: at most `settings.population`.

    The elite survive by rank. The other places go to the lowest of relative rank plus uniform noise:
    everybody has a chance, the better ones a better one, and the population keeps more than one way of
    being good.
    """
    ranked = rows[ranking(archive.objective[rows], archive.violation[rows])]
    if len(ranked) <= settings.population:
        return ranked
    elite = max(1, round(settings.elite * settings.population))
    rest = len(ranked) - elite
    noisy = np.arange(rest) / rest + rng.random(rest)
    drawn = np.sort(np.argsort(noisy, kind="stable")[: settings.population - elite])
    return np.concatenate([ranked[:elite], ranked[elite:][drawn]])
