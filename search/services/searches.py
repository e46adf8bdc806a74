"""Searches: what a person may ask of a predictor and a table, and the arrays a search runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Max

from devices.models import LatencyTable
from devices.operators import Operator
from devices.runs.models import Run, Step
from devices.runs.services import start_run
from devices.tables import Calibration
from search.evolution import Limit
from search.models import Candidate, Predictor, Search, SearchLimit
from search.predictors import GaussianProcess
from search.services.predictors import training_set
from search.spaces import Architecture, CompiledCost, FloatArray, IntArray, SearchSpace, features


@dataclass(frozen=True)
class DeviceLimit:
    """A device's compiled table, its calibration, and the latency that is allowed there."""

    name: str
    summed_us: CompiledCost
    calibration: Calibration
    limit_ms: float


@dataclass(frozen=True)
class Problem:
    """A predictor and the limits of a search as functions of populations (n, genes).

    It is what `search.evolution` searches: the objective is the predicted accuracy, or the lower end of its
    interval; the costs are each device's latency in milliseconds at the confidence asked for, then
    multiply-adds and parameters where they are limited.
    """

    space: SearchSpace
    model: GaussianProcess
    devices: tuple[DeviceLimit, ...]
    confidence: float = 0.5
    cautious: bool = False
    counts: tuple[tuple[Limit, CompiledCost], ...] = ()

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return self.space.shape

    @property
    def limits(self) -> tuple[Limit, ...]:
        latencies = (Limit(f"latency on {one.name}", one.limit_ms, "ms") for one in self.devices)
        return (*latencies, *(limit for limit, _ in self.counts))

    @property
    def calibration(self) -> Calibration:
        """The first device's."""
        return self.devices[0].calibration

    def canonical(self, population: IntArray) -> IntArray:
        return self.space.canonical(population)

    def neighbours(self, genes: Sequence[int]) -> IntArray:
        return self.space.neighbours(genes)

    def objective(self, population: IntArray) -> FloatArray:
        """What the search maximises (n,)."""
        if self.cautious:
            return self.model.predict_interval(features(self.space, population), 0.9)[0]
        return self.accuracy(population)

    def costs(self, population: IntArray) -> FloatArray:
        """Costs (n, limits) in the limits' units."""
        latencies = [
            one.calibration.quantiles_us(one.summed_us(population), self.confidence) / 1000.0
            for one in self.devices
        ]
        return np.column_stack([*latencies, *(cost(population) for _, cost in self.counts)])

    def accuracy(self, population: IntArray) -> FloatArray:
        """Predicted validation accuracies (n,), 0 to 1."""
        return self.model.predict(features(self.space, population))[0]

    def summed_us(self, population: IntArray) -> FloatArray:
        """Sums of operators (n,) on the first device, in microseconds."""
        return self.devices[0].summed_us(population)

    def latency_ms(self, population: IntArray) -> FloatArray:
        """Predicted latencies (n,) on the first device, in milliseconds."""
        return self.calibration.quantiles_us(self.summed_us(population), 0.5) / 1000.0


def load_problem(search: Search) -> Problem:
    """Reads and compiles what a search runs on.

    Raises ValueError for a predictor that is not built to the end, and as `latency_range`.
    """
    predictor = search.predictor
    space = predictor.space.load()
    if predictor.fitted is None:
        raise ValueError(f"“{predictor.name}” is not built to the end yet.")
    genes, accuracies = training_set(predictor)
    model = GaussianProcess.from_json(predictor.fitted, features(space, genes), accuracies)
    further = search.further_limits.select_related("table__device")
    asked = [(search.table, search.latency_limit_ms), *((row.table, row.latency_limit_ms) for row in further)]
    devices = tuple(
        DeviceLimit(table.device.name, *_compile(space, table), limit_ms) for table, limit_ms in asked
    )
    counts = tuple(
        (Limit(name.replace("_", "-"), maximum), space.compile(partial(_count, name)))
        for name, maximum in (
            ("multiply_adds", search.max_multiply_adds),
            ("parameters", search.max_parameters),
        )
        if maximum is not None
    )
    return Problem(space, model, devices, search.confidence, search.cautious, counts)


