"""The whole search in one call, for whoever can score a population at once: the slider, tests and benchmarks.

A long search on the web drives `GeneticSearch` itself, a batch of generations per step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from search.evolution.adaptation import ranking
from search.evolution.archive import Archive, Scored
from search.evolution.arrays import FloatArray, IntArray
from search.evolution.exchange import promising_exchanges
from search.evolution.genetic import GenerationSummary, GeneticSearch
from search.evolution.limits import Limit, binding, excess, maxima, violation
from search.evolution.reach import minimise
from search.evolution.refinement import Refinement, refine
from search.evolution.settings import Settings

EXCHANGES = 192
"""Changes of two genes scored per round of refinement."""


class Problem(Protocol):
    """What a search maximises, within which limits.

    One network for several devices is one problem with a limit per device; one network per device is one
    problem per device over the same predictor. For a cautious search let `objective` be a lower confidence
    bound and `costs` the upper ends of the latency intervals.
    """

    @property
    def cardinalities(self) -> Sequence[int]:
        """Number of choices of each gene."""

    @property
    def limits(self) -> Sequence[Limit]:
        """One limit per column of the costs; a column that matters only for the front has infinity."""

    def canonical(self, population: IntArray) -> IntArray:
        """The spelling (n, genes) that equal architectures share."""

    def neighbours(self, genes: Sequence[int]) -> IntArray:
        """All canonical individuals (n, genes) one gene away from one."""

    def objective(self, population: IntArray) -> FloatArray:
        """What to maximise (n,), as a rule predicted accuracy."""

    def costs(self, population: IntArray) -> FloatArray:
        """Costs (n, limits), all minimised."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The nearest to the limits that the search space comes.

    genes, costs: the architecture that misses the limits least, and what it costs; violation 0 means they
    can be kept.
    binding: index of the limit that binds this architecture, None without limits.
    """

    genes: tuple[int, ...]
    costs: tuple[float, ...]
    violation: float
    binding: int | None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found.

    best, refinement: the winner, and the proof that no single-gene change of it is better; None where
        nothing keeps the limits, or what does has no finite objective.
    reach: how near the space comes to limits that it cannot keep; None where it can.
    search: the evolution, whose archive holds everything scored, neighbours of the winner included;
        `candidates(result.archive, 20)` makes the ranked list of it.
    """

    best: Scored | None
    refinement: Refinement | None
    reach: Reach | None
    search: GeneticSearch

    @property
    def archive(self) -> Archive:
        return self.search.archive

    @property
    def evaluations(self) -> int:
        """Objectives asked, each once."""
        return len(self.search.archive)

    @property
    def front(self) -> list[Scored]:
        """The Pareto front of every feasible individual scored, cheapest first."""
        return [self.archive.scored(row) for row in self.archive.front.tolist()]


def run_search(
    problem: Problem,
    settings: Settings,
    on_generation: Callable[[GenerationSummary], None] | None = None,
    *,
    seeds: IntArray | None = None,
) -> SearchResult:
    """Evolve, then refine the winner by changes of one gene and exchanges of two.

    When nothing in the first generation keeps the limits, the costs alone are searched for what does; if
    nothing does, the search ends there without having asked for a single objective. seeds (n, genes) join
    the first generation. Deterministic in settings and seeds. Raises LookupError when no cost is known.
    """
    bounds = maxima(problem.limits)
    search, reach = begin(problem, settings, seeds=seeds)
    if reach is not None:
        return SearchResult(None, None, reach, search)
    while len(population := search.ask()):
        costs = problem.costs(population)
        search.tell(problem.objective(population), violation(costs, bounds), costs)
        if on_generation is not None:
            on_generation(search.summaries[-1])
    return finish(problem, search)


def begin(
    problem: Problem, settings: Settings, *, seeds: IntArray | None = None
) -> tuple[GeneticSearch, Reach | None]:
    """A search whose first generation holds an individual that keeps the limits.

    Where the space has none, the second value says how near it comes, and the search is not worth going on
    with. seeds (n, genes) join the first generation. Raises LookupError when no cost is known.
    """
    search = _begin(problem, settings, seeds)
    if np.any(violation(problem.costs(search.ask()), maxima(problem.limits)) == 0.0):
        return search, None
    reach = nearest(problem, settings, seeds=seeds)
    if reach.violation > 0.0:
        return search, reach
    found = np.array([reach.genes], dtype=np.int64)
    return _begin(problem, settings, found if seeds is None else np.concatenate([found, seeds])), None


