from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.evolution import GeneticSearch, Settings, maxima, violation
from tests.search.evolution.problems import Knapsack, knapsack

SHORT = Settings(population=16, generations=8, seed=3)


def begin(problem: Knapsack, chosen: Settings = SHORT, **options: Any) -> GeneticSearch:
    columns = len(problem.limits)
    return GeneticSearch(problem.cardinalities, problem.canonical, chosen, columns=columns, **options)


def advance(search: GeneticSearch, problem: Knapsack, generations: int = 10_000) -> GeneticSearch:
    while generations and len(population := search.ask()):
        costs = problem.costs(population)
        search.tell(problem.objective(population), violation(costs, maxima(problem.limits)), costs)
        generations -= 1
    return search


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.integers(2, 20),
    st.integers(1, 6),
    st.integers(0, 2**31),
)
def test_everything_asked_is_canonical_in_range_and_new(
    choices: list[int], population: int, generations: int, seed: int
) -> None:
    problem = Knapsack(choices, [])
    search = begin(problem, Settings(population=population, generations=generations, seed=seed))
    seen: set[tuple[int, ...]] = set()
    while len(asked := search.ask()):
        assert np.all((asked >= 0) & (asked < choices))
        assert np.array_equal(problem.canonical(asked), asked)
        individuals = set(map(tuple, asked.tolist()))
        assert len(individuals) == len(asked) <= population
        assert not individuals & seen
        seen |= individuals
        search.tell(problem.objective(asked), np.zeros(len(asked)))
    assert search.done
    assert len(seen) == min(population * generations, len(problem.everything())) == search.evaluations


def test_asking_twice_gives_the_same_individuals_until_they_are_told() -> None:
    problem = knapsack()
    search = begin(problem)
    assert np.array_equal(search.ask(), search.ask())
    first = search.ask()
    advance(search, problem, 1)
    assert not np.array_equal(search.ask(), first)


def test_every_generation_counts_the_last_too() -> None:
    problem = knapsack()
    search = advance(begin(problem), problem, SHORT.generations - 1)
    last = search.ask()
    search.tell(np.full(len(last), 99.0), np.zeros(len(last)), problem.costs(last))
    assert search.done
    assert search.generation == SHORT.generations == len(search.summaries)
    assert search.best is not None
    assert search.best.objective == 99.0
    assert search.best.genes in set(map(tuple, last.tolist()))
    assert len(search.ask()) == 0


def test_the_best_of_all_told_is_kept_and_the_feasible_come_first() -> None:
    problem = knapsack()
    search = advance(begin(problem), problem)
    told = search.archive
    assert search.best is not None
    assert search.best.feasible
    assert search.best.objective == told.objective[told.violation == 0.0].max()
    bests = [summary.best for summary in search.summaries if summary.best is not None]
    assert bests == sorted(bests)


def test_the_same_seed_gives_the_same_search_and_another_seed_another() -> None:
    problem = knapsack()
    one, two = advance(begin(problem), problem), advance(begin(problem), problem)
    assert np.array_equal(one.archive.genes, two.archive.genes)
    assert one.summaries == two.summaries
    other = advance(begin(problem, Settings(population=16, generations=8, seed=4)), problem)
    assert not np.array_equal(one.archive.genes, other.archive.genes)


@pytest.mark.parametrize("told", [0, 1, 5, 8])
@pytest.mark.parametrize("asked", [False, True])
def test_a_search_restored_from_json_goes_on_as_if_nothing_had_happened(told: int, asked: bool) -> None:
    problem = knapsack()
    whole = advance(begin(problem), problem)
    search = advance(begin(problem), problem, told)
    if asked:
        search.ask()
    stored = json.dumps(search.state_json(), allow_nan=False)
    restored = advance(GeneticSearch.from_state(json.loads(stored), problem.canonical), problem)
    assert np.array_equal(restored.archive.genes, whole.archive.genes)
    assert restored.summaries == whole.summaries
    assert restored.front == whole.front
    assert restored.best == whole.best


def test_a_search_continued_in_another_process_gives_the_same_result(tmp_path: Path) -> None:
    problem = knapsack()
    whole = advance(begin(problem), problem)
    stored = tmp_path / "state.json"
    stored.write_text(json.dumps(advance(begin(problem), problem, 3).state_json()))
    script = (
        "import json, sys; from search.evolution import GeneticSearch;"
        "from tests.search.evolution.problems import knapsack;"
        "from tests.search.evolution.test_genetic import advance; problem = knapsack();"
        "state = json.load(open(sys.argv[1]));"
        "search = advance(GeneticSearch.from_state(state, problem.canonical), problem);"
        "print(json.dumps([search.best.genes, search.archive.genes.tolist()]))"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script, str(stored)], cwd=root, capture_output=True, text=True, check=True
    )
    assert whole.best is not None
    assert json.loads(done.stdout) == [list(whole.best.genes), whole.archive.genes.tolist()]


def test_a_state_of_another_version_is_refused() -> None:
    state = begin(knapsack()).state_json() | {"version": 99}
    with pytest.raises(ValueError, match="version 99 cannot be read"):
        GeneticSearch.from_state(state, knapsack().canonical)


def test_a_golden_run_stays_as_it_was() -> None:
    problem = knapsack()
    search = advance(begin(problem, Settings(population=24, generations=12, seed=1)), problem)
    assert search.best is not None
    assert search.evaluations == 288
    assert search.best.genes == GOLDEN_GENES
    assert search.best.objective == pytest.approx(GOLDEN_OBJECTIVE, rel=1e-12)
    assert [scored.genes for scored in search.front][:2] == GOLDEN_FRONT


