"""Operators that nobody timed, learned from those that were.

A large space has far more distinct operators than anyone can time. Operators of one family (kind, kernel,
stride, activation) differ in channels and size only, and their times follow from these nearly smoothly, but
not quite: hardware works in vectors and tiles, so a channel more can cost a whole block of 8, 16, 32 or 64.
Each family gets a Gaussian process on the logarithm of the time whose inputs hold, besides the logarithms of
channels, size, multiply-adds and memory accesses, how much a channel count wastes of the blocks it fills and
whether it fills them exactly. Its kernel is a linear part, which extrapolates, and a Matern part with a
length scale for every input.

Which operators are timed is decided as the paper decides which networks are trained: where the predictor
knows least. Families get the more of the next batch the larger their held-out error is; within a family
every choice is the operator of largest posterior variance, those chosen before it counted as timed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, solve_triangular
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from devices.operators import Operator
from devices.tables.families import CONSIDERED, Family, families, family_of, inputs_of
from devices.tables.measurement import Measurement

FloatArray = npt.NDArray[np.float64]

FEWEST = 8  # timed operators that a family is learned from
LEARNED_FROM = 250  # timed operators that a family's hyperparameters are learned from
CONDITIONED_ON = 1200  # at most so many enter the posterior
PREDICTED_AT_ONCE = 4096
GOOD_ENOUGH = 0.02  # held-out error below which a family gets no more timings


@dataclass(frozen=True, slots=True)
class FamilyQuality:
    """How well a family is learned: mean absolute relative error, leave-one-out, of `measured` operators."""

    label: str
    measured: int
    error: float


class FamilyModel:
    """A Gaussian process on the logarithms of one family's times."""

    def __init__(self, operators: Sequence[Operator], times_us: FloatArray, rng: np.random.Generator) -> None:
        self.measured = len(operators)
        kept = rng.permutation(self.measured)[:CONDITIONED_ON]
        raw = inputs_of([operators[index] for index in kept])
        logs = np.log(times_us[kept])
        self._columns = _distinct_columns(raw)
        raw = raw[:, self._columns]
        self._centre, self._width = raw.mean(axis=0), raw.std(axis=0)
        self._level = float(logs.mean())
        inputs = (raw - self._centre) / self._width
        kernel = (
            ConstantKernel(0.1, (1e-4, 1e2)) * DotProduct(1.0, (1e-2, 1e2))
            + ConstantKernel(0.05, (1e-5, 1e1)) * Matern(np.full(inputs.shape[1], 3.0), (0.1, 1e2), nu=2.5)
            + WhiteKernel(1e-3, (1e-6, 5e-2))
        )
        values = logs - self._level
        few = slice(0, LEARNED_FROM)
        with warnings.catch_warnings():
            # A length scale at its upper bound is that of an input that does not matter.
            warnings.simplefilter("ignore", ConvergenceWarning)
            learned = GaussianProcessRegressor(kernel, alpha=1e-9).fit(inputs[few], values[few])
        self._process = GaussianProcessRegressor(learned.kernel_, alpha=1e-9, optimizer=None)
        self._process.fit(inputs, values)
        self._noise = float(learned.kernel_.k2.noise_level)

    @property
    def error(self) -> float:
        """Mean absolute relative error of every timed operator, predicted from all the others."""
        process = self._process
        inverse = cho_solve((process.L_, True), np.eye(len(process.L_)))
        residual = np.ravel(process.alpha_) / np.diag(inverse)
        return float(np.abs(np.expm1(-residual)).mean())

    def predict(self, operators: Sequence[Operator]) -> tuple[FloatArray, FloatArray]:
        """Times (n,) in microseconds and their relative standard deviations (n,)."""
        mean, variance = np.empty(len(operators)), np.empty(len(operators))
        for start in range(0, len(operators), PREDICTED_AT_ONCE):
            part = slice(start, start + PREDICTED_AT_ONCE)
            inputs = self._inputs(operators[part])
            cross = self._process.kernel_(inputs, self._process.X_train_)
            mean[part] = cross @ np.ravel(self._process.alpha_)
            explained = solve_triangular(self._process.L_, cross.T, lower=True)
            variance[part] = self._process.kernel_.diag(inputs) - (explained**2).sum(axis=0)
        return np.exp(mean + self._level), np.sqrt(np.maximum(variance, self._noise))

    def most_uncertain(self, operators: Sequence[Operator], count: int) -> list[int]:
        """Places of `count` operators to time next: each the least certain once those before it are known.

        It is a pivoted Cholesky factorisation of their posterior covariance.
        """
        inputs = self._inputs(operators)
        explained = solve_triangular(
            self._process.L_, self._process.kernel_(self._process.X_train_, inputs), lower=True
        )
        # The kernel of a set with itself has the noise on its diagonal, which only makes it invertible here.
        covariance = self._process.kernel_(inputs) - explained.T @ explained
        left = np.diag(covariance).copy()
        chosen: list[int] = []
        factors = np.zeros((min(count, len(operators)), len(operators)))
        for row in range(len(factors)):
            place = int(np.argmax(left))
            chosen.append(place)
            factors[row] = (covariance[place] - factors[:row, place] @ factors[:row]) / np.sqrt(left[place])
            left = np.maximum(left - factors[row] ** 2, 1e-12)
            left[chosen] = 0.0
        return chosen

    def _inputs(self, operators: Sequence[Operator]) -> FloatArray:
        inputs: FloatArray = (inputs_of(operators)[:, self._columns] - self._centre) / self._width
        return inputs


