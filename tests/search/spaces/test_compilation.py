"""Compiled costs equal the sum over the lowered network's operators."""

from __future__ import annotations

import math
import time
import zlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given

from devices.operators import Operator
from search.spaces import CompiledCost, SearchSpace, preset
from tests.search.spaces.examples import SPACES, TINY, everything, individuals


def arbitrary(operator: Operator) -> float:
    """A cost without any structure that a look-up could exploit by chance."""
    return 1 + zlib.crc32(operator.key.encode()) % 10_007 / 7


def summed(space: SearchSpace, genes: tuple[int, ...]) -> float:
    return math.fsum(arbitrary(layer.operator) for layer in space.lower(genes))


COMPILED: dict[str, CompiledCost] = {name: space.compile(arbitrary) for name, space in SPACES.items()}


@given(individuals())
def test_a_compiled_cost_is_the_sum_over_the_operators(drawn: tuple[SearchSpace, tuple[int, ...]]) -> None:
    space, genes = drawn
    assert COMPILED[space.name](np.array([genes]))[0] == pytest.approx(summed(space, genes), rel=1e-12)


@pytest.mark.parametrize("space", TINY.values(), ids=TINY.keys())
def test_the_operators_of_a_space_are_the_union_over_all_its_architectures(space: SearchSpace) -> None:
    union = {layer.operator for genes in everything(space).tolist() for layer in space.lower(genes)}
    assert space.operators() == union


@given(individuals())
def test_no_architecture_needs_an_operator_that_its_space_does_not_list(
    drawn: tuple[SearchSpace, tuple[int, ...]],
) -> None:
    space, genes = drawn
    assert {layer.operator for layer in space.lower(genes)} <= space.operators()


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
def test_the_cost_function_is_called_once_per_distinct_operator(space: SearchSpace) -> None:
    calls: Counter[Operator] = Counter()

    def counting(operator: Operator) -> float:
        calls[operator] += 1
        return 1.0

    space.compile(counting)
    assert set(calls.values()) == {1}
    assert calls.keys() == space.operators()


@pytest.mark.parametrize("space", TINY.values(), ids=TINY.keys())
def test_an_unknown_cost_makes_exactly_the_architectures_that_need_it_unknown(space: SearchSpace) -> None:
    population = everything(space)
    networks = [{layer.operator for layer in space.lower(genes)} for genes in population.tolist()]
    for missing in sorted(space.operators(), key=lambda operator: operator.key)[::7]:
        price = dict.fromkeys(space.operators(), 1.0) | {missing: math.nan}
        costs = space.compile(price.__getitem__)(population)
        assert np.isnan(costs).tolist() == [missing in network for network in networks]


@pytest.mark.parametrize("name", TINY)
def test_the_extremes_are_those_of_all_architectures(name: str) -> None:
    space, compiled = SPACES[name], COMPILED[name]
    costs = compiled(everything(space))
    for (cost, genes), expected in ((compiled.least(), costs.min()), (compiled.greatest(), costs.max())):
        assert cost == pytest.approx(expected, rel=1e-12)
        assert summed(space, genes) == pytest.approx(expected, rel=1e-12)
        assert space.canonical(np.array([genes])).tolist() == [list(genes)]


def test_the_extremes_leave_out_architectures_of_unknown_cost() -> None:
    space = SPACES["tiny-mobile"]
    stem = space.lower((0,) * len(space.genes))[0].operator
    partly = space.compile(lambda operator: math.nan if operator == stem else arbitrary(operator))
    assert partly.least()[0] == pytest.approx(np.nanmin(partly(everything(space))), rel=1e-12)
    with pytest.raises(LookupError, match="measure its operators first"):
        space.compile(lambda operator: math.nan).least()


def test_genes_outside_the_space_are_refused_rather_than_looked_up_elsewhere() -> None:
    space, compiled = SPACES["tiny-res"], COMPILED["tiny-res"]
    beyond = np.array([space.reference])
    beyond[0, 0] = 2
    for population in (beyond, -beyond, beyond[:, :-1], beyond[0]):
        with pytest.raises(IndexError):
            compiled(population)


def test_an_empty_population_has_no_costs() -> None:
    space = SPACES["tiny-res"]
    assert COMPILED["tiny-res"](np.zeros((0, len(space.genes)), dtype=np.int64)).shape == (0,)


def test_a_population_of_96_is_scored_in_a_fifth_of_a_millisecond() -> None:
    compiled = COMPILED["chamnet-mobile"]
    population = SPACES["chamnet-mobile"].sample(np.random.default_rng(0), 96)

    def seconds() -> float:
        start = time.perf_counter()
        compiled(population)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(100)) < 0.0002


def test_the_largest_space_compiles_in_seconds() -> None:
    unseen = preset("chamnet-mobile", classes=997)
    start = time.perf_counter()
    unseen.compile(lambda operator: 1.0)
    assert time.perf_counter() - start < 5
