"""Searches: what a person may ask of a predictor and a table, and the arrays a search runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction

from devices.models import LatencyTable
from devices.runs.models import Run, Step
from devices.runs.services import start_run
from devices.tables import Calibration
from search.models import Predictor, Search
from search.predictors import GaussianProcess
from search.services.predictors import training_set
from search.spaces import CompiledCost, FloatArray, IntArray, SearchSpace, features


@dataclass(frozen=True)
class Problem:
    """A predictor and a table as functions of a population (n, genes)."""

    space: SearchSpace
    model: GaussianProcess
    summed_us: CompiledCost
    calibration: Calibration

    def accuracy(self, population: IntArray) -> FloatArray:
        """Predicted validation accuracies (n,), 0 to 1."""
        return self.model.predict(features(self.space, population))[0]

    def latency_ms(self, population: IntArray) -> FloatArray:
        """Predicted latencies (n,) in milliseconds."""
        summed = self.summed_us(population)
        return np.array([self.calibration.latency_us(value) for value in summed]) / 1000.0


def load_problem(predictor: Predictor, table: LatencyTable) -> Problem:
    """Reads and compiles both.

    Raises ValueError for a predictor that is not built to the end, and as `latency_range`.
    """
    space = predictor.space.load()
    summed, calibration = _compile(space, table)
    if predictor.fitted is None:
        raise ValueError(f"“{predictor.name}” is not built to the end yet.")
    genes, accuracies = training_set(predictor)
    model = GaussianProcess.from_json(predictor.fitted, features(space, genes), accuracies)
    return Problem(space, model, summed, calibration)


def latency_range(space: SearchSpace, table: LatencyTable) -> tuple[float, float]:
    """The least and greatest latency in milliseconds that the space spans on the table's device, exactly.

    Raises ValueError, saying how much is missing, when the table does not cover the space.
    """
    summed, calibration = _compile(space, table)
    least, greatest = summed.least()[0], summed.greatest()[0]
    return calibration.latency_us(least) / 1000.0, calibration.latency_us(greatest) / 1000.0


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
    parent: Run | None = None,
) -> Search:
    """Begins a search for the most accurate architectures within a latency limit."""
    run = start_run(
        owner=owner,
        kind="search",
        title=f"Search “{name}”",
        first_step="search.generations",
        queue=Step.Queue.LIGHT,
        payload={"from": 0},
        total=generations,
        parent=parent,
    )
    return Search.objects.create(
        owner=owner,
        run=run,
        name=name,
        predictor=predictor,
        table=table,
        latency_limit_ms=latency_limit_ms,
        population=population,
        generations=generations,
        seed=seed,
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
