"""Looking up what operators cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devices.operators import Layer, Operator
from devices.tables.calibration import Calibration
from devices.tables.measurement import Measurement


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the operators asked for are in a table, and how many of those were learned."""

    covered: int
    total: int
    missing: tuple[str, ...]
    learned: int = 0

    @property
    def share(self) -> float:
        return self.covered / self.total if self.total else 1.0


class OperatorTable:
    """Measurements by operator key, with the calibration that turns their sums into latencies.

    An operator's cost is its minimum: on a machine that also does other things, every disturbance only adds.
    """

    def __init__(self, measurements: Iterable[Measurement], calibration: Calibration | None = None) -> None:
        self._by_key = {measurement.key: measurement for measurement in measurements}
        self.calibration = calibration or Calibration.identity()
        self.holds_learned = any(one.is_learned for one in self._by_key.values())

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def __len__(self) -> int:
        return len(self._by_key)

    def cost_us(self, operator: Operator) -> float:
        """What the operator adds to a network's sum, in microseconds; NaN when the table lacks it."""
        measurement = self._by_key.get(operator.key)
        return math.nan if measurement is None else measurement.minimum_us

    def learned_us(self, operator: Operator) -> float:
        """How much of `cost_us` is uncertain because it was learned: one standard deviation, else 0."""
        measurement = self._by_key.get(operator.key)
        return 0.0 if measurement is None else measurement.minimum_us * measurement.deviation

    def is_learned(self, operator: Operator) -> bool:
        return self.learned_us(operator) > 0

    def summed_us(self, layers: Sequence[Layer]) -> float:
        """Sum over a network's operators. Raises LookupError naming those that the table lacks."""
        missing = sorted({layer.operator.key for layer in layers if layer.operator.key not in self})
        if missing:
            raise LookupError(f"The table lacks {len(missing)} operators: {', '.join(missing[:5])}.")
        return math.fsum(self.cost_us(layer.operator) for layer in layers)

    def summed_learned_us(self, layers: Sequence[Layer]) -> float:
        """Sum of `learned_us` over a network's operators."""
        return math.fsum(self.learned_us(layer.operator) for layer in layers)

    def network_us(self, layers: Sequence[Layer]) -> float:
        """Calibrated latency of a network. Raises LookupError as `summed_us`."""
        return self.calibration.latency_us(self.summed_us(layers))

    def coverage(self, operators: Iterable[Operator]) -> Coverage:
        """Which of the distinct operators the table holds."""
        distinct = {operator.key: operator for operator in operators}
        missing = tuple(sorted(key for key in distinct if key not in self))
        learned = sum(self.is_learned(operator) for operator in distinct.values())
        return Coverage(len(distinct) - len(missing), len(distinct), missing, learned)
