"""The simulation of policies that stop losing trainings."""

from __future__ import annotations

import numpy as np

from benchmarks.early_stopping import FEWEST_BEFORE, Policy, apply, compare

RNG = np.random.default_rng(0)
ENDS = RNG.random(40)
CURVES = np.stack([0.5 * ENDS, 0.8 * ENDS, ENDS], axis=1)


def test_what_loses_is_stopped_and_left_out_and_its_epochs_are_saved() -> None:
    ends, spent = apply(Policy(1, 0.5, extrapolate=False), CURVES)
    stopped = np.isnan(ends)
    assert not stopped[:FEWEST_BEFORE].any()
    assert spent == 3 * len(ENDS) - 2 * stopped.sum()
    for index in np.flatnonzero(stopped):
        assert ENDS[index] < np.median(ENDS[:index])


def test_where_early_epochs_tell_the_end_extrapolation_is_exact() -> None:
    ends, _ = apply(Policy(2, 0.5, extrapolate=True), CURVES)
    assert np.allclose(ends, ENDS)


def test_a_lower_bar_stops_less() -> None:
    spent = [apply(Policy(1, quantile, extrapolate=False), CURVES)[1] for quantile in (0.5, 0.25, 0.0)]
    assert spent[0] < spent[1] < spent[2] <= CURVES.size


def test_a_policy_pays_where_early_epochs_tell_the_end_and_not_where_they_say_nothing() -> None:
    inputs = RNG.random((60, 3))
    ends = 0.5 + 0.4 * np.tanh(inputs @ np.array([1.0, -1.0, 0.5]))
    telling = np.stack([0.5 * ends, ends], axis=1)
    silent = np.stack([RNG.random(60), ends], axis=1)
    policy = Policy(1, 0.5, extrapolate=True)
    (good,), (bad,) = (compare([policy], inputs, curves, splits=6) for curves in (telling, silent))
    assert good["compute_saved"] > 0.1
    assert good["gain_points"] > bad["gain_points"]
    assert not bad["pays"]
