"""The sampler's promises: never twice, never random, never stuck, and good at finding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.predictors import Proposal, Sampler, SamplerSettings, SpaceView
from search.predictors.sampler import milestone, radical_inverse
from tests.search.predictors.toy import accuracies, folded_view, ordinal_view

Told = list[tuple[tuple[int, ...], float | None]]
slow = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])


def accuracy_of(view: SpaceView, genes: tuple[int, ...]) -> float:
    """A noiseless accuracy of one network."""
    return float(accuracies(view.features(np.array([genes])), np.random.default_rng(0), noise=0.0)[0])


def played(sampler: Sampler, trainings: int, failing: int = 0) -> Told:
    """Ask and tell one after the other; every `failing`-th training fails."""
    told: Told = []
    for index in range(trainings):
        proposal = sampler.ask()
        assert proposal is not None
        failed = failing and index % failing == failing - 1
        accuracy = None if failed else accuracy_of(sampler.view, proposal.genes)
        sampler.tell(proposal.genes, accuracy)
        told.append((proposal.genes, accuracy))
    return told


def rebuilt(sampler: Sampler, told: Told) -> Sampler:
    """A new sampler with the same settings, told the same."""
    other = Sampler(sampler.view, sampler.settings)
    for genes, accuracy in told:
        other.tell(genes, accuracy)
    return other


@slow
@given(
    seed=st.integers(0, 1000),
    exploration=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    in_flight=st.integers(0, 4),
    failing=st.sampled_from([0, 3]),
    with_cost=st.booleans(),
)
def test_no_network_is_proposed_twice_whatever_fails_or_is_in_flight(
    seed: int, exploration: float, in_flight: int, failing: int, with_cost: bool
) -> None:
    view = ordinal_view(3, 4, 2, 3, with_cost=with_cost)
    sampler = Sampler(view, SamplerSettings(seed=seed, initial=6, exploration=exploration))
    pending: list[tuple[int, ...]] = []
    proposed = []
    for index in range(24):
        proposal = sampler.ask(pending)
        assert proposal is not None
        proposed.append(proposal.genes)
        pending.append(proposal.genes)
        if len(pending) > in_flight:
            # The newest ends first: trainings do not end in the order they began.
            genes = pending.pop()
            failed = failing and index % failing == 0
            sampler.tell(genes, None if failed else accuracy_of(view, genes))
    assert len(set(proposed)) == len(proposed)


@slow
@given(seed=st.integers(0, 1000), trainings=st.integers(0, 30), failing=st.sampled_from([0, 4]))
def test_a_sampler_built_anew_from_what_was_told_asks_the_same(
    seed: int, trainings: int, failing: int
) -> None:
    sampler = Sampler(folded_view(4, 4, 4, 4), SamplerSettings(seed=seed, initial=8))
    told = played(sampler, trainings, failing)
    pending = [(1, 2, 3, 0), (3, 3, 3, 3)]
    assert rebuilt(sampler, told).ask(pending) == sampler.ask(pending)
    assert rebuilt(sampler, told).ask() == sampler.ask() == sampler.ask()


def test_the_order_of_trainings_in_flight_does_not_matter_to_what_is_chosen() -> None:
    sampler = Sampler(ordinal_view(5, 5, 5), SamplerSettings(seed=1, initial=6, exploration=0.0))
    played(sampler, 12)
    one, other = sampler.ask([(0, 1, 2), (4, 4, 3)]), sampler.ask([(4, 4, 3), (0, 1, 2)])
    assert one is not None
    assert other is not None
    assert one.genes == other.genes


def test_other_seeds_start_elsewhere() -> None:
    view = ordinal_view(5, 5, 5, 5)
    first = {Sampler(view, SamplerSettings(seed=seed)).ask() for seed in range(5)}
    assert len(first) > 1


def test_equal_networks_are_not_proposed_under_other_genes() -> None:
    view = folded_view(2, 2, 3)
    proposed = [genes for genes, _ in played(Sampler(view, SamplerSettings(seed=0, initial=3)), 8)]
    assert set(proposed) == {tuple(row) for row in view.everything().tolist()}


def test_a_space_that_is_used_up_is_said_to_be() -> None:
    sampler = Sampler(ordinal_view(2, 3), SamplerSettings(seed=0, initial=2))
    told = played(sampler, 5)
    last = sampler.ask()
    assert last is not None
    assert sampler.ask([last.genes]) is None
    sampler.tell(last.genes, 0.5)
    assert sampler.ask() is None
    assert len({genes for genes, _ in told} | {last.genes}) == 6


def test_a_space_of_one_architecture_is_trained_once() -> None:
    sampler = Sampler(ordinal_view(1, 1), SamplerSettings(seed=0))
    proposal = sampler.ask()
    assert proposal is not None
    assert proposal.genes == (0, 0)
    sampler.tell(proposal.genes, 0.9)
    assert sampler.ask() is None


def test_a_space_too_large_to_list_is_sampled_all_the_same() -> None:
    view = folded_view(*[6] * 25)
    sampler = Sampler(view, SamplerSettings(seed=0, initial=8))
    proposed = [genes for genes, _ in played(sampler, 12)]
    assert len(set(proposed)) == 12
    np.testing.assert_array_equal(view.canonical(np.array(proposed)), proposed)


def test_it_starts_with_the_sobol_sequence_and_then_alternates() -> None:
    sampler = Sampler(ordinal_view(5, 5, 5), SamplerSettings(seed=0, initial=4, exploration=0.5))
    chosen = []
    for _ in range(10):
        proposal = sampler.ask()
        assert proposal is not None
        chosen.append(proposal.chosen_for)
        sampler.tell(proposal.genes, accuracy_of(sampler.view, proposal.genes))
    assert chosen == ["sobol"] * 4 + ["exploitation", "exploration"] * 3


def test_every_proposal_says_why_with_figures() -> None:
    sampler = Sampler(ordinal_view(5, 5, 5, with_cost=True), SamplerSettings(seed=0, initial=4))
    played(sampler, 6)
    texts: dict[str, Proposal] = {}
    for _ in range(2):
        proposal = sampler.ask()
        assert proposal is not None
        texts[proposal.chosen_for] = proposal
        sampler.tell(proposal.genes, accuracy_of(sampler.view, proposal.genes))
    for proposal in texts.values():
        assert proposal.mean is not None
        assert f"{100 * proposal.mean:.1f} %" in proposal.reason
    assert "among the cheapest 50 % of networks" in texts["exploitation"].reason
    assert "lower the predictor's variance" in texts["exploration"].reason


def test_while_all_accuracies_are_equal_it_goes_on_spreading() -> None:
    sampler = Sampler(ordinal_view(4, 4), SamplerSettings(seed=0, initial=3))
    reasons = []
    for _ in range(6):
        proposal = sampler.ask()
        assert proposal is not None
        assert proposal.chosen_for == "sobol"
        sampler.tell(proposal.genes, 0.1)
        reasons.append(proposal.reason)
    assert "no two accuracies differ" in reasons[-1]


def test_if_every_training_fails_it_still_proposes_every_network() -> None:
    sampler = Sampler(ordinal_view(3, 3), SamplerSettings(seed=0, initial=2))
    assert len({genes for genes, _ in played(sampler, 9, failing=1)}) == 9
    assert sampler.ask() is None


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_best_network_in_a_fraction_of_the_space(seed: int) -> None:
    view = ordinal_view(4, 4, 4, 4, 4)
    best = max(accuracy_of(view, tuple(row)) for row in view.everything().tolist())
    told = played(Sampler(view, SamplerSettings(seed=seed, initial=12, exploration=0.0)), 30)
    assert max(accuracy for _, accuracy in told if accuracy is not None) == pytest.approx(best)


def test_with_a_cost_exploitation_covers_cheap_networks_and_dear_ones() -> None:
    view = ordinal_view(4, 4, 4, 4, with_cost=True)
    assert view.cost is not None
    told = played(Sampler(view, SamplerSettings(seed=0, initial=10, exploration=0.0)), 26)
    costs = view.cost(np.array([genes for genes, _ in told[10:]]))
    everything = view.cost(view.everything())
    assert np.sum(costs <= np.quantile(everything, 0.3)) >= 3
    assert np.sum(costs >= np.quantile(everything, 0.7)) >= 3


def test_trainings_in_flight_turn_the_next_proposal_elsewhere() -> None:
    sampler = Sampler(ordinal_view(6, 6, 6), SamplerSettings(seed=0, initial=8, exploration=1.0))
    played(sampler, 10)
    first = sampler.ask()
    assert first is not None
    second = sampler.ask([first.genes])
    assert second is not None
    assert np.abs(np.array(first.genes) - second.genes).sum() > 1


@pytest.mark.parametrize("accuracy", [float("nan"), float("inf")])
def test_an_accuracy_that_is_no_number_is_refused(accuracy: float) -> None:
    with pytest.raises(ValueError, match="tell a failed training as None"):
        Sampler(ordinal_view(2, 2), SamplerSettings(seed=0)).tell((0, 1), accuracy)


@pytest.mark.parametrize("genes", [(0, 2), (0, -1), (0,), (0, 1, 0)])
def test_genes_outside_the_space_are_refused(genes: tuple[int, ...]) -> None:
    sampler = Sampler(ordinal_view(2, 2), SamplerSettings(seed=0))
    with pytest.raises(ValueError, match=r"outside the space|rows of 2 genes"):
        sampler.tell(genes, 0.5)
    with pytest.raises(ValueError, match=r"outside the space|rows of 2 genes"):
        sampler.ask([genes])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial": 1}, "at least 2"),
        ({"exploration": 1.5}, "between 0 and 1"),
        ({"seed": -1}, "not negative"),
    ],
)
def test_senseless_settings_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SamplerSettings(**{"seed": 0, **changes})  # type: ignore[arg-type]


def test_milestones_are_about_a_tenth_apart_and_never_ahead() -> None:
    assert [milestone(n) for n in (2, 15, 16, 19, 20, 21, 22)] == [2, 15, 16, 19, 20, 20, 22]
    assert all(0.9 * n <= milestone(n) <= n for n in range(1, 600))


def test_cost_limits_cover_the_whole_range_evenly() -> None:
    assert [radical_inverse(index) for index in range(4)] == [0.0, 0.5, 0.25, 0.75]
    assert np.all(np.diff(sorted(radical_inverse(index) for index in range(32))) == 1 / 32)


def test_a_seeded_run_gives_the_networks_it_always_gave() -> None:
    told = played(Sampler(ordinal_view(5, 4, 3, 5), SamplerSettings(seed=7, initial=4)), 8)
    spread = [(3, 3, 0, 4), (0, 0, 1, 1), (1, 2, 1, 3), (3, 1, 2, 0)]
    chosen = [(4, 3, 2, 4), (3, 0, 1, 4), (4, 3, 1, 4), (3, 2, 0, 1)]
    assert [genes for genes, _ in told] == spread + chosen