def _count(name: str, operator: Operator) -> float:
    return float(getattr(operator, name))


def latency_range(space: SearchSpace, table: LatencyTable, confidence: float = 0.5) -> tuple[float, float]:
    """The least and greatest latency in milliseconds that the space spans on the table's device, exactly.

    With a confidence above 0.5, what those two networks stay within with that probability.

    Raises ValueError, saying how much is missing, when the table does not cover the space.
    """
    summed, calibration = _compile(space, table)
    ends = np.array([summed.least()[0], summed.greatest()[0]])
    least, greatest = calibration.quantiles_us(ends, confidence) / 1000.0
    return float(least), float(greatest)


@transaction.atomic
def start_search(
    *,
    owner: Any,
    name: str,
    predictor: Predictor,
    table: LatencyTable,
    latency_limit_ms: float,
    population: int,
    generations: int,
    seed: int,
    confidence: float = 0.5,
    cautious: bool = False,
    max_multiply_adds: int | None = None,
    max_parameters: int | None = None,
    further: Sequence[tuple[LatencyTable, float]] = (),
    parent: Run | None = None,
) -> Search:
    """Begins a search for the most accurate architectures within latency limits.

    `further` holds tables of other devices, each with the latency in milliseconds that is allowed there.
    """
    run = start_run(
        owner=owner,
        kind="search",
        title=f"Search “{name}”",
        first_step="search.generations",
        queue=Step.Queue.LIGHT,
        total=generations,
        parent=parent,
    )
    search = Search.objects.create(
        owner=owner,
        run=run,
        name=name,
        predictor=predictor,
        table=table,
        latency_limit_ms=latency_limit_ms,
        population=population,
        generations=generations,
        seed=seed,
        confidence=confidence,
        cautious=cautious,
        max_multiply_adds=max_multiply_adds,
        max_parameters=max_parameters,
    )
    SearchLimit.objects.bulk_create(
        SearchLimit(search=search, table=other, latency_limit_ms=limit) for other, limit in further
    )
    return search


@transaction.atomic
def keep_front_point(search: Search, index: int) -> Candidate:
    """A point of a search's front as a candidate, made unless it is one already.

    Raises IndexError for a point that the front does not have.
    """
    point = (search.front or [])[index]
    architecture = Architecture(search.predictor.space.load(), tuple(point["genes"]))
    known = search.candidates.filter(architecture_id=architecture.id).first()
    if known is not None:
        return known
    problem = load_problem(search)
    last = search.candidates.aggregate(last=Max("rank"))["last"] or 0
    (candidate,) = describe_candidates(search, problem, [architecture.genes], first_rank=last + 1)
    candidate.on_front = True
    candidate.save()
    return candidate


def describe_candidates(
    search: Search, problem: Problem, population: Sequence[Sequence[int]], first_rank: int = 1
) -> list[Candidate]:
    """Unsaved candidates for individuals in the order of their rank."""
    genes = np.array(population, dtype=np.int64)
    low, high = problem.model.predict_interval(features(problem.space, genes), 0.95)
    columns = zip(genes.tolist(), problem.accuracy(genes), low, high, problem.summed_us(genes), strict=True)
    return [
        _candidate(search, problem, rank, tuple(row), [float(value) for value in values])
        for rank, (row, *values) in enumerate(columns, start=first_rank)
    ]


def _candidate(
    search: Search, problem: Problem, rank: int, genes: tuple[int, ...], values: Sequence[float]
) -> Candidate:
    accuracy, low, high, summed_us = values
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
        on_front=False,
    )


def _compile(space: SearchSpace, table: LatencyTable) -> tuple[CompiledCost, Calibration]:
    operators = table.load()
    coverage = operators.coverage(space.operators())
    if coverage.missing:
        raise ValueError(
            f"{table} lacks {len(coverage.missing)} of the {coverage.total} operators of {space.name}. "
            "Build a table for this space first."
        )
    return space.compile(operators.cost_us), operators.calibration
