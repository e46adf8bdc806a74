"""Predicted against measured latency of networks that the table has never seen, on this machine.

    python benchmarks/latency.py [--space chamnet-mobile-small] [--networks 30] [--calibration 10] [--json]

Times operators in eight interleaved rounds, calibrates on networks that span the space, then predicts other,
random networks and compares with the clock. A space with more than 2,000 distinct operators is not measured
whole: then the operators are those of the networks in question, and nothing is interpolated. The figures:

    error       mean absolute relative error on the held-out networks, in %
    within_5    share of them predicted to within 5 %, in %; within_10 likewise
    spearman    rank correlation of predicted and measured
    bias        mean relative error, in %: above 0 where predictions are too slow
    coverage    share of them inside the 95 % interval, in %
    clock       the clock's own repeatability: mean relative difference of two halves of its rounds, in %
    naive       error of the plain sum over medians of the first round: a table made in one pass
    seconds     for operators, and for whole networks
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from devices.operators import Layer, Operator
from devices.profiling import (
    OperatorBench,
    bind,
    build_inference_network,
    describe_machine,
    example_inputs,
    freeze,
    time_networks,
)
from devices.tables import Calibration, Measurement, OperatorTable, calibrate
from search.spaces import SearchSpace, preset, spanning_networks

FloatArray = npt.NDArray[np.float64]

ROUNDS = 8
MEASURED_WHOLE = 2000  # operators
TIMINGS_A_ROUND = 5

Network = tuple[Layer, ...]


def measure_operators(operators: list[Operator], threads: int) -> list[dict[str, list[float]]]:
    """Timings in microseconds by operator key, a dict a round."""
    bench = OperatorBench(operators, threads=threads, batch_size=1, seed=0)
    return [bench.round(np.random.default_rng(number)) for number in range(ROUNDS)]


def tables(rounds: list[dict[str, list[float]]]) -> tuple[OperatorTable, OperatorTable]:
    """The table of all rounds, and one that takes the first round's medians for minima."""
    merged = {key: [us for found in rounds for us in found[key]] for key in rounds[0]}
    careful = [Measurement.from_samples(key, samples) for key, samples in merged.items()]
    naive = [Measurement.from_samples(key, [float(np.median(us))]) for key, us in rounds[0].items()]
    return OperatorTable(careful), OperatorTable(naive)


def measure_networks(networks: list[Network], threads: int) -> tuple[FloatArray, FloatArray]:
    """Minima in microseconds (n,), and those of the first and second half of the rounds (2, n)."""
    torch.set_num_threads(threads)
    calls = []
    for index, layers in enumerate(networks):
        images = example_inputs(layers[0].operator, 1, torch.Generator().manual_seed(index))
        calls.append(bind(freeze(build_inference_network(layers, seed=index), *images), images))
    timings = np.array(time_networks(calls, rounds=ROUNDS, rng=np.random.default_rng(0)))
    half = ROUNDS // 2 * TIMINGS_A_ROUND
    return timings.min(axis=1), np.stack([timings[:, :half].min(axis=1), timings[:, half:].min(axis=1)])


def judge(calibration: Calibration, summed: FloatArray, measured: FloatArray) -> dict[str, float]:
    """How well calibrated sums (n,) predict measured latencies (n,), both in microseconds."""
    predicted = np.array([calibration.latency_us(value) for value in summed])
    relative = predicted / measured - 1.0
    inside = [
        low <= value <= high
        for value, (low, high) in zip(measured, map(calibration.interval_us, summed), strict=True)
    ]
    return {
        "error": 100 * float(np.abs(relative).mean()),
        "within_5": 100 * float((np.abs(relative) <= 0.05).mean()),
        "within_10": 100 * float((np.abs(relative) <= 0.10).mean()),
        "spearman": float(spearmanr(predicted, measured).statistic),
        "bias": 100 * float(relative.mean()),
        "coverage": 100 * float(np.mean(inside)),
    }


def run(space: SearchSpace, networks: int, calibration: int, threads: int, seed: int) -> dict[str, Any]:
    drawn = space.sample(np.random.default_rng([seed, 1]), networks)
    fitted_on = [space.lower(genes) for genes in spanning_networks(space, calibration)]
    held_out = [space.lower([int(gene) for gene in genes]) for genes in drawn]
    every = list(space.operators())
    whole = len(every) <= MEASURED_WHOLE
    if not whole:
        every = list({layer.operator for layers in [*fitted_on, *held_out] for layer in layers})
    begun = time.perf_counter()
    careful, naive = tables(measure_operators(sorted(every, key=lambda operator: operator.key), threads))
    operators_done = time.perf_counter()
    measured, halves = measure_networks([*fitted_on, *held_out], threads)
    networks_done = time.perf_counter()
    summed = np.array([careful.summed_us(layers) for layers in [*fitted_on, *held_out]])
    plain = np.array([naive.summed_us(layers) for layers in held_out])
    fit = calibrate(summed[:calibration], measured[:calibration])
    found = judge(fit, summed[calibration:], measured[calibration:])
    return {
        "space": space.name,
        "machine": describe_machine(),
        "networks": networks,
        "operators": len(every),
        "whole_space_measured": whole,
        **found,
        "clock": 100 * float(np.abs(halves[0] / halves[1] - 1).mean()),
        "naive": 100 * float(np.abs(plain / measured[calibration:] - 1).mean()),
        "calibration": {"scale": fit.scale, "offset_us": fit.offset_us, "networks": fit.networks},
        "seconds": {"operators": operators_done - begun, "networks": networks_done - operators_done},
        "pairs_us": [
            [round(fit.latency_us(a), 1), round(float(b), 1)]
            for a, b in zip(summed[calibration:], measured[calibration:], strict=True)
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", default="chamnet-mobile-small")
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--calibration", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = run(preset(chosen.space), chosen.networks, chosen.calibration, chosen.threads, chosen.seed)
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    for name in ("error", "within_5", "within_10", "spearman", "bias", "coverage", "clock", "naive"):
        print(f"{name:<10} {found[name]:8.3f}")
    print(f"{found['operators']} operators in {found['seconds']['operators']:.0f} s")
    for predicted, clocked in found["pairs_us"]:
        print(f"predicted {predicted:10.1f} us   measured {clocked:10.1f} us")


if __name__ == "__main__":
    main()
