"""The steps of a search: a batch of generations each, then the refined winner, front and candidates."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from devices.runs.models import Step
from devices.runs.steps import ClaimedStep, StepFailedError
from search.evolution import (
    Archive,
    GeneticSearch,
    Limit,
    Reach,
    SearchResult,
    Settings,
    begin,
    candidates,
    finish,
    maxima,
    violation,
)
from search.models import Candidate, Generation, Search
from search.services.drawing import blocks
from search.services.problems import Problem, describe_candidates, load_problem
from search.spaces import Architecture, FloatArray, IntArray

BATCH = 10
OFFERED = 20
FRONT_POINTS = 150  # more are thinned evenly


def run_generations(step: ClaimedStep) -> None:
    """Ten generations on from where the last step ended; after the last one, what the search found."""
    search: Search = step.run.search
    problem = _problem(search)
    with threadpool_limits(1):
        genetic = _restore(search, problem)
        rows = _evolve(genetic, problem, search)
        result = finish(problem, genetic) if genetic.done else None
    with step.commit() as writer:
        for row in rows:
            writer.event("generation", {"number": row.number, "summary": row.summary, "points": row.points})
        Generation.objects.bulk_create(rows)
        writer.progress(
            done=genetic.generation,
            total=search.generations,
            message=f"Generation {genetic.generation} of {search.generations}",
        )
        if result is None:
            search.state = genetic.state_json()
            search.save(update_fields=["state"])
            writer.then("search.generations", f"generations:{genetic.generation}", Step.Queue.LIGHT)
            return
        search.state = None
        offered = _offer(search, problem, result)
        search.save(update_fields=["state", "front", "neighbours"])
        if not offered:
            writer.fail(f"No network met {search.latency_limit_ms:g} ms. Raise the limit, or search longer.")
            return
        writer.progress(done=genetic.generation, total=genetic.generation)
        writer.succeed(
            f"{result.evaluations} networks scored; best {100 * offered[0].accuracy:.1f} % "
            f"at {offered[0].latency_ms:.3g} ms."
        )


def _problem(search: Search) -> Problem:
    try:
        return load_problem(search)
    except ValueError as error:
        raise StepFailedError(str(error)) from error


def _restore(search: Search, problem: Problem) -> GeneticSearch:
    """The search where the last step left it, or a new one whose first generation keeps the limits.

    Raises StepFailedError, saying what is the nearest, when no network of the space can keep them.
    """
    if search.state is not None:
        return GeneticSearch.from_state(search.state, problem.canonical)
    settings = Settings(
        population=search.population,
        generations=search.generations,
        seed=search.seed,
        front_columns=problem.front_columns,
    )
    fastest = np.array([problem.latency.fastest()], dtype=np.int64)
    genetic, reach = begin(problem, settings, seeds=fastest)
    if reach is not None:
        raise StepFailedError(_out_of_reach(problem, reach))
    return genetic


def _out_of_reach(problem: Problem, reach: Reach) -> str:
    """Which limit binds, what the space reaches and the architecture that reaches it."""
    architecture = Architecture(problem.space, reach.genes)
    each = zip(problem.limits, reach.costs, strict=True)
    reached = ", ".join(f"{limit.name} {_amount(limit, cost)}" for limit, cost in each)
    limit = problem.limits[reach.binding or 0]
    needed = _amount(limit, 1.005 * reach.costs[reach.binding or 0])  # still enough when rounded
    return (
        f"No network of this space keeps every limit. The nearest, {architecture.id}, reaches {reached}. "
        f"What binds is {limit}: raise it to {needed} or more."
    )


def _amount(limit: Limit, value: float) -> str:
    return f"{value:.3g} {limit.unit}" if limit.unit else f"{value:,.0f}"


def _evolve(genetic: GeneticSearch, problem: Problem, search: Search) -> list[Generation]:
    """Runs up to BATCH generations and returns their rows."""
    bounds = maxima(problem.limits)
    rows: list[Generation] = []
    while len(rows) < BATCH and len(population := genetic.ask()):
        costs = problem.costs(population)
        genetic.tell(problem.objective(population), violation(costs, bounds), costs)
        survivors = genetic.population
        rows.append(
            Generation(
                search=search,
                number=genetic.generation,
                summary=asdict(genetic.summaries[-1]),
                points=_points(problem.latency_ms(survivors), problem.accuracy(survivors)),
            )
        )
    return rows


def _points(latency: FloatArray, accuracy: FloatArray) -> list[list[float]]:
    return [[float(f"{x:.4g}"), round(float(y), 4)] for x, y in zip(latency, accuracy, strict=True)]


def _offer(search: Search, problem: Problem, result: SearchResult) -> list[Candidate]:
    """Saves the candidates, none where no network was found, and fills in the search's front."""
    found = candidates(result.archive, OFFERED)
    if result.refinement is not None:
        search.neighbours = result.refinement.neighbours
    search.front = _front(problem, result.archive)
    if not found:
        return []
    offered = describe_candidates(search, problem, [one.genes for one in found])
    on_front = {tuple(genes) for genes in result.archive.genes[result.archive.front].tolist()}
    for candidate in offered:
        candidate.on_front = tuple(candidate.genes) in on_front
    return Candidate.objects.bulk_create(offered)


def _front(problem: Problem, archive: Archive) -> list[dict[str, Any]]:
    """The archive's front, fastest first: what a limit at `cost_ms` buys.

    Where energy is limited it is traded too, and some points cost more time than better ones; those are not
    `on_slider`.
    """
    rows = archive.front
    if len(rows) == 0:
        return []
    gains = np.diff(np.maximum.accumulate(archive.objective[rows]), prepend=-np.inf) > 0.0
    leading = _thinned(rows[gains], FRONT_POINTS)
    kept = np.concatenate([leading, _thinned(rows[~gains], FRONT_POINTS - len(leading))])
    kept = kept[np.argsort(archive.costs[kept, 0], kind="stable")]
    genes: IntArray = archive.genes[kept]
    low, high = problem.accuracy_intervals(genes)
    latency, accuracy = problem.latency_ms(genes), problem.accuracy(genes)
    drawn = [blocks(problem.space.lower(row), problem.latency.operator_us) for row in genes.tolist()]
    energy = None if problem.energy is None else problem.energy.quantiles(genes, 0.5)
    return [
        {
            "genes": genes[index].tolist(),
            "cost_ms": float(f"{archive.costs[row, 0]:.5g}"),
            "latency_ms": float(f"{latency[index]:.5g}"),
            "accuracy": round(float(accuracy[index]), 5),
            "low": round(float(low[index]), 5),
            "high": round(float(high[index]), 5),
            "on_slider": row in leading,
            "blocks": drawn[index],
        }
        | ({} if energy is None else {"energy_mj": float(f"{energy[index]:.5g}")})
        for index, row in enumerate(kept.tolist())
    ]


def _thinned(rows: IntArray, count: int) -> IntArray:
    """At most `count` of the rows (n,), evenly over them, the first and the last among them."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows)))
    return np.asarray(rows[np.unique(places.round().astype(np.int64))])
