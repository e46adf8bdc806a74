"""Predicted against measured latency of networks that the table has never seen, on this machine.

    python benchmarks/latency.py [--space chamnet-mobile] [--networks 30] [--json]

Builds a table as the application does: operators in interleaved rounds, all of them in a space of up to 2,000
and an adaptive selection of them in a larger one, the rest learned; calibrated on networks that span the
space. Then it predicts other, random networks and compares with the clock. The figures:

    error       mean absolute relative error on the held-out networks, in %
    within_5    share of them predicted to within 5 %, in %; within_10 likewise
    spearman    rank correlation of predicted and measured
    bias        mean relative error, in %: above 0 where predictions are too slow
    coverage    share of them inside the 95 % interval, in %
    clock       the clock's own repeatability: mean relative difference of two halves of its rounds, in %
    naive       error of the plain sum over medians of one pass over those networks' operators, same run
    blocks      the same figures for a table whose entries are whole blocks of those networks, timed alike
    learned     mean absolute relative error of learned operators by family, on operators drawn at random
    seconds     for the table (operators, learning and calibration), and in all
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
from devices.profiling import OperatorBench, engine_name, network_calls, time_networks
from devices.tables import Calibration, Measurement, OperatorTable, calibrate, first_operators
from devices.tables.families import family_of
from devices.tables.learning import LearnedCosts
from devices.tables.plan import (
    CHOSEN_AT_ONCE,
    FIRST_ROUNDS,
    LEARNING_TURNS,
    MEASURED_WHOLE,
    NETWORK_ROUNDS,
    ROUNDS,
)
from devices.timing import describe_machine, pinned
from search.spaces import SearchSpace, preset, spanning_networks

FloatArray = npt.NDArray[np.float64]
Network = tuple[Layer, ...]
Samples = dict[str, list[float]]

CHECKED = 400  # random operators that learned times are compared with


class Bench:
    """Kernels that stay built, and all their timings."""

    def __init__(self, threads: int) -> None:
        self.threads, self.samples = threads, Samples()
        self._benches: list[OperatorBench] = []

    def add(self, operators: list[Operator], rounds: int) -> None:
        """Further operators, visited so often."""
        fresh = OperatorBench(operators, threads=self.threads, batch_size=1, seed=0)
        self._benches.append(fresh)
        self._visit([fresh], rounds)

    def all_again(self, rounds: int) -> None:
        self._visit(self._benches, rounds)

    def _visit(self, benches: list[OperatorBench], rounds: int) -> None:
        for _ in range(rounds):
            for bench in benches:
                for key, found in bench.round(np.random.default_rng(len(self.samples))).items():
                    self.samples.setdefault(key, []).extend(found)

    @property
    def minima(self) -> dict[Operator, float]:
        return {Operator.parse(key): min(found) for key, found in self.samples.items()}


def build_table(operators: list[Operator], threads: int) -> tuple[OperatorTable, LearnedCosts | None]:
    """Measured operators, and of a large space learned ones too."""
    bench = Bench(threads)
    if len(operators) <= MEASURED_WHOLE:
        bench.add(operators, ROUNDS)
        return _table(bench.samples), None
    bench.add(first_operators(operators), FIRST_ROUNDS)
    for turn in range(LEARNING_TURNS):
        measured = bench.minima
        chosen = LearnedCosts.fit(measured).next_operators(operators, measured, CHOSEN_AT_ONCE, turn)
        if not chosen:
            break
        bench.add(chosen, FIRST_ROUNDS)
    bench.all_again(ROUNDS - FIRST_ROUNDS)
    measured = bench.minima
    costs = LearnedCosts.fit(measured)
    rest = costs.measurements(operator for operator in operators if operator not in measured)
    return _table(bench.samples, rest), costs


def _table(samples: Samples, learned: list[Measurement] | None = None) -> OperatorTable:
    measured = [Measurement.from_samples(key, found) for key, found in samples.items()]
    return OperatorTable([*measured, *(learned or [])])


def clock(networks: list[Network], threads: int) -> tuple[FloatArray, FloatArray]:
    """Minima in microseconds (n,), and those of the first and second half of the rounds (2, n)."""
    torch.set_num_threads(threads)
    timings = np.array(time_networks(network_calls(networks, 1), rounds=NETWORK_ROUNDS, seed=0))
    half = timings.shape[1] // 2
    return timings.min(axis=1), np.stack([timings[:, :half].min(axis=1), timings[:, half:].min(axis=1)])


def judge(
    calibration: Calibration, summed: FloatArray, learned: FloatArray, measured: FloatArray
) -> dict[str, float]:
    """How well calibrated sums (n,) predict measured latencies (n,), both in microseconds."""
    predicted = calibration.quantiles_us(summed, 0.5)
    low, high = calibration.interval_us(summed, 0.95, learned)
    relative = predicted / measured - 1.0
    return {
        "error": 100 * float(np.abs(relative).mean()),
        "within_5": 100 * float((np.abs(relative) <= 0.05).mean()),
        "within_10": 100 * float((np.abs(relative) <= 0.10).mean()),
        "spearman": float(spearmanr(predicted, measured).statistic),
        "bias": 100 * float(relative.mean()),
        "coverage": 100 * float(((low <= measured) & (measured <= high)).mean()),
    }


def blocks_of(network: Network) -> list[Network]:
    """A network cut where its blocks begin."""
    found: dict[str, list[int]] = {}
    for index, layer in enumerate(network):
        found.setdefault(layer.name.rpartition(".")[0] or layer.name, []).append(index)
    return [
        tuple(
            Layer(
                str(place),
                network[index].operator,
                tuple(places.index(source) if source in places else -1 for source in network[index].inputs),
            )
            for place, index in enumerate(places)
        )
        for places in found.values()
    ]


def judge_blocks(
    networks: list[Network], fitted: int, measured: FloatArray, threads: int
) -> dict[str, float]:
    """The figures of a table of whole blocks."""
    cut = [blocks_of(network) for network in networks]
    distinct = list(dict.fromkeys(block for blocks in cut for block in blocks))
    torch.set_num_threads(threads)
    timings = time_networks(network_calls(distinct, 1), rounds=ROUNDS, seed=0)
    cost = {block: min(found) for block, found in zip(distinct, timings, strict=True)}
    summed = np.array([sum(cost[block] for block in blocks) for blocks in cut])
    fit = calibrate(summed[:fitted], measured[:fitted])
    found = judge(fit, summed[fitted:], np.zeros(len(summed) - fitted), measured[fitted:])
    return {"entries": len(distinct), **found}


def judge_learned(
    table: OperatorTable, operators: list[Operator], threads: int, seed: int
) -> dict[str, dict[str, float]]:
    """Learned times against the clock, by family."""
    learned = [operator for operator in operators if table.is_learned(operator)]
    drawn = np.random.default_rng([seed, 3]).permutation(len(learned))[:CHECKED]
    checked = [learned[int(index)] for index in drawn]
    bench = Bench(threads)
    bench.add(checked, ROUNDS)
    truth = bench.minima
    errors: dict[str, list[float]] = {}
    for operator in checked:
        error = abs(table.cost_us(operator) / truth[operator] - 1.0)
        errors.setdefault(family_of(operator).label, []).append(error)
    return {
        label: {"operators": len(found), "error": round(100 * float(np.mean(found)), 2)}
        for label, found in sorted(errors.items())
    }


def run(space: SearchSpace, networks: int, calibration: int, threads: int, seed: int) -> dict[str, Any]:
    begun = time.perf_counter()
    drawn = space.sample(np.random.default_rng([seed, 1]), networks)
    fitted_on = [space.lower(genes) for genes in spanning_networks(space, calibration)]
    held_out = [space.lower([int(gene) for gene in genes]) for genes in drawn]
    operators = sorted(space.operators(), key=lambda operator: operator.key)
    table, costs = build_table(operators, threads)
    clock(fitted_on, threads)
    table_seconds = time.perf_counter() - begun
    # The networks of the calibration are timed once more, among the others: one clock for all.
    every = [*fitted_on, *held_out]
    measured, halves = clock(every, threads)
    summed = np.array([table.summed_us(layers) for layers in every])
    learned = np.array([table.summed_learned_us(layers) for layers in every])
    fit = calibrate(summed[:calibration], measured[:calibration], learned[:calibration])
    found = judge(fit, summed[calibration:], learned[calibration:], measured[calibration:])
    needed = list({layer.operator for layers in held_out for layer in layers})
    once = OperatorBench(needed, threads=threads, batch_size=1, seed=0).round(np.random.default_rng(0))
    naive = np.array([sum(float(np.median(once[x.operator.key])) for x in layers) for layers in held_out])
    timed = len(operators) if costs is None else sum(model.measured for model in costs.models.values())
    return {
        "space": space.name,
        "machine": describe_machine(engine_name(), threads),
        "networks": networks,
        "operators": len(operators),
        "operators_timed": timed,
        **found,
        "clock": 100 * float(np.abs(halves[0] / halves[1] - 1).mean()),
        "naive": 100 * float(np.abs(naive / measured[calibration:] - 1).mean()),
        "blocks": judge_blocks(every, calibration, measured, threads),
        "learned": judge_learned(table, operators, threads, seed) if costs else {},
        "calibration": {"scale": fit.scale, "offset_us": fit.offset_us, "networks": fit.networks},
        "seconds": {"table": table_seconds, "all": time.perf_counter() - begun},
        "pairs_us": [
            [round(fit.latency_us(a), 1), round(float(b), 1)]
            for a, b in zip(summed[calibration:], measured[calibration:], strict=True)
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", default="chamnet-mobile-small")
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--calibration", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with pinned(chosen.threads):
        found = run(preset(chosen.space), chosen.networks, chosen.calibration, chosen.threads, chosen.seed)
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    for name in ("error", "within_5", "within_10", "spearman", "bias", "coverage", "clock", "naive"):
        print(f"{name:<10} {found[name]:8.3f}")
    seconds = found["seconds"]["table"]
    print(
        f"{found['operators_timed']} of {found['operators']} operators timed; {seconds:.0f} s for the table"
    )
    for predicted, clocked in found["pairs_us"]:
        print(f"predicted {predicted:10.1f} us   measured {clocked:10.1f} us")


if __name__ == "__main__":
    main()
