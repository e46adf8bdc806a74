from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.operators import Layer, Operator
from devices.tables import Calibration, Measurement, OperatorTable, calibrate
from search.spaces import preset

times = st.floats(0.01, 1e6)
LAYERS: tuple[Layer, ...] = (lambda space: space.lower([0] * len(space.genes)))(
    preset("chamnet-mobile-small", classes=10, in_channels=1)
)


def measured(operator: Operator, us: float) -> Measurement:
    return Measurement.from_samples(operator.key, [us, us * 1.1, us * 1.3])


@given(st.lists(times, min_size=1, max_size=40))
def test_a_summary_orders_its_quantiles(samples: list[float]) -> None:
    found = Measurement.from_samples("conv", samples)
    assert found.repeats == len(samples)
    assert found.minimum_us == min(samples)
    assert found.minimum_us <= found.p10_us <= found.p50_us <= found.p90_us <= max(samples)


@pytest.mark.parametrize("samples", [[], [0.0], [-1.0], [math.nan], [1.0, math.inf]])
def test_times_that_cannot_be_are_refused(samples: list[float]) -> None:
    with pytest.raises(ValueError, match="conv"):
        Measurement.from_samples("conv", samples)


@given(st.floats(0.2, 3), st.floats(-20, 200), st.integers(5, 20), st.integers(0, 1000))
def test_a_linear_relation_is_found_exactly(scale: float, offset: float, count: int, seed: int) -> None:
    summed = np.random.default_rng(seed).uniform(500, 5000, count)
    found = calibrate(summed, scale * summed + offset)
    assert found.scale == pytest.approx(scale, rel=1e-6)
    assert found.offset_us == pytest.approx(offset, abs=1e-3)
    assert found.error_after == pytest.approx(0, abs=1e-6)
    assert found.networks == count


def test_noise_shows_as_residual_and_intervals_hold_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    summed = rng.uniform(100, 1000, 40)
    truth = 0.8 * summed + 20
    found = calibrate(summed, truth * (1 + 0.05 * rng.standard_normal(40)))
    assert found.residual == pytest.approx(0.05, rel=0.4)
    fresh = rng.uniform(100, 1000, 2000)
    measured_us = (0.8 * fresh + 20) * (1 + 0.05 * rng.standard_normal(2000))
    low, high = found.interval_us(fresh, 0.9)
    assert 0.82 <= np.mean((low <= measured_us) & (measured_us <= high)) <= 0.98


def test_the_chance_to_meet_a_limit_grows_with_the_limit() -> None:
    found = calibrate([100, 200, 300, 400, 500], [90, 170, 265, 330, 420])
    network = np.array([250.0])
    chances = [found.probability_within(network, limit).item() for limit in (150, 200, 215, 240, 400)]
    assert chances == sorted(chances)
    assert chances[0] < 0.05 < 0.95 < chances[-1]
    low, high = found.interval_us(network, 0.9)
    assert found.probability_within(network, high.item()) == pytest.approx(0.95, abs=1e-6)
    assert found.probability_within(network, low.item()) == pytest.approx(0.05, abs=1e-6)


def test_a_quantile_is_the_limit_that_is_met_with_its_probability() -> None:
    found = calibrate([100, 200, 300, 400, 500], [90, 170, 265, 330, 420])
    summed = np.array([120.0, 250.0, 480.0])
    for probability in (0.5, 0.8, 0.95):
        limits = found.quantiles_us(summed, probability)
        chances = [
            found.probability_within(summed[i : i + 1], limit).item() for i, limit in enumerate(limits)
        ]
        assert chances == pytest.approx([probability] * 3)
    assert found.quantiles_us(summed, 0.5).tolist() == [found.latency_us(one) for one in summed]


def test_few_networks_fit_a_scale_only_and_none_keep_the_sum() -> None:
    assert calibrate([], []) == Calibration.identity() or math.isnan(calibrate([], []).error_after)
    two = calibrate([100, 200], [50, 100])
    assert (two.scale, two.offset_us) == (pytest.approx(0.5), 0.0)
    assert calibrate([100], [80]).scale == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("summed", "measured_us"), [([1, 2], [1]), ([0, 1], [1, 1]), ([1, 1], [math.nan, 1]), ([[1]], [[1]])]
)
def test_values_that_do_not_pair_are_refused(summed: list[float], measured_us: list[float]) -> None:
    with pytest.raises(ValueError, match=r"pair|finite"):
        calibrate(summed, measured_us)


def test_no_offset_makes_a_latency_negative() -> None:
    found = Calibration(1.0, -500.0, 0.1, 10, 0.1, 0.1)
    assert found.latency_us(100) > 0
    assert found.interval_us(np.array([100.0]))[0].item() >= 0


def test_learned_operators_widen_the_interval_beyond_what_the_calibration_saw() -> None:
    rng = np.random.default_rng(0)
    summed = rng.uniform(100, 1000, 20)
    measured_us = summed * (1 + 0.02 * rng.standard_normal(20))
    network = np.array([500.0])

    def width(found: Calibration, learned_us: float) -> float:
        low, high = found.interval_us(network, 0.95, np.array([learned_us]))
        return (high - low).item()

    plain, used_to_it = calibrate(summed, measured_us), calibrate(summed, measured_us, 0.05 * summed)
    assert width(plain, 0.0) < width(plain, 25.0) < width(plain, 50.0)
    assert width(used_to_it, 25.0) == pytest.approx(width(plain, 0.0))
    assert width(used_to_it, 50.0) > 1.5 * width(plain, 0.0)
    assert plain.quantiles_us(network, 0.5, np.array([50.0])) == plain.quantiles_us(network, 0.5)
    limit = 1.1 * plain.latency_us(500.0)
    assert plain.probability_within(network, limit, 50.0) < plain.probability_within(network, limit)


def test_what_was_learned_is_told_from_what_was_measured() -> None:
    first, second = LAYERS[0].operator, LAYERS[1].operator
    table = OperatorTable([measured(first, 10.0), Measurement.learned(second.key, 20.0, 0.1)])
    assert (table.is_learned(first), table.is_learned(second)) == (False, True)
    assert (table.learned_us(first), table.learned_us(second)) == (0.0, pytest.approx(2.0))
    found = table.coverage([first, second])
    assert (found.covered, found.learned, found.missing) == (2, 1, ())
    with pytest.raises(ValueError, match="repeats"):
        Measurement("a", 0, 1.0, 1.0, 1.0, 1.0)


def test_a_network_costs_the_sum_of_its_operators() -> None:
    costs = {layer.operator.key: float(index + 1) for index, layer in enumerate(LAYERS)}
    table = OperatorTable(measured(Operator.parse(key), us) for key, us in costs.items())
    assert table.summed_us(LAYERS) == pytest.approx(sum(costs[layer.operator.key] for layer in LAYERS))
    assert table.network_us(LAYERS) == table.summed_us(LAYERS)
    assert table.coverage(layer.operator for layer in LAYERS).share == 1.0


def test_an_operator_that_was_not_measured_is_never_guessed() -> None:
    first, *rest = {layer.operator.key for layer in LAYERS}
    table = OperatorTable(measured(Operator.parse(key), 1.0) for key in rest)
    assert math.isnan(table.cost_us(Operator.parse(first)))
    with pytest.raises(LookupError, match="lacks 1 operators"):
        table.network_us(LAYERS)
    coverage = table.coverage(layer.operator for layer in LAYERS)
    assert (coverage.missing, coverage.covered) == ((first,), len(rest))