GOLDEN_GENES = (1, 2, 1, 0, 3, 0, 1, 1)
GOLDEN_OBJECTIVE = 4.317445605485845
GOLDEN_FRONT = [(0, 0, 0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0, 1, 0)]


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_an_objective_that_is_no_finite_number_never_wins(poison: float) -> None:
    problem = knapsack()
    search = begin(problem)
    while len(asked := search.ask()):
        objective = problem.objective(asked)
        objective[asked[:, 3] == 4] = poison
        costs = problem.costs(asked)
        search.tell(objective, violation(costs, maxima(problem.limits)), costs)
    assert search.best is not None
    assert search.best.genes[3] != 4
    assert all(scored.genes[3] != 4 for scored in search.front)


def test_a_search_in_which_nothing_can_be_scored_ends_without_a_winner() -> None:
    search = begin(knapsack())
    while len(asked := search.ask()):
        search.tell(np.full(len(asked), np.nan), np.zeros(len(asked)), np.full((len(asked), 2), np.nan))
    assert search.generation == SHORT.generations
    assert search.best is not None
    assert not search.best.feasible
    assert search.front == []
    json.dumps([asdict(summary) for summary in search.summaries], allow_nan=False)


def test_a_space_of_one_architecture_is_scored_once() -> None:
    search = GeneticSearch([1, 1, 1], lambda population: population, SHORT)
    asked = search.ask()
    assert asked.tolist() == [[0, 0, 0]]
    search.tell([0.5], [0.0])
    assert len(search.ask()) == 0
    assert search.done
    assert search.best is not None
    assert search.best.objective == 0.5


def test_the_population_does_not_collapse_on_a_constant_objective() -> None:
    search = GeneticSearch([5] * 12, lambda population: population, Settings(population=32, generations=40))
    while len(asked := search.ask()):
        search.tell(np.ones(len(asked)), np.zeros(len(asked)))
    assert len(np.unique(search.population, axis=0)) == 32
    assert search.summaries[-1].diversity > 0.3


def test_the_population_keeps_distinct_members_when_one_architecture_is_far_better() -> None:
    search = GeneticSearch([5] * 12, lambda population: population, Settings(population=32, generations=60))
    while len(asked := search.ask()):
        search.tell(-np.abs(asked - 2).sum(axis=1).astype(np.float64), np.zeros(len(asked)))
    assert search.best is not None
    assert search.best.genes == (2,) * 12
    assert len(np.unique(search.population, axis=0)) == 32
    assert search.summaries[-1].diversity > 0.02


def test_the_starting_individuals_given_are_among_the_first_asked() -> None:
    problem = knapsack()
    given_ones = [[1, 3, 2, 4, 3, 3, 3, 3], [0, 0, 0, 0, 0, 0, 0, 0]]
    asked = begin(problem, seeds=given_ones).ask()
    assert asked[:2].tolist() == given_ones
    assert len(asked) == SHORT.population


@pytest.mark.parametrize(
    ("seeds", "message"),
    [([[0, 0]], r"shape \(n, 8\)"), ([[9, 0, 0, 0, 0, 0, 0, 0]], "index that its gene does not have")],
)
def test_starting_individuals_that_do_not_fit_are_refused(seeds: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        begin(knapsack(), seeds=seeds)


def test_a_space_without_genes_or_choices_is_refused() -> None:
    for cardinalities in ([], [3, 0]):
        with pytest.raises(ValueError, match="at least 1 choice"):
            GeneticSearch(cardinalities, lambda population: population, SHORT)


def test_a_front_over_a_cost_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="front's columns"):
        begin(knapsack(), Settings(front_columns=(0, 2)))


def test_scores_that_do_not_fit_are_refused_and_change_nothing() -> None:
    problem = knapsack()
    search = begin(problem)
    asked = search.ask()
    right = np.zeros(len(asked))
    with pytest.raises(ValueError, match="objective of the shape"):
        search.tell(right[:-1], right, problem.costs(asked))
    with pytest.raises(ValueError, match="costs of the shape"):
        search.tell(right, right)
    with pytest.raises(ValueError, match="never negative"):
        search.tell(right, right - 1.0, problem.costs(asked))
    assert search.generation == 0
    assert np.array_equal(search.ask(), asked)
    search.tell(right, right, problem.costs(asked))
    with pytest.raises(ValueError, match=r"that ask\(\) returned"):
        search.tell(right, right, problem.costs(asked))


def test_summaries_are_finite_numbers_that_describe_the_population() -> None:
    problem = knapsack()
    search = advance(begin(problem), problem)
    json.dumps([asdict(summary) for summary in search.summaries], allow_nan=False)
    last = search.summaries[-1]
    assert last.evaluations == search.evaluations
    assert last.best is not None
    assert last.mean is not None
    assert last.mean <= last.best
    assert search.summaries[0].crossover_rate is None
    assert last.crossover_rate is not None
    assert SHORT.crossover[0] <= last.crossover_rate <= SHORT.crossover[1]
    assert 0.0 <= last.feasible_share <= 1.0


def test_the_archive_front_is_the_front_of_everything_feasible() -> None:
    problem = knapsack()
    chosen = Settings(population=16, generations=8, seed=3, front_columns=(0, 1))
    search = advance(begin(problem, chosen), problem)
    told = search.archive
    feasible = np.flatnonzero(told.violation == 0.0)
    points = np.column_stack([told.costs, -told.objective])
    undominated = {
        row
        for row in feasible.tolist()
        if not any((points[other] <= points[row]).all() for other in feasible.tolist() if other != row)
    }
    assert set(told.front.tolist()) == undominated
