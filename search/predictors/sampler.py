"""The sampler: which architecture to train next.

Ask and tell. The sampler holds no random state: its answer is a function of the settings, of what was told in
order, and of what is being trained now, so one built anew from the database answers as the one that died.

It starts with a scrambled Sobol sequence. Then it alternates, in a fixed rhythm, between exploration (the
training that best reduces the predictor's uncertainty over the space) and exploitation (the largest expected
improvement). Where the space has a cost, every exploitation looks below another cost limit and improves on
the best found there: a predictor that serves every device has to be right along the whole front, not only at
its expensive end. Trainings in flight enter as fantasies at their predicted value, which removes the reason
to train their like.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from search.predictors.acquisition import Goal, VarianceReduction, log_expected_improvement
from search.predictors.candidates import candidate_pool, sobol_networks
from search.predictors.gaussian_process import GaussianProcess
from search.predictors.samples import all_alike
from search.predictors.space_view import SpaceView, distinct, row_keys, without

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Score = Callable[[IntArray], FloatArray]

SCORED = 2048  # candidates scored by one acquisition function; a larger pool is thinned first
TARGETS = 256  # networks that stand for the space when uncertainty is averaged over it
CLIMBERS = 5  # candidates whose neighbours are looked at, round by round
CLIMBS = 4
LISTED = 1_000_000  # spaces up to this size are searched to the last network
FITTED_ANEW = 16  # up to here hyperparameters are fitted for every sample, beyond for every tenth of them
LEARNED_FROM = 200  # samples that hyperparameters are learned from; the posterior always takes all


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
    bounds: tuple[float, float] | None = (
        0.0,
        1.0,
    )  # possible accuracies; None when they have no known limits

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
        self._told: list[IntArray] = []
        self._trained: list[IntArray] = []
        self._accuracies: list[float] = []
        self._fits: dict[int, GaussianProcess] = {}

    @property
    def told(self) -> int:
        """Number of trainings told, failed ones included."""
        return len(self._told)

    def tell(self, genes: Sequence[int], accuracy: float | None) -> None:
        """Report a finished training, with `accuracy` None if it failed: then it is not proposed again.

        Raises ValueError for genes outside the space and for an accuracy that is not a finite number.
        """
        (network,) = self._canonical([genes])
        if accuracy is not None and not np.isfinite(accuracy):
            raise ValueError(
                f"The accuracy {accuracy} is not a finite number; tell a failed training as None."
            )
        self._told.append(network)
        if accuracy is not None:
            self._trained.append(network)
            self._accuracies.append(float(accuracy))

    def ask(self, pending: npt.ArrayLike = ()) -> Proposal | None:
        """The next architecture, given those in training now, `pending` (k, g); None when none is left.

        Raises ValueError when a pending architecture lies outside the space.
        """
        in_flight = distinct(self._canonical(pending))
        seen = row_keys(self._population(self._told)) | row_keys(in_flight)
        turn = self.told + len(in_flight) - self.settings.initial
        if turn < 0 or len(set(self._accuracies)) < 2:
            return self._spread(seen)
        rng = np.random.default_rng([self.settings.seed, self.told, len(in_flight)])
        best = self._population(self._trained)[np.argsort(self._accuracies, kind="stable")[::-1]]
        pool = without(candidate_pool(self.view, distinct(best), rng), seen)
        if len(pool) == 0:
            return self._spread(seen)
        explored = int(turn * self.settings.exploration)
        with threadpool_limits(limits=1, user_api="blas"):
            model = self._model()
            if len(in_flight):
                model = model.fantasise(self.view.features(in_flight))
            if int((turn + 1) * self.settings.exploration) > explored:
                return self._explore(model, pool, seen, rng)
            return self._exploit(model, pool, seen, turn - explored, rng)

    def _spread(self, seen: set[bytes]) -> Proposal | None:
        """The first network of the Sobol sequence that was not seen, or else any that is left."""
        count = 2 * (len(seen) + self.settings.initial)
        left = without(sobol_networks(self.view, count, self.settings.seed), seen)
        if len(left) == 0 and self.view.size <= LISTED:
            left = without(self.view.everything(), seen)
        if len(left) == 0:
            return None
        reason = f"Part of the first {self.settings.initial} networks, spread evenly over the space."
        if self.told >= self.settings.initial:
            reason = (
                "Spread over the space: no two accuracies differ so far, so there is nothing to learn from."
            )
        return Proposal(tuple(left[0].tolist()), "sobol", reason, None, None)

    def _explore(
        self, model: GaussianProcess, pool: IntArray, seen: set[bytes], rng: np.random.Generator
    ) -> Proposal:
        targets = pool[rng.permutation(len(pool))[:TARGETS]]
        reduction = VarianceReduction(model, self.view.features(targets))
        candidates = pool[rng.permutation(len(pool))[:SCORED]]
        network, value = self._climb(candidates, lambda rows: reduction(self.view.features(rows)), seen)
        mean, std = self._prediction(model, network)
        share = 100.0 * value / reduction.before
        reason = (
            "The most informative network: its training should lower the predictor's variance over the space "
            f"by {share:.1f} %; its accuracy is predicted as {self._shown(mean)} ± {self._shown(std)}."
        )
        return Proposal(tuple(network.tolist()), "exploration", reason, mean, std)

    def _exploit(
        self, model: GaussianProcess, pool: IntArray, seen: set[bytes], turn: int, rng: np.random.Generator
    ) -> Proposal:
        """The largest expected improvement below the `turn`-th cost limit."""
        trained = self._population(self._trained)
        means = model.latent_mean(self.view.features(trained))
        cost, limit, among = self.view.cost, np.inf, ""
        if cost is not None:
            share = 1.0 - radical_inverse(turn)
            costs = cost(pool)
            limit = float(np.quantile(costs, share))
            pool = pool[costs <= limit]
            affordable = cost(trained) <= limit
            means = means[affordable] if affordable.any() else means
            among = f" among the cheapest {100.0 * share:.0f} % of networks" if share < 1.0 else ""
        bar = float(means.max())

        def score(rows: IntArray) -> FloatArray:
            value = log_expected_improvement(*model.latent(self.view.features(rows)), bar)
            return value if cost is None else np.where(cost(rows) <= limit, value, -np.inf)

        network, _ = self._climb(self._thinned(model, pool, rng), score, seen)
        mean, std = self._prediction(model, network)
        best = float(model.warp.inverse(bar))
        chance = float(model.probability_above(self.view.features(network[None]), best)[0])
        reason = (
            f"The largest expected improvement{among}: predicted {self._shown(mean)} ± {self._shown(std)}, "
            f"better than the best so far ({self._shown(best)}) with probability {chance:.2f}."
        )
        return Proposal(tuple(network.tolist()), "exploitation", reason, mean, std)

    def _climb(self, pool: IntArray, score: Score, seen: set[bytes]) -> tuple[IntArray, float]:
        """The network of highest score in `pool` (m, g) or uphill of its best ones, and that score."""
        scores = score(pool)
        for _ in range(CLIMBS):
            top = np.argsort(-scores, kind="stable")[:CLIMBERS]
            kin = without(self.view.neighbours(pool[top]), seen | row_keys(pool))
            if len(kin) == 0:
                break
            kin_scores = score(kin)
            improved = kin_scores.max() > scores.max()
            pool, scores = np.concatenate([pool[top], kin]), np.concatenate([scores[top], kin_scores])
            if not improved:
                break
        best = int(np.argmax(scores))
        return pool[best], float(scores[best])

    def _thinned(self, model: GaussianProcess, pool: IntArray, rng: np.random.Generator) -> IntArray:
        """At most SCORED of `pool` (m, g): three quarters by highest mean, the rest by lot."""
        if len(pool) <= SCORED:
            return pool
        order = np.argsort(-model.latent_mean(self.view.features(pool)), kind="stable")
        top = 3 * SCORED // 4
        kept: IntArray = pool[np.concatenate([order[:top], rng.permutation(order[top:])[: SCORED - top]])]
        return kept

    def _model(self) -> GaussianProcess:
        """The posterior of all samples, with the hyperparameters of those up to the last milestone."""
        features = self.view.features(self._population(self._trained))
        accuracies = np.array(self._accuracies)
        reached = milestone(len(accuracies))
        if all_alike(accuracies[:reached]):
            reached = len(accuracies)
        if reached not in self._fits:
            model = GaussianProcess.fit(
                features[:reached],
                accuracies[:reached],
                bounds=self.settings.bounds,
                learned_from=LEARNED_FROM,
            )
            self._fits = {reached: model}
        return self._fits[reached].extended(features[reached:], accuracies[reached:])

    def _prediction(self, model: GaussianProcess, network: IntArray) -> tuple[float, float]:
        inputs = self.view.features(network[None])
        return float(model.predict_median(inputs)[0]), float(model.predict(inputs)[1][0])

    def _shown(self, accuracy: float) -> str:
        """An accuracy as people read it: fractions of 1 in per cent."""
        return f"{100.0 * accuracy:.1f} %" if self.settings.bounds == (0.0, 1.0) else f"{accuracy:.4g}"

    def _population(self, networks: list[IntArray]) -> IntArray:
        return np.array(networks, dtype=np.int64).reshape(len(networks), len(self.view.cardinalities))

    def _canonical(self, rows: npt.ArrayLike) -> IntArray:
        genes = len(self.view.cardinalities)
        population = np.array(rows, dtype=np.int64)
        if population.size == 0:
            return population.reshape(0, genes)
        if population.ndim != 2 or population.shape[1] != genes:
            raise ValueError(f"Expected rows of {genes} genes, got an array of shape {population.shape}.")
        if np.any(population < 0) or np.any(population >= np.array(self.view.cardinalities)):
            raise ValueError(
                f"A gene lies outside the space; the genes have {self.view.cardinalities} choices."
            )
        return np.ascontiguousarray(self.view.canonical(population), dtype=np.int64)


def milestone(n: int) -> int:
    """The largest of 16, 17, 18, 19, 20, 22, 24, ... (about a tenth apart) up to n; n itself below 16."""
    reached = min(n, FITTED_ANEW)
    while reached >= FITTED_ANEW and reached + reached // 10 <= n:
        reached += reached // 10
    return reached


def radical_inverse(index: int) -> float:
    """Van der Corput's sequence in base 2: 0, 1/2, 1/4, 3/4, 1/8, ...; any stretch covers 0..1 evenly."""
    value, weight = 0.0, 0.5
    while index:
        value += weight * (index & 1)
        index, weight = index >> 1, weight / 2.0
    return value
