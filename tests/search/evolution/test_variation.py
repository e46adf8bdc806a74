from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from search.evolution.variation import any_scale_step, crossover, latin_hypercube, mutate

seeds = st.integers(0, 2**32 - 1)
cardinalities = st.lists(st.integers(1, 12), min_size=1, max_size=8)
sizes = st.integers(1, 30)


def random_population(seed: int, choices: list[int], n: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, choices, (n, len(choices)))


@given(seeds, cardinalities, sizes)
def test_a_latin_hypercube_holds_every_choice_equally_often_to_within_one(
    seed: int, choices: list[int], n: int
) -> None:
    population = latin_hypercube(np.random.default_rng(seed), np.array(choices), n)
    for gene, count in enumerate(choices):
        held = np.bincount(population[:, gene], minlength=count)
        assert len(held) == count
        assert held.max() - held.min() <= 1


@given(seeds, cardinalities, sizes, st.floats(0, 1))
def test_crossover_takes_every_gene_from_one_of_the_two_parents(
    seed: int, choices: list[int], n: int, rate: float
) -> None:
    first, second = random_population(seed, choices, n), random_population(seed + 1, choices, n)
    children = crossover(np.random.default_rng(seed), first, second, np.full(n, rate))
    assert np.all((children == first) | (children == second))


@given(seeds, cardinalities, sizes)
def test_a_pair_that_does_not_cross_gives_its_first_parent(seed: int, choices: list[int], n: int) -> None:
    first, second = random_population(seed, choices, n), random_population(seed + 1, choices, n)
    children = crossover(np.random.default_rng(seed), first, second, np.zeros(n))
    assert np.array_equal(children, first)


def test_a_pair_that_crosses_gives_about_half_of_each_parent() -> None:
    first, second = np.zeros((200, 50), dtype=np.int64), np.ones((200, 50), dtype=np.int64)
    children = crossover(np.random.default_rng(0), first, second, np.ones(200))
    assert 0.48 < children.mean() < 0.52


@given(seeds, cardinalities, sizes, st.floats(0, 1))
def test_mutants_stay_within_the_choices_and_their_parents_stay_as_they_were(
    seed: int, choices: list[int], n: int, rate: float
) -> None:
    population = random_population(seed, choices, n)
    before = population.copy()
    mutants = mutate(np.random.default_rng(seed), population, np.array(choices), np.full(n, rate))
    assert np.all((mutants >= 0) & (mutants < choices))
    assert np.array_equal(population, before)


@given(seeds, cardinalities, sizes)
def test_mutation_at_rate_one_changes_every_gene_that_has_a_choice(
    seed: int, choices: list[int], n: int
) -> None:
    population = random_population(seed, choices, n)
    mutants = mutate(np.random.default_rng(seed), population, np.array(choices), np.ones(n))
    assert np.array_equal(mutants != population, np.tile(np.array(choices) > 1, (n, 1)))


@given(seeds, cardinalities, sizes)
def test_mutation_at_rate_zero_changes_nothing(seed: int, choices: list[int], n: int) -> None:
    population = random_population(seed, choices, n)
    assert np.array_equal(
        mutate(np.random.default_rng(seed), population, np.array(choices), np.zeros(n)), population
    )


def test_mutation_reaches_every_other_choice_from_every_choice() -> None:
    for start in range(6):
        population = np.full((2000, 1), start)
        mutants = mutate(np.random.default_rng(start), population, np.array([6]), np.ones(2000))
        assert set(mutants[:, 0].tolist()) == set(range(6)) - {start}


@given(seeds, st.lists(st.tuples(st.integers(2, 1000), st.floats(0, 1)), min_size=1))
def test_a_step_of_any_scale_moves_and_stays_in_range(seed: int, places: list[tuple[int, float]]) -> None:
    choices = np.array([count for count, _ in places])
    old = np.array([min(int(share * count), count - 1) for count, share in places])
    moved = any_scale_step(np.random.default_rng(seed), old, choices)
    assert np.all(moved != old)
    assert np.all((moved >= 0) & (moved < choices))
