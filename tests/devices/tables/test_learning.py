"""Learning operators' times: on made-up hardware whose rules are known."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
import pytest

from devices.operators import Operator
from devices.tables import first_operators
from devices.tables.families import FIRST_MOST, WHOLE, families, family_of
from devices.tables.learning import FEWEST, LearnedCosts
from search.spaces import preset

SPACE = preset("chamnet-mobile")
OPERATORS = sorted(SPACE.operators(), key=lambda operator: operator.key)
Cost = Callable[[Operator], float]


def blocks(channels: int, block: int) -> float:
    return float(block * ceil(channels / block))


def vectors(block: int) -> Cost:
    """Hardware that fills whole blocks of channels, in and out."""

    def cost(one: Operator) -> float:
        outputs = 1.0 if one.kind == "depthwise" else blocks(one.out_channels, block)
        return 2.0 + 1e-5 * one.out_size**2 * one.kernel**2 * blocks(one.in_channels, block) * outputs

    return cost


def slow_unless(block: int) -> Cost:
    """Hardware with a fast path for multiples of a block, and a slow one for all else."""

    def cost(one: Operator) -> float:
        fast = one.in_channels % block == 0 and one.out_channels % block == 0
        return 1.0 + (1e-5 if fast else 1.7e-5) * one.multiply_adds + 1e-4 * one.memory_accesses

    return cost


def learned(cost: Cost, operators: list[Operator], turns: int = 2) -> tuple[list[Operator], LearnedCosts]:
    measured = first_operators(operators)
    for turn in range(turns):
        costs = LearnedCosts.fit({one: cost(one) for one in measured})
        measured += costs.next_operators(operators, measured, 150, seed=turn)
    return measured, LearnedCosts.fit({one: cost(one) for one in measured})


def some(kind: str, kernel: int = 1, activation: str = "none") -> list[Operator]:
    wanted = [
        one for one in OPERATORS if (one.kind, one.kernel, one.activation) == (kind, kernel, activation)
    ]
    return [wanted[int(i)] for i in np.random.default_rng(0).permutation(len(wanted))[:3000]]


@pytest.mark.parametrize("cost", [vectors(8), vectors(16), vectors(32), slow_unless(16), slow_unless(32)])
def test_steps_of_the_hardware_survive(cost: Cost) -> None:
    """Times a block apart differ by a factor; a smooth curve through them would be off by half of it."""
    operators = some("conv")
    measured, costs = learned(cost, operators)
    assert len(measured) < len(operators) / 5
    rest = [one for one in operators if one not in set(measured)]
    found = {one.key: one.minimum_us for one in costs.measurements(rest)}
    errors = np.array([found[one.key] / cost(one) - 1.0 for one in rest])
    assert np.abs(errors).mean() < 0.03
    aligned = np.array([one.out_channels % 32 == 0 for one in rest])
    assert abs(errors[aligned].mean()) < 0.02


def test_the_deviation_says_how_far_off_a_learned_time_is() -> None:
    rng = np.random.default_rng(1)
    noise = {one: 1.0 + 0.05 * rng.standard_normal() for one in OPERATORS}

    def noisy(one: Operator) -> float:
        return vectors(16)(one) * noise[one]

    operators = some("conv")
    measured, costs = learned(noisy, operators)
    rest = [one for one in operators if one not in set(measured)]
    found = {one.key: one for one in costs.measurements(rest)}
    scores = [(found[one.key].minimum_us / noisy(one) - 1.0) / found[one.key].deviation for one in rest]
    assert 0.7 < np.std(scores) < 1.4
    assert all(one.is_learned and one.repeats == 0 for one in found.values())
    (quality,) = costs.quality
    assert quality.error == pytest.approx(0.04, abs=0.015)


def test_the_next_operators_go_where_the_error_is() -> None:
    """One family is smooth and soon known, of the other every operator is a surprise."""
    rng = np.random.default_rng(2)
    odd = {one: float(rng.lognormal(0.0, 0.2)) for one in OPERATORS}

    def cost(one: Operator) -> float:
        return slow_unless(32)(one) * (odd[one] if one.kind == "depthwise" else 1.0)

    operators = [*some("conv"), *some("depthwise", 3, "relu6")]
    measured = first_operators(operators)
    costs = LearnedCosts.fit({one: cost(one) for one in measured})
    chosen = costs.next_operators(operators, measured, 100, seed=0)
    assert len(chosen) <= 102
    assert len(set(chosen)) == len(chosen)
    assert not set(chosen) & set(measured)
    errors = {one.label: one.error for one in costs.quality}
    assert errors["depthwise 3×3, relu6"] > 3 * errors["conv 1×1"]
    deep = sum(one.kind == "depthwise" for one in chosen)
    assert deep / len(some("depthwise", 3, "relu6")) > 3 * (len(chosen) - deep) / len(some("conv"))


def test_small_families_are_timed_whole_and_others_in_part() -> None:
    chosen = families(first_operators(OPERATORS))
    for family, members in families(OPERATORS).items():
        few = len(members) <= WHOLE
        assert len(chosen[family]) == len(members) if few else len(chosen[family]) <= FIRST_MOST
        sizes = {one.size for one in members}
        assert few or len({one.size for one in chosen[family]}) > len(sizes) / 2


def test_all_is_said_of_what_cannot_be_learned() -> None:
    several = some("conv")[:40]
    costs = LearnedCosts.fit({one: vectors(8)(one) for one in [*several, *some("add")[: FEWEST - 1]]})
    assert costs.knows(several[0])
    stranger = some("depthwise", 5, "relu6")[0]
    assert not costs.knows(stranger)
    with pytest.raises(LookupError, match="depthwise 5×5, relu6"):
        costs.measurements([stranger])
    assert family_of(stranger).label == "depthwise 5×5, relu6"


def test_learning_gives_the_same_for_the_same_seed() -> None:
    operators = some("conv")[:400]
    one, other = (learned(vectors(16), operators, turns=1) for _ in range(2))
    assert one[0] == other[0]
    assert one[1].measurements(operators) == other[1].measurements(operators)


def test_families_whose_operators_are_all_alike_are_left_out() -> None:
    same = Operator("conv", 8, 8, 8)
    assert not LearnedCosts.fit({same: 1.0}).models