def nearest(problem: Problem, settings: Settings, *, seeds: IntArray | None = None) -> Reach:
    """The architecture that misses the problem's limits least, judged by its costs alone.

    The first one found that keeps them all will do. Raises LookupError when no cost is known.
    """
    bounds = maxima(problem.limits)
    least = minimise(
        lambda population: violation(problem.costs(population), bounds),
        problem.cardinalities,
        problem.canonical,
        problem.neighbours,
        settings,
        seeds=seeds,
        enough=0.0,
    )
    costs = problem.costs(np.array([least.genes], dtype=np.int64))[0]
    return Reach(
        genes=least.genes,
        costs=tuple(costs.tolist()),
        violation=least.value,
        binding=binding(costs, bounds) if len(bounds) else None,
    )


def _begin(problem: Problem, settings: Settings, seeds: IntArray | None) -> GeneticSearch:
    return GeneticSearch(
        problem.cardinalities, problem.canonical, settings, columns=len(problem.limits), seeds=seeds
    )


class _Scorer:
    """Scores individuals once: those the archive does not hold are scored and join it."""

    def __init__(self, problem: Problem, bounds: FloatArray, archive: Archive) -> None:
        self.problem, self.bounds, self.archive = problem, bounds, archive
        self._around: dict[tuple[int, ...], IntArray] = {}

    def neighbours(self, genes: Sequence[int]) -> IntArray:
        """The problem's neighbours (n, genes), listed once per individual."""
        key = tuple(genes)
        if key not in self._around:
            self._around[key] = self.problem.neighbours(key)
        return self._around[key]

    def rows(self, population: IntArray) -> IntArray:
        """The archive's rows (n,) of canonical individuals (n, genes)."""
        new = population[self.archive.unseen(population)]
        if len(new):
            costs = self.problem.costs(new)
            self.archive.add(new, self.problem.objective(new), violation(costs, self.bounds), costs)
        return self.archive.rows(population)

    def __call__(self, population: IntArray) -> tuple[FloatArray, FloatArray]:
        """Objective (n,) and violation (n,)."""
        rows = self.rows(population)
        return self.archive.objective[rows], self.archive.violation[rows]


def finish(problem: Problem, search: GeneticSearch) -> SearchResult:
    """The result of an evolution that has ended; what the refinement scores joins the archive.

    Climbs by single genes and by exchanges of two take turns until neither finds better.
    """
    bounds = maxima(problem.limits)
    archive = search.archive
    if search.best is None or not search.best.feasible:
        return SearchResult(None, None, None, search)
    scorer = _Scorer(problem, bounds, archive)
    refinement = refine(search.best.genes, scorer, scorer.neighbours)
    while (better := _exchanged(scorer, refinement)) is not None:
        refinement = refine(better, scorer, scorer.neighbours)
    winner = archive.find(refinement.genes)
    return SearchResult(winner, refinement, None, search)


def _exchanged(scorer: _Scorer, refinement: Refinement) -> tuple[int, ...] | None:
    """A better individual two genes away from a refined one, or None where no promising one is better."""
    archive, problem = scorer.archive, scorer.problem
    current = np.array(refinement.genes, dtype=np.int64)
    changes = scorer.neighbours(refinement.genes)
    rows = np.append(scorer.rows(changes), scorer.rows(current[None, :]))
    gains = archive.objective[rows[:-1]] - refinement.objective
    room = -excess(archive.costs[rows], scorer.bounds)
    pairs = problem.canonical(promising_exchanges(current, changes, gains, room, EXCHANGES))
    if len(pairs) == 0:
        return None
    objective, missed = scorer(pairs)
    best = int(ranking(objective, missed)[0])
    better = missed[best] == 0.0 and objective[best] > refinement.objective
    return tuple(pairs[best].tolist()) if better else None
