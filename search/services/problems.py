"""What a search runs on: a fitted predictor and the limits, as functions of populations (n, genes)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np

from devices.models import LatencyTable
from devices.operators import Operator
from devices.tables import Calibration, OperatorTable
from search.evolution import Limit
from search.models import Candidate, CostPredictor, Search
from search.predictors import CostModel, GaussianProcess, with_cost
from search.predictors.quality import LEVEL
from search.services.predictors import predictor_features, predictor_model
from search.spaces import (
    FILE_BASE,
    FILE_SLACK,
    Architecture,
    CompiledCost,
    FloatArray,
    IntArray,
    SearchSpace,
    features,
    file_bytes,
)


class Cost(Protocol):
    """One limited quantity of every network, in the unit of its limit."""

    @property
    def limit(self) -> Limit: ...

    def quantiles(self, population: IntArray, probability: float) -> FloatArray:
        """Values (n,) that the networks stay within with this probability; 0.5 gives the prediction."""

    def intervals(self, population: IntArray) -> tuple[FloatArray, FloatArray]:
        """Ends (n,), (n,) of the intervals of probability LEVEL."""

    def chances(self, population: IntArray) -> FloatArray:
        """Probabilities (n,) of keeping the limit."""


@dataclass(frozen=True)
class DeviceLatency:
    """Latency in milliseconds from a device's table, compiled to sums over operators, and its calibration."""

    limit: Limit
    summed_us: CompiledCost
    calibration: Calibration
    operator_us: Callable[[Operator], float]
    learned_us: CompiledCost | None = None

    def fastest(self) -> tuple[int, ...]:
        """Genes of the fastest network, exactly."""
        return self.summed_us.least()[1]

    def quantiles(self, population: IntArray, probability: float) -> FloatArray:
        summed, learned = self.summed_us(population), self._learned(population, probability)
        return self.calibration.quantiles_us(summed, probability, learned) / 1000.0

    def intervals(self, population: IntArray) -> tuple[FloatArray, FloatArray]:
        summed, learned = self.summed_us(population), self._learned(population, LEVEL)
        low, high = self.calibration.interval_us(summed, LEVEL, learned)
        return low / 1000.0, high / 1000.0

    def chances(self, population: IntArray) -> FloatArray:
        allowed, learned = 1000.0 * self.limit.maximum, self._learned(population, LEVEL)
        return self.calibration.probability_within(self.summed_us(population), allowed, learned)

    def _learned(self, population: IntArray, probability: float) -> FloatArray | float:
        """How much of each sum is uncertain, which the middle of the prediction does not ask for."""
        return 0.0 if self.learned_us is None or probability == 0.5 else self.learned_us(population)


@dataclass(frozen=True)
class DeviceCost:
    """Energy of one image in mJ, or latency in ms, from a predictor over a device's measured networks."""

    limit: Limit
    model: CostModel
    baseline: CompiledCost

    def fastest(self) -> tuple[int, ...]:
        """Genes of what the baseline says is cheapest: a Gaussian process has no exact minimum."""
        return self.baseline.least()[1]

    def operator_us(self, operator: Operator) -> float:
        """Not known: whole networks were measured."""
        return math.nan

    def quantiles(self, population: IntArray, probability: float) -> FloatArray:
        return self.model.quantile(population, probability)

    def intervals(self, population: IntArray) -> tuple[FloatArray, FloatArray]:
        return self.model.interval(population, LEVEL)

    def chances(self, population: IntArray) -> FloatArray:
        return self.model.probability_within(population, self.limit.maximum)


@dataclass(frozen=True)
class Count:
    """What is known exactly, such as multiply-adds, or up to a share of `slack` too large: the file size."""

    limit: Limit
    compiled: CompiledCost
    base: float = 0.0
    slack: float = 0.0

    def quantiles(self, population: IntArray, probability: float) -> FloatArray:
        return self.base + self.compiled(population)

    def intervals(self, population: IntArray) -> tuple[FloatArray, FloatArray]:
        most = self.quantiles(population, 0.5)
        return (1.0 - self.slack) * most, most

    def chances(self, population: IntArray) -> FloatArray:
        return (self.quantiles(population, 0.5) <= self.limit.maximum).astype(np.float64)


