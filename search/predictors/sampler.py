"""The sampler: which architecture to train next.

Ask and tell. The sampler holds no random state: its answer is a function of the seed, what was told in order, and
what is being trained now, so a sampler built anew from the database gives the same answer as the one that died.

It starts with a scrambled Sobol sequence. Then it fits a Gaussian process and alternates, in a fixed rhythm, between
exploration (the training that best reduces the predictor's uncertainty) and exploitation (the largest expected
improvement). Where the space has a cost, each exploitation looks below another cost limit and improves on the best
found there: a predictor that serves every device has to be right along the whole front, not at its end.
Trainings in flight enter as fantasies at their posterior mean, which removes the reason to train their like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.predictors.acquisition import Goal, log_expected_improvement, variance_reduction
from search.predictors.candidates import candidate_pool, sobol_networks
from search.predictors.gaussian_process import GaussianProcess
from search.predictors.space_view import SpaceView, distinct, row_keys, without

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SCORED = 4096  # candidates whose variance is worked out; more are first thinned by their mean
TARGETS = 512  # networks that stand for the space when uncertainty is summed over it
CLIMBERS = 5  # candidates from which an acquisition function is climbed in large spaces
CLIMBS = 4
EARLY = 16  # up to here hyperparameters are fitted anew for every sample


@dataclass(frozen=True, slots=True)
class Proposal:
    """One architecture to train, and why."""

    genes: tuple[int, ...]
    chosen_for: Goal
    reason: str  # one sentence for people
    mean: float | None  # predicted accuracy and its standard deviation; None before there is a predictor
    std: float | None


@dataclass(frozen=True, slots=True)
class SamplerSettings:
    """How a sampler spends its trainings."""

    seed: int
    initial: int = 16  # trainings of the Sobol start
    exploration: float = 0.5  # share of the later trainings that explore, 0..1
    bounds: tuple[float, float] | None = (0.0, 1.0)  # possible accuracies

    def __post_init__(self) -> None:
        if self.initial < 2:
            raise ValueError(f"The initial design needs at least 2 trainings, not {self.initial}.")
        if not 0.0 <= self.exploration <= 1.0:
            raise ValueError(f"The share of exploration lies between 0 and 1, not at {self.exploration}.")
        if self.seed < 0:
            raise ValueError(f"A seed is not negative; got {self.seed}.")


class Sampler:
    """Proposes architectures of a space, one at a time, from what was told."""

    def __init__(self, view: SpaceView, settings: SamplerSettings) -> None:
        self.view = view
        self.settings = settings
        self._told: list[tuple[int, ...]] = []
        self._trained: list[tuple[int, ...]] = []
        self._accuracies: list[float] = []
        self._fits: dict[int, GaussianProcess] = {}

    @property
    def told(self) -> int:
        """Number of trainings told, failed ones included."""
        return len(self._told)

    def tell(self, genes: Iterable[int], accuracy: float | None) -> None:
        """Report a finished training, with `accuracy` None if it failed: then it is not proposed again.

        Raises ValueError for genes outside the space and for an accuracy that is not a finite number.
        """
        (row,) = self._canonical([tuple(genes)])
        if accuracy is not None and not np.isfinite(accuracy):
            raise ValueError(
                f"The accuracy {accuracy} is not a finite number; tell a failed training as None."
            )
        self._told.append(tuple(row.tolist()))
        if accuracy is not None:
            self._trained.append(tuple(row.tolist()))
            self._accuracies.append(float(accuracy))

    def ask(self, pending: npt.ArrayLike = ()) -> Proposal | None:
        """The next architecture, given those in training now, `pending` (k, g); None when none is left."""
        in_flight = distinct(self._canonical(pending))
        seen = row_keys(self._as_population(self._told)) | row_keys(in_flight)
        turn = self.told + len(in_flight) - self.settings.initial
        if turn < 0 or len(set(self._accuracies)) < 2:
            return self._spread(seen)
        model = self._model()
        if len(in_flight):
            model = model.fantasise(self.view.features(in_flight))
        rng = np.random.default_rng([self.settings.seed, self.told, len(in_flight)])
        order = np.argsort(self._accuracies, kind="stable")[::-1]
        best = distinct(self._as_population(self._trained)[order])
        pool = without(candidate_pool(self.view, best, rng), seen)
        if len(pool) == 0:
            return self._spread(seen)
        share = self.settings.exploration
        if int((turn + 1) * share) > int(turn * share):
            return self._explore(model, pool, seen, rng)
        return self._exploit(model, pool, seen, turn - int(turn * share), rng)

    def _spread(self, seen: set[bytes]) -> Proposal | None:
        """The first network of the Sobol sequence that was not seen, else any network, else None."""
        count = 2 * (len(seen) + self.settings.initial)
        left = without(sobol_networks(self.view, count, self.settings.seed), seen)
        if len(left) == 0 and self.view.size <= 1_000_000:
            left = without(self.view.everything(), seen)
        if len(left) == 0:
            return None
        reason = f"Spreads the first {self.settings.initial} trainings evenly over the space."
        if self.told >= self.settings.initial:
            reason = (
                "Spreads over the space: so far no two accuracies differ, so there is nothing to learn from."
            )
        return Proposal(tuple(left[0].tolist()), "sobol", reason, None, None)

    def _explore(
        self, model: GaussianProcess, pool: IntArray, seen: set[bytes], rng: np.random.Generator
    ) -> Proposal:
        targets = self.view.features(pool[rng.permutation(len(pool))[:TARGETS]])
        pool = pool[rng.permutation(len(pool))[:SCORED]]

        def score(population: IntArray) -> FloatArray:
            return variance_reduction(model, self.view.features(population), targets)

        genes, value = self._climb(pool, score, seen)
        before = float(np.mean(model.latent(targets)[1] ** 2))
        mean, std = self._prediction(model, genes)
        reason = (
            f"Most informative network: training it should lower the predictor's variance over the space by "
            f"{100.0 * value / before:.1f} %; its own accuracy is predicted as {mean:.4g} ± {std:.2g}."
        )
        return Proposal(tuple(genes.tolist()), "exploration", reason, mean, std)

    def _exploit(
        self, model: GaussianProcess, pool: IntArray, seen: set[bytes], turn: int, rng: np.random.Generator
    ) -> Proposal:
        limit, cost = np.inf, self.view.cost
        trained = self._as_population(self._trained)
        rivals = model.latent_mean(self.view.features(trained))
        if cost is not None:
            costs = cost(pool)
            limit = float(np.quantile(costs, 1.0 - radical_inverse(turn)))
            pool = pool[costs <= limit]
            affordable = cost(trained) <= limit
            rivals = rivals[affordable] if affordable.any() else rivals
        bar = float(rivals.max())

        def score(population: IntArray) -> FloatArray:
            mean, deviation = model.latent(self.view.features(population))
            value = log_expected_improvement(mean, deviation, bar)
            return value if cost is None else np.where(cost(population) <= limit, value, -np.inf)

        genes, _ = self._climb(self._thinned(model, pool, rng), score, seen)
        mean, std = self._prediction(model, genes)
        chance = float(
            model.probability_above(self.view.features(genes[None]), float(model.warp.inverse(bar)))[0]
        )
        below = "" if cost is None else f" at a cost of at most {limit:.4g}"
        reason = (
            f"Largest expected improvement{below}: predicted {mean:.4g} ± {std:.2g}, "
            f"with {100.0 * chance:.0f} % probability above the best so far ({float(model.warp.inverse(bar)):.4g})."
        )
        return Proposal(tuple(genes.tolist()), "exploitation", reason, mean, std)

    def _climb(
        self, pool: IntArray, score: Callable[[IntArray], FloatArray], seen: set[bytes]
    ) -> tuple[IntArray, float]:
        """The network of highest score in `pool` or uphill of its best ones, and that score."""
        scores = score(pool)
        for _ in range(CLIMBS):
            order = np.argsort(-scores, kind="stable")[:CLIMBERS]
            kin = without(self.view.neighbours(pool[order]), seen | row_keys(pool))
            if len(kin) == 0:
                break
            kin_scores = score(kin)
            improved = kin_scores.max() > scores.max()
            pool, scores = np.concatenate([pool[order], kin]), np.concatenate([scores[order], kin_scores])
            if not improved:
                break
        best = int(np.argmax(scores))
        return pool[best], float(scores[best])

    def _thinned(self, model: GaussianProcess, pool: IntArray, rng: np.random.Generator) -> IntArray:
        """At most SCORED of `pool`: three quarters by highest mean, the rest by lot."""
        if len(pool) <= SCORED:
            return pool
        order = np.argsort(-model.latent_mean(self.view.features(pool)), kind="stable")
        top = 3 * SCORED // 4
        return pool[np.concatenate([order[:top], rng.permutation(order[top:])[: SCORED - top]])]

    def _model(self) -> GaussianProcess:
        """The predictor of all samples; its hyperparameters come from the first `milestone` of them."""
        n = len(self._trained)
        features = self.view.features(self._as_population(self._trained))
        accuracies = np.array(self._accuracies)
        first = milestone(n)
        while len(set(self._accuracies[:first])) < 2:
            first += 1
        if first not in self._fits:
            self._fits = {
                first: GaussianProcess.fit(features[:first], accuracies[:first], bounds=self.settings.bounds)
            }
        return GaussianProcess.with_theta(
            features, accuracies, self._fits[first].theta, bounds=self.settings.bounds
        )

    def _prediction(self, model: GaussianProcess, genes: IntArray) -> tuple[float, float]:
        mean, deviation = model.predict(self.view.features(genes[None]))
        return float(mean[0]), float(deviation[0])

    def _as_population(self, rows: list[tuple[int, ...]]) -> IntArray:
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self.view.cardinalities))

    def _canonical(self, rows: npt.ArrayLike) -> IntArray:
        genes = len(self.view.cardinalities)
        population = np.array(rows, dtype=np.int64)
        if population.size == 0:
            return population.reshape(0, genes)
        if population.ndim != 2 or population.shape[1] != genes:
            raise ValueError(f"Expected rows of {genes} genes, got an array of shape {population.shape}.")
        if np.any(population < 0) or np.any(population >= np.array(self.view.cardinalities)):
            raise ValueError(
                f"A gene lies outside the space; it has {self.view.cardinalities} choices a gene."
            )
        return np.asarray(self.view.canonical(population))


def milestone(n: int) -> int:
    """The largest of 16, 18, 20, 22, 25, ... (about 10 % apart) that n has reached; n itself below 16."""
    reached = EARLY
    if n < reached:
        return n
    while reached + max(1, reached // 10) <= n:
        reached += max(1, reached // 10)
    return reached


def radical_inverse(index: int) -> float:
    """Van der Corput's sequence in base 2: 0, 1/2, 1/4, 3/4, 1/8, ...: any stretch of it covers 0..1 evenly."""
    value, weight = 0.0, 0.5
    while index:
        value += weight * (index & 1)
        index, weight = index >> 1, weight / 2
    return value
