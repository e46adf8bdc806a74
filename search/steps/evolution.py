"""The steps of a search: a batch of generations each, then the candidates."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from devices.runs.models import Step
from devices.runs.steps import ClaimedStep, StepFailedError
from search.evolution import GeneticSearch, Settings, violation
from search.models import Candidate, Generation, Search
from search.services.searches import Problem, load_problem
from search.spaces import Architecture, FloatArray, features

BATCH = 10
OFFERED = 20


def run_generations(step: ClaimedStep) -> None:
    """Ten generations on from where the last step ended; after the last one, the candidates."""
    search: Search = step.run.search
    problem = _problem(search)
    with threadpool_limits(1):
        genetic = _restore(search, problem)
        rows = _evolve(genetic, problem, search)
    with step.commit() as writer:
        for row in rows:
            writer.event("generation", {"number": row.number, "summary": row.summary, "points": row.points})
        Generation.objects.bulk_create(rows)
        writer.progress(
            done=genetic.generation,
            total=search.generations,
            message=f"Generation {genetic.generation} of {search.generations}",
        )
        if not genetic.done:
            search.state = genetic.state_json()
            search.save(update_fields=["state"])
            begin = genetic.generation
            writer.then("search.generations", f"generations:{begin}", Step.Queue.LIGHT, {"from": begin})
            return
        search.state = None
        search.save(update_fields=["state"])
        candidates = _candidates(search, problem, genetic)
        if not candidates:
            writer.fail(f"No network met {search.latency_limit_ms:g} ms. Raise the limit, or search longer.")
            return
        Candidate.objects.bulk_create(candidates)
        writer.progress(done=search.generations)
        writer.succeed(
            f"{genetic.evaluations} networks scored; best {100 * candidates[0].accuracy:.1f} % "
            f"at {candidates[0].latency_ms:.3g} ms."
        )


def _problem(search: Search) -> Problem:
    try:
        return load_problem(search.predictor, search.table)
    except ValueError as error:
        raise StepFailedError(str(error)) from error


def _restore(search: Search, problem: Problem) -> GeneticSearch:
    if search.state is not None:
        return GeneticSearch.from_state(search.state, problem.space.canonical)
    settings = Settings(population=search.population, generations=search.generations, seed=search.seed)
    fastest = problem.summed_us.least()[1]
    return GeneticSearch(
        problem.space.shape, problem.space.canonical, settings, columns=1, seeds=[list(fastest)]
    )


def _evolve(genetic: GeneticSearch, problem: Problem, search: Search) -> list[Generation]:
    """Runs up to BATCH generations and returns their rows."""
    bounds = np.array([search.latency_limit_ms])
    rows: list[Generation] = []
    while len(rows) < BATCH and len(population := genetic.ask()):
        accuracy, latency = problem.accuracy(population), problem.latency_ms(population)
        costs = latency[:, None]
        genetic.tell(accuracy, violation(costs, bounds), costs)
        summary = asdict(genetic.summaries[-1])
        survivors = genetic.population
        rows.append(
            Generation(
                search=search,
                number=genetic.generation,
                summary=summary,
                points=_points(problem.latency_ms(survivors), problem.accuracy(survivors)),
            )
        )
    return rows


def _points(latency: FloatArray, accuracy: FloatArray) -> list[list[float]]:
    return [[float(f"{x:.4g}"), round(float(y), 4)] for x, y in zip(latency, accuracy, strict=True)]


def _candidates(search: Search, problem: Problem, genetic: GeneticSearch) -> list[Candidate]:
    """The front's feasible architectures and the final population's best, by predicted accuracy."""
    front = {scored.genes for scored in genetic.front}
    bounds = np.array([search.latency_limit_ms])
    final = [tuple(int(gene) for gene in row) for row in genetic.population]
    genes = list(dict.fromkeys([*sorted(front), *final]))
    population = np.array(genes, dtype=np.int64)
    kept = violation(problem.latency_ms(population)[:, None], bounds) == 0
    population = population[kept]
    if len(population) == 0:
        return []
    order = np.argsort(-problem.accuracy(population), kind="stable")[:OFFERED]
    population = population[order]
    columns = features(problem.space, population)
    mean = problem.accuracy(population)
    low, high = problem.model.predict_interval(columns, 0.95)
    summed = problem.summed_us(population)
    return [
        _candidate(search, problem, rank, tuple(int(gene) for gene in row), front, values)
        for rank, (row, *values) in enumerate(zip(population, mean, low, high, summed, strict=True), start=1)
    ]


def _candidate(
    search: Search,
    problem: Problem,
    rank: int,
    genes: tuple[int, ...],
    front: set[tuple[int, ...]],
    values: list[Any],
) -> Candidate:
    accuracy, low, high, summed_us = (float(value) for value in values)
    architecture = Architecture(problem.space, genes)
    fastest, slowest = problem.calibration.interval_us(summed_us)
    return Candidate(
        search=search,
        rank=rank,
        architecture_id=architecture.id,
        genes=list(genes),
        accuracy=accuracy,
        accuracy_low=low,
        accuracy_high=high,
        latency_ms=problem.calibration.latency_us(summed_us) / 1000.0,
        latency_low_ms=fastest / 1000.0,
        latency_high_ms=slowest / 1000.0,
        meets_limit=problem.calibration.probability_within(summed_us, search.latency_limit_ms * 1000.0),
        multiply_adds=architecture.multiply_adds,
        parameters=architecture.parameters,
        on_front=genes in front,
    )
