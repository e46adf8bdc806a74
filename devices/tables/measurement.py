"""One operator's timings, summarised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is known of one operator, in microseconds. Raises ValueError for times that cannot be.

    A time that was learned from other operators instead of measured has no repeats, and a deviation: its
    relative standard deviation.
    """

    key: str
    repeats: int
    minimum_us: float
    p10_us: float
    p50_us: float
    p90_us: float
    deviation: float = 0.0

    def __post_init__(self) -> None:
        times = (self.minimum_us, self.p10_us, self.p50_us, self.p90_us)
        if not all(np.isfinite(time) and time > 0 for time in times):
            raise ValueError(f"{self.key}: every time must be a finite number above 0, not {times}.")
        if not (np.isfinite(self.deviation) and self.deviation >= 0):
            raise ValueError(f"{self.key}: a deviation is a finite number from 0 on, not {self.deviation}.")
        if self.repeats < 1 and not self.is_learned:
            raise ValueError(f"{self.key}: repeats must be at least 1, not {self.repeats}.")

    @property
    def is_learned(self) -> bool:
        return self.deviation > 0

    @classmethod
    def learned(cls, key: str, time_us: float, deviation: float) -> Measurement:
        """A time that was not measured, with its relative standard deviation."""
        return cls(key, 0, time_us, time_us, time_us, time_us, deviation)

    @classmethod
    def from_samples(cls, key: str, samples_us: Sequence[float]) -> Measurement:
        """Summarises repeated timings. Raises ValueError for none, and for one that is not above 0."""
        samples = np.asarray(samples_us, dtype=np.float64)
        if samples.size == 0:
            raise ValueError(f"{key}: there is no timing to summarise.")
        if not (np.isfinite(samples).all() and (samples > 0).all()):
            raise ValueError(f"{key}: every time must be a finite number above 0.")
        p10, p50, p90 = (float(value) for value in np.quantile(samples, (0.1, 0.5, 0.9)))
        return cls(key, int(samples.size), float(samples.min()), p10, p50, p90)
