"""Constrained evolutionary search: an adaptive genetic algorithm, limits, Pareto fronts.

Notation and array shapes, the same in every module of this room:

    individual      (genes,) int64: per gene the index of its choice, 0 <= individual[g] < cardinalities[g]
    population      (n, genes) int64, canonical: equal architectures are equal rows
    objective       (n,) float64, maximised, as a rule predicted accuracy or a lower confidence bound of it
    costs           (n, columns) float64, minimised: latencies, energies, multiply-adds, parameters, bytes
    bounds          (columns,) float64: what the costs may be, infinity where there is no limit
    violation       (n,) float64: 0 where every limit is kept, else the relative excess, summed
    rows            (n,) int64: where individuals stand in the archive

Whatever is random draws from one `numpy.random.Generator` seeded by the settings. Nothing here knows what a
gene means: a space brings its cardinalities and its canonical spelling, and the driver scores.
"""

from __future__ import annotations

from search.evolution.archive import Archive, Scored
from search.evolution.candidates import candidates
from search.evolution.driver import Problem, Reach, SearchResult, begin, finish, nearest, run_search
from search.evolution.fronts import pareto_front
from search.evolution.genetic import GenerationSummary, GeneticSearch
from search.evolution.limits import Limit, binding, excess, maxima, violation
from search.evolution.reach import Least, minimise
from search.evolution.refinement import Refinement, refine
from search.evolution.settings import Settings

__all__ = [
    "Archive",
    "GenerationSummary",
    "GeneticSearch",
    "Least",
    "Limit",
    "Problem",
    "Reach",
    "Refinement",
    "Scored",
    "SearchResult",
    "Settings",
    "begin",
    "binding",
    "candidates",
    "excess",
    "finish",
    "maxima",
    "minimise",
    "nearest",
    "pareto_front",
    "refine",
    "run_search",
    "violation",
]
