"""The adaptive genetic search, ask/tell: it proposes individuals, the driver scores them.

After Dai et al., "ChamNet" (CVPR 2019), whose search is an adaptive genetic algorithm over predictors;
ranking after Deb (2000), rates after Srinivas and Patnaik (1994).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from search.evolution.adaptation import diversity
from search.evolution.archive import Archive, Scored
from search.evolution.arrays import FloatArray, IntArray
from search.evolution.breeding import breed, survivors
from search.evolution.packing import pack, unpack_floats, unpack_integers
from search.evolution.settings import Settings
from search.evolution.variation import latin_hypercube, mutate

Canonical = Callable[[IntArray], IntArray]
"""Maps individuals (n, genes) to the one spelling that equal architectures share."""

ENUMERABLE = 16_384
"""Gene combinations up to which a space that seems used up is looked through completely."""

MOST_RESERVED = 65_536
"""Individuals an archive makes room for before the first is scored."""

STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class GenerationSummary:
    """What a chart shows of one generation; every number is finite, None where there is none.

    best, mean, std: objective of the best, and over the feasible, of the population after selection.
    feasible_share: of the individuals scored in this generation.
    least_violation: of everything scored so far.
    diversity: see `adaptation.diversity`.
    crossover_rate, mutation_rate: means over this generation's offspring, per pair and per gene.
    """

    generation: int
    evaluations: int
    best: float | None
    mean: float | None
    std: float | None
    feasible_share: float
    least_violation: float | None
    diversity: float
    crossover_rate: float | None
    mutation_rate: float | None


@dataclass(frozen=True, slots=True)
class _Told:
    """A generation as it ended: archive rows of its newcomers and its survivors, and the mean rates."""

    generation: int
    rows: IntArray
    members: IntArray
    rates: tuple[float, float] | None


class GeneticSearch:
    """A population that improves, generation by generation.

        search = GeneticSearch(cardinalities, canonical, Settings(seed=7), columns=2)
        while len(population := search.ask()):
            mean, std = predictor.predict(features(space, population))
            cautious = mean - 1.64 * std                    # the lower end of a 90 % interval
            costs = np.column_stack([latency_ms(population), energy_mj(population)])
            search.tell(cautious, violation(costs, bounds), costs)

    `ask` returns only individuals never asked before, canonical and distinct, so equal architectures are
    scored once and the driver needs no memory; it returns the same ones until they are told, and none when
    the search is over: after the last generation, or once the space holds nothing new. Every generation
    told counts, the last too. The result depends on settings, seeds and told scores alone.
    """

    def __init__(
        self,
        cardinalities: npt.ArrayLike,
        canonical: Canonical,
        settings: Settings,
        *,
        columns: int = 0,
        seeds: npt.ArrayLike | None = None,
    ) -> None:
        """cardinalities (genes,): number of choices of each gene; columns: width of the costs told.

        seeds (n, genes): individuals to start with, such as the reference architecture or an earlier
        winner; beyond the population's size they are left out. Raises ValueError for a gene without
        choices, a seed out of range or a front column that the costs do not have.
        """
        self._cardinalities = np.array(cardinalities, dtype=np.int64)
        if self._cardinalities.ndim != 1 or self._cardinalities.size == 0 or self._cardinalities.min() < 1:
            raise ValueError("Cardinalities must be a list of at least one gene, each with at least 1 choice")
        if columns and not all(0 <= column < columns for column in settings.front_columns):
            raise ValueError(
                f"The front's columns {settings.front_columns} are not among the {columns} costs"
            )
        self.settings = settings
        self._canonical = canonical
        self._columns = columns
        self._rng = np.random.default_rng(settings.seed)
        self._generation = 0
        self._exhausted = False
        self._rates: tuple[float, float] | None = None
        self._members = np.empty(0, dtype=np.int64)
        self._summaries: list[GenerationSummary] = []
        self._told: list[_Told] = []
        self.archive = Archive(
            self._cardinalities,
            columns,
            settings.front_columns if columns else (),
            capacity=min(settings.population * (settings.generations + 2), MOST_RESERVED),
        )
        self._pending: IntArray | None = self._initial(self._checked_seeds(seeds))

    @property
    def generation(self) -> int:
        """Generations told so far."""
        return self._generation

    @property
    def evaluations(self) -> int:
        """Individuals scored so far."""
        return len(self.archive)

    @property
    def done(self) -> bool:
        """Whether `ask` has nothing more to give."""
        return self._exhausted or self._generation >= self.settings.generations

    @property
    def best(self) -> Scored | None:
        """The best individual told, by Deb's rules, so perhaps infeasible; None before the first `tell`."""
        return self.archive.scored(int(self._members[0])) if len(self._members) else None

    @property
    def population(self) -> IntArray:
        """The survivors (n, genes), best first."""
        return self.archive.genes[self._members]

    @property
    def front(self) -> list[Scored]:
        """The Pareto front of every feasible individual told, cheapest first."""
        return [self.archive.scored(row) for row in self.archive.front.tolist()]

    @property
    def summaries(self) -> list[GenerationSummary]:
        """One summary per generation told, worked out when first asked for."""
        self._summaries += [self._summary(told) for told in self._told]
        self._told.clear()
        return list(self._summaries)

    def ask(self) -> IntArray:
        """Individuals to score (n, genes), n at most the population; none when the search is over."""
        if self.done:
            return np.empty((0, len(self._cardinalities)), dtype=np.int64)
        if self._pending is None:
            brood = breed(self._rng, self.archive, self._members, self._cardinalities, self.settings)
            self._rates = brood.crossover_rate, brood.mutation_rate
            self._pending = self._distinct(brood.offspring, self.population)
            self._exhausted = len(self._pending) == 0
        return self._pending.copy()

    def tell(
        self, objective: npt.ArrayLike, violation: npt.ArrayLike, costs: npt.ArrayLike | None = None
    ) -> None:
        """Scores of what `ask` returned, in its order: ends the generation.

        objective (n,), to be maximised; violation (n,), 0 where every limit is kept, else how far they are
        missed; costs (n, columns). An individual whose objective or violation is not a finite number never
        wins. Raises ValueError for wrong shapes, a negative violation, or when nothing was asked.
        """
        if self._pending is None or self.done:
            raise ValueError("tell() needs the scores of individuals that ask() returned")
        n = len(self._pending)
        values = _shaped("objective", objective, (n,))
        missed = _shaped("violation", violation, (n,))
        if np.any(missed < 0.0):
            raise ValueError(
                "A violation is 0 where the limits are kept and positive elsewhere, never negative"
            )
        bill = _shaped("costs", np.empty((n, 0)) if costs is None else costs, (n, self._columns))
        rows = self.archive.add(self._pending, values, missed, bill)
        self._members = survivors(
            self._rng, self.archive, np.concatenate([self._members, rows]), self.settings
        )
        self._generation += 1
        self._pending = None
        self._told.append(_Told(self._generation, rows, self._members, self._rates))

    def state_json(self) -> dict[str, Any]:
        """Everything needed to continue, as a JSON-able dict; about 80 bytes per evaluation of 25 genes."""
        return {
            "version": STATE_VERSION,
            "settings": asdict(self.settings),
            "cardinalities": self._cardinalities.tolist(),
            "columns": self._columns,
            "generation": self._generation,
            "exhausted": self._exhausted,
            "rates": self._rates,
            "random": self._rng.bit_generator.state,
            "members": self._members.tolist(),
            "pending": None if self._pending is None else self._pending.tolist(),
            "genes": pack(self.archive.genes),
            "scores": pack(
                np.column_stack([self.archive.objective, self.archive.violation, self.archive.costs])
            ),
            "summaries": [asdict(summary) for summary in self.summaries],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], canonical: Canonical) -> Self:
        """The search that `state_json` described, which goes on exactly as that one would have.

        `canonical` must be the same function as before. Raises ValueError for a state of another version.
        """
        if state.get("version") != STATE_VERSION:
            raise ValueError(
                f"A search's state of version {state.get('version')!r} cannot be read by this program"
            )
        settings = Settings.from_json(state["settings"])
        search = cls(state["cardinalities"], canonical, settings, columns=state["columns"])
        genes, scores = unpack_integers(state["genes"]), unpack_floats(state["scores"])
        search.archive.add(genes, scores[:, 0], scores[:, 1], scores[:, 2:])
        search._generation = state["generation"]
        search._exhausted = state["exhausted"]
        search._rates = None if state["rates"] is None else (state["rates"][0], state["rates"][1])
        search._rng.bit_generator.state = state["random"]
        search._members = np.array(state["members"], dtype=np.int64)
        search._pending = None
        if state["pending"] is not None:
            search._pending = np.array(state["pending"], dtype=np.int64).reshape(-1, genes.shape[1])
        search._summaries = [GenerationSummary(**summary) for summary in state["summaries"]]
        return search

    def _checked_seeds(self, seeds: npt.ArrayLike | None) -> IntArray:
        genes = len(self._cardinalities)
        given = np.empty((0, genes), dtype=np.int64) if seeds is None else np.array(seeds, dtype=np.int64)
        if given.ndim != 2 or given.shape[1] != genes:
            raise ValueError(f"Seeds must have the shape (n, {genes}), not {given.shape}")
        if np.any((given < 0) | (given >= self._cardinalities)):
            raise ValueError("A seed has a choice index that its gene does not have")
        return given[: self.settings.population]

    def _initial(self, seeds: IntArray) -> IntArray:
        spread = latin_hypercube(self._rng, self._cardinalities, self.settings.population - len(seeds))
        return self._distinct(np.concatenate([seeds, spread]), parents=spread)

    def _distinct(self, offspring: IntArray, parents: IntArray) -> IntArray:
        """Repair: the canonical offspring, with whatever is known or repeated replaced by fresh mutants.

        The mutants vary more and more, then are drawn from the whole space; where even those are all known, a
        small space is looked through and a large one yields fewer individuals.
        """
        chosen: set[bytes] = set()
        fresh = self._unseen(offspring, chosen)
        rate = 2.0 / len(self._cardinalities)
        while (missing := self.settings.population - len(fresh)) > 0 and rate < 2.0:
            if rate < 0.5 and len(parents):
                picked = parents[self._rng.integers(0, len(parents), 2 * missing)]
                mutants = mutate(self._rng, picked, self._cardinalities, np.full(len(picked), rate))
            else:
                mutants = latin_hypercube(self._rng, self._cardinalities, missing)
            fresh = np.concatenate([fresh, self._unseen(mutants, chosen)[:missing]])
            rate *= 2.0
        if missing > 0 and np.prod(self._cardinalities.astype(np.float64)) <= ENUMERABLE:
            everything = np.indices(self._cardinalities.tolist()).reshape(len(self._cardinalities), -1).T
            rest = self._unseen(self._rng.permutation(everything), chosen)
            fresh = np.concatenate([fresh, rest[:missing]])
        return fresh

    def _unseen(self, population: IntArray, besides: set[bytes]) -> IntArray:
        spelled = self._canonical(population)
        return spelled[self.archive.unseen(spelled, besides)]

    def _summary(self, told: _Told) -> GenerationSummary:
        archive, rows, members, rates = self.archive, told.rows, told.members, told.rates
        evaluations = int(rows[-1]) + 1 if len(rows) else len(archive)
        known = archive.objective[members][archive.violation[members] == 0.0]
        mean = float(known.sum()) / max(len(known), 1)
        variance = float(np.square(known - mean).sum()) / max(len(known), 1)
        least = float(archive.violation[:evaluations].min(initial=np.inf))
        return GenerationSummary(
            generation=told.generation,
            evaluations=evaluations,
            best=float(known.max()) if len(known) else None,
            mean=mean if len(known) else None,
            std=math.sqrt(variance) if len(known) else None,
            feasible_share=float(np.count_nonzero(archive.violation[rows] == 0.0)) / max(len(rows), 1),
            least_violation=least if math.isfinite(least) else None,
            diversity=diversity(archive.genes[members], self._cardinalities),
            crossover_rate=None if rates is None else rates[0],
            mutation_rate=None if rates is None else rates[1],
        )


def _shaped(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"tell() needs {name} of the shape {shape}, not {array.shape}")
    return array