@dataclass(frozen=True)
class Problem:
    """A predictor and the limits of a search; it is what `search.evolution` searches.

    The objective is the predicted accuracy, or the lower end of its interval; the costs are the limited
    quantities at the confidence asked for, the first device's latency first.
    """

    space: SearchSpace
    model: GaussianProcess
    features: Callable[[IntArray], FloatArray]
    latency: DeviceLatency | DeviceCost
    others: tuple[Cost, ...] = ()
    confidence: float = 0.5
    cautious: bool = False

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return self.space.shape

    @cached_property
    def all_costs(self) -> tuple[Cost, ...]:
        return (self.latency, *self.others)

    @cached_property
    def limits(self) -> tuple[Limit, ...]:
        return tuple(cost.limit for cost in self.all_costs)

    @property
    def energy(self) -> DeviceCost | None:
        """The first limited energy, which the front then trades too."""
        costs = (cost for cost in self.others if isinstance(cost, DeviceCost))
        return next((cost for cost in costs if cost.limit.unit == "mJ"), None)

    @property
    def front_columns(self) -> tuple[int, ...]:
        """Columns of the costs that the front trades against accuracy: latency, and energy if limited."""
        energy = self.energy
        return (0,) if energy is None else (0, 1 + self.others.index(energy))

    def canonical(self, population: IntArray) -> IntArray:
        return self.space.canonical(population)

    def neighbours(self, genes: Sequence[int]) -> IntArray:
        return self.space.neighbours(genes)

    def objective(self, population: IntArray) -> FloatArray:
        """What the search maximises (n,)."""
        if self.cautious:
            return self.model.predict_interval(self.features(population), 0.9)[0]
        return self.accuracy(population)

    def costs(self, population: IntArray) -> FloatArray:
        """Costs (n, limits) in the limits' units."""
        return np.column_stack([cost.quantiles(population, self.confidence) for cost in self.all_costs])

    def accuracy(self, population: IntArray) -> FloatArray:
        """Predicted validation accuracies (n,), 0 to 1."""
        return self.model.predict_median(self.features(population))

    def accuracy_intervals(self, population: IntArray) -> tuple[FloatArray, FloatArray]:
        """Ends (n,), (n,) of the accuracies' intervals of probability LEVEL."""
        return self.model.predict_interval(self.features(population), LEVEL)

    def latency_ms(self, population: IntArray) -> FloatArray:
        """Predicted latencies (n,) on the first device, in milliseconds."""
        return self.latency.quantiles(population, 0.5)


def load_problem(search: Search) -> Problem:
    """Reads and compiles what a search runs on.

    Raises ValueError for a predictor that is not built to the end, and as `latency_range`.
    """
    predictor = search.predictor
    space = predictor.space.load()
    further = list(search.further_limits.select_related("table__device", "cost__device", "cost__table"))
    others: list[Cost] = [
        device_latency(space, row.table, row.maximum) for row in further if row.table is not None
    ]
    others += [device_cost(space, row.cost, row.maximum) for row in further if row.cost is not None]
    return Problem(
        space=space,
        model=predictor_model(predictor),
        features=predictor_features(predictor),
        latency=limited_latency(space, search.latency_source, search.latency_limit_ms),
        others=(*others, *_counts(space, search)),
        confidence=search.confidence,
        cautious=search.cautious,
    )


def _counts(space: SearchSpace, search: Search) -> list[Count]:
    limited: list[Count] = []
    for name, maximum in (("multiply_adds", search.max_multiply_adds), ("parameters", search.max_parameters)):
        if maximum is not None:
            limit = Limit(name.replace("_", "-"), maximum)
            limited.append(Count(limit, space.compile(partial(_number, name))))
    if search.max_file_bytes is not None:
        limit = Limit("file size", search.max_file_bytes, "bytes")
        limited.append(Count(limit, space.compile(file_bytes), FILE_BASE, FILE_SLACK))
    return limited


def _number(name: str, operator: Operator) -> float:
    return float(getattr(operator, name))


def device_latency(space: SearchSpace, table: LatencyTable, limit_ms: float) -> DeviceLatency:
    """The latency limit of a device. Raises ValueError, saying how much is missing, for a table that does not
    cover the space."""
    operators = covering(space, table)
    limit = Limit(f"latency on {table.device.name}", limit_ms, "ms")
    return DeviceLatency(
        limit=limit,
        summed_us=space.compile(operators.cost_us),
        calibration=operators.calibration,
        operator_us=operators.cost_us,
        learned_us=space.compile(operators.learned_us) if operators.holds_learned else None,
    )


def limited_latency(
    space: SearchSpace, source: LatencyTable | CostPredictor, limit_ms: float
) -> DeviceLatency | DeviceCost:
    """The latency limit of a device, from its table or from whole networks. Raises ValueError as both do."""
    if isinstance(source, LatencyTable):
        return device_latency(space, source, limit_ms)
    return device_cost(space, source, limit_ms)