@dataclass(frozen=True)
class LearnedCosts:
    """A model for every family that enough operators were timed of."""

    models: Mapping[Family, FamilyModel]

    @classmethod
    def fit(cls, times_us: Mapping[Operator, float], seed: int = 0) -> LearnedCosts:
        """Learns from operators' times in microseconds; families with fewer than FEWEST are left out."""
        models = {}
        with threadpool_limits(1):
            for family, members in families(times_us).items():
                if len(members) >= FEWEST and len(_distinct_columns(inputs_of(members))):
                    times = np.array([times_us[one] for one in members], dtype=np.float64)
                    models[family] = FamilyModel(members, times, np.random.default_rng(seed))
        return cls(models)

    @property
    def quality(self) -> list[FamilyQuality]:
        """Held-out error of every family, the largest first."""
        found = [FamilyQuality(f.label, model.measured, model.error) for f, model in self.models.items()]
        return sorted(found, key=lambda one: -one.error)

    def knows(self, operator: Operator) -> bool:
        return family_of(operator) in self.models

    def measurements(self, operators: Iterable[Operator]) -> list[Measurement]:
        """Learned times of operators, marked by their deviation. Raises LookupError naming families that
        were not learned."""
        wanted = families(operators)
        unknown = sorted(family.label for family in wanted if family not in self.models)
        if unknown:
            raise LookupError(f"Too few operators are measured of: {'; '.join(unknown)}.")
        found = []
        with threadpool_limits(1):
            for family, members in wanted.items():
                times, deviations = self.models[family].predict(members)
                found += [
                    Measurement.learned(one.key, float(time), float(deviation))
                    for one, time, deviation in zip(members, times, deviations, strict=True)
                ]
        return found

    def next_operators(
        self, operators: Sequence[Operator], measured: Iterable[Operator], count: int, seed: int
    ) -> list[Operator]:
        """At most `count` operators to time next; fewer once families are good enough or timed whole."""
        known = set(measured)
        left = {
            family: members
            for family, every in families(operators).items()
            if family in self.models and (members := [one for one in every if one not in known])
        }
        needs = {
            family: self.models[family].error * len(members) ** 0.5
            for family, members in left.items()
            if self.models[family].error > GOOD_ENOUGH
        }
        rng, chosen = np.random.default_rng(seed), list[Operator]()
        with threadpool_limits(1):
            for family, need in needs.items():
                share = min(round(count * need / sum(needs.values())), len(left[family]))
                some = [left[family][int(i)] for i in rng.permutation(len(left[family]))[:CONSIDERED]]
                if share:
                    chosen += [some[place] for place in self.models[family].most_uncertain(some, share)]
        return chosen


def _distinct_columns(values: FloatArray) -> list[int]:
    """Columns of (n, d) that vary and repeat no column before them."""
    kept: list[int] = []
    for index in range(values.shape[1]):
        column = values[:, index]
        if np.ptp(column) > 1e-9 and not any(np.allclose(column, values[:, other]) for other in kept):
            kept.append(index)
    return kept