def device_cost(space: SearchSpace, predictor: CostPredictor, maximum: float) -> DeviceCost:
    """A device's limit in mJ or ms. Raises ValueError for a predictor of another space or not fitted yet."""
    if predictor.space_id != space.id:
        raise ValueError(f"{predictor} is not of the space {space.name}: measure networks of this space.")
    if predictor.fitted is None:
        raise ValueError(f"{predictor} is not fitted yet.")
    population, measured = cost_measurements(predictor)
    inputs = cost_features(space, predictor.table)
    return DeviceCost(
        limit=Limit(predictor.subject, maximum, predictor.unit),
        model=CostModel.from_json(predictor.fitted, population, measured, inputs),
        baseline=baseline_cost(space, predictor.table),
    )


def cost_measurements(predictor: CostPredictor) -> tuple[IntArray, FloatArray]:
    """Genes (n, g) and values (n,), in mJ or ms, of what was measured."""
    return (
        np.array([genes for genes, _ in predictor.measurements], dtype=np.int64),
        np.array([value for _, value in predictor.measurements], dtype=np.float64),
    )


def baseline_cost(space: SearchSpace, table: LatencyTable | None) -> CompiledCost:
    """What measured networks are compared with: the operators' sum in microseconds, else multiply-adds."""
    if table is None:
        return space.compile(partial(_number, "multiply_adds"))
    return compile_table(space, table)[0]


def cost_features(space: SearchSpace, table: LatencyTable | None) -> Callable[[IntArray], FloatArray]:
    """What a predictor of costs learns from: the genes, and where the cost lies in the space's range."""
    cost = baseline_cost(space, table)
    return with_cost(partial(features, space), cost, (cost.least()[0], cost.greatest()[0]))


def latency_range(
    space: SearchSpace, source: LatencyTable | CostPredictor, confidence: float = 0.5
) -> tuple[float, float]:
    """The least and greatest latency in milliseconds that the space spans on a device: by its table exactly,
    by a predictor of whole networks that of the networks at the ends of its baseline.

    With a confidence above 0.5, what those two networks stay within with that probability.

    Raises ValueError, saying how much is missing, when the table does not cover the space.
    """
    latency = limited_latency(space, source, math.inf)
    known = latency.summed_us if isinstance(latency, DeviceLatency) else latency.baseline
    ends = np.array([known.least()[1], known.greatest()[1]], dtype=np.int64)
    found = latency.quantiles(ends, confidence)
    return float(found.min()), float(found.max())


def compile_table(space: SearchSpace, table: LatencyTable) -> tuple[CompiledCost, Calibration]:
    """Sums of operators in microseconds, and what makes latencies of them. Raises ValueError as
    `latency_range`."""
    operators = covering(space, table)
    return space.compile(operators.cost_us), operators.calibration


def covering(space: SearchSpace, table: LatencyTable) -> OperatorTable:
    """The table's measurements. Raises ValueError as `latency_range`."""
    operators = table.load()
    coverage = operators.coverage(space.operators())
    if coverage.missing:
        raise ValueError(
            f"{table} lacks {len(coverage.missing)} of the {coverage.total} operators of {space.name}. "
            "Its page offers to measure or to interpolate them."
        )
    return operators


def describe_candidates(
    search: Search, problem: Problem, population: Sequence[Sequence[int]], first_rank: int = 1
) -> list[Candidate]:
    """Unsaved candidates for individuals in the order of their rank."""
    genes = np.array(population, dtype=np.int64)
    accuracy, (low, high) = problem.accuracy(genes), problem.accuracy_intervals(genes)
    limits = [_described(cost, genes) for cost in problem.all_costs]
    candidates = []
    for place, row in enumerate(genes.tolist()):
        architecture = Architecture(problem.space, tuple(row))
        latency = limits[0][place]
        candidates.append(
            Candidate(
                search=search,
                rank=first_rank + place,
                architecture_id=architecture.id,
                genes=row,
                accuracy=float(accuracy[place]),
                accuracy_low=float(low[place]),
                accuracy_high=float(high[place]),
                latency_ms=latency["value"],
                latency_low_ms=latency["low"],
                latency_high_ms=latency["high"],
                meets_limit=latency["chance"],
                multiply_adds=architecture.multiply_adds,
                parameters=architecture.parameters,
                file_bytes=round(
                    FILE_BASE + sum(file_bytes(layer.operator) for layer in architecture.layers)
                ),
                limits=[described[place] for described in limits],
                on_front=False,
            )
        )
    return candidates


def _described(cost: Cost, population: IntArray) -> list[dict[str, Any]]:
    """Every network's prediction for one limit, as JSON."""
    low, high = cost.intervals(population)
    columns = zip(cost.quantiles(population, 0.5), low, high, cost.chances(population), strict=True)
    facts = {"name": cost.limit.name, "unit": cost.limit.unit, "maximum": cost.limit.maximum}
    return [
        facts | {"value": float(value), "low": float(least), "high": float(most), "chance": float(chance)}
        for value, least, most, chance in columns
    ]
