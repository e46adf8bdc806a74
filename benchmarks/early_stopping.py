"""Would stopping trainings that are losing teach the predictor as much for less?

    python benchmarks/early_stopping.py [--networks 64] [--space chamnet-mobile-small] [--dataset digits]
        [--recipe seconds] [--splits 40] [--json]

Random networks of the space are trained to the end for real, one after another, and judged after every epoch.
On those learning curves the policies are then simulated: a network whose accuracy after epoch k lies below
a quantile of what the networks before it had after epoch k is stopped. What is stopped is left out, or
enters with the end that a line through the finished ones extrapolates. Each policy is compared with complete
trainings of the same compute, which are fewer: the same order of networks, cut where the epochs are used up.
The predictor is judged on networks that neither saw, over several splits; errors are in points of accuracy. A
policy pays when its error is lower than that of the complete trainings by more than two standard errors.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from search.predictors import GaussianProcess, all_alike
from search.spaces import Architecture, SearchSpace, features, preset
from search.training.datasets import dataset as known_dataset
from search.training.datasets import load_training
from search.training.networks import build_network
from search.training.process import prepare_process
from search.training.recipes import PRESETS
from search.training.trainer import Trainer

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

HELD_OUT = 0.25  # share of the networks the predictor is judged on
FEWEST_BEFORE = 6  # networks that must have reached an epoch before one is judged by them


@dataclass(frozen=True, slots=True)
class Policy:
    """Stop after `epoch` what lies below the `quantile` of those before it; guess its end or leave it out."""

    epoch: int
    quantile: float
    extrapolate: bool

    def __str__(self) -> str:
        return (
            f"after epoch {self.epoch}, lowest {100 * self.quantile:.0f} %, "
            f"{'extrapolated' if self.extrapolate else 'left out'}"
        )


def apply(policy: Policy, curves: FloatArray) -> tuple[FloatArray, int]:
    """Accuracies (n,) the predictor would learn from, NaN where left out, and the epochs spent.

    curves (n, epochs) in the order of training. Every network is judged by those before it alone.
    """
    ends = np.full(len(curves), np.nan)
    finished = np.zeros(len(curves), dtype=np.bool_)
    spent, at = 0, policy.epoch - 1
    for index, curve in enumerate(curves):
        before = curves[:index, at]
        stopped = index >= FEWEST_BEFORE and curve[at] < np.quantile(before, policy.quantile)
        spent += policy.epoch if stopped else curves.shape[1]
        if not stopped:
            ends[index], finished[index] = curve[-1], True
    if policy.extrapolate and finished.sum() >= FEWEST_BEFORE and np.ptp(curves[finished, at]) > 0.0:
        slope, start = np.polyfit(curves[finished, at], curves[finished, -1], 1)
        ends[~finished] = np.clip(start + slope * curves[~finished, at], 0.0, 1.0)
    return ends, spent


def judge(
    inputs: FloatArray, ends: FloatArray, judged_on: FloatArray, true_ends: FloatArray
) -> tuple[float, float]:
    """Mean absolute error and Spearman on `true_ends` (m,) of a predictor of the known among `ends` (n,)."""
    known = np.isfinite(ends)
    if known.sum() < 3 or all_alike(ends[known]):
        return float("nan"), float("nan")
    model = GaussianProcess.fit(inputs[known], ends[known], bounds=(0.0, 1.0))
    predicted = model.predict_median(judged_on)
    rank = float(spearmanr(predicted, true_ends).statistic) if np.ptp(predicted) > 0.0 else 0.0
    return float(np.mean(np.abs(predicted - true_ends))), rank


def compare(
    policies: list[Policy], inputs: FloatArray, curves: FloatArray, splits: int
) -> list[dict[str, Any]]:
    """What each policy saves, and its errors beside those of complete trainings, all and of equal compute."""
    found: dict[Policy, list[tuple[float, ...]]] = {policy: [] for policy in policies}
    count = round((1.0 - HELD_OUT) * len(curves))
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(len(curves))
        taught, held = order[:count], order[count:]
        complete = curves[taught, -1]

        def error(ends: FloatArray, taught: IntArray = taught, held: IntArray = held) -> tuple[float, float]:
            return judge(inputs[taught[: len(ends)]], ends, inputs[held], curves[held, -1])

        everything = error(complete)
        for policy in policies:
            ends, spent = apply(policy, curves[taught])
            equal = error(complete[: max(3, spent // curves.shape[1])])
            saved = 1.0 - spent / (len(taught) * curves.shape[1])
            found[policy].append((saved, *error(ends), *equal, *everything))
    return [report(policy, np.array(rows)) for policy, rows in found.items()]


def report(policy: Policy, rows: FloatArray) -> dict[str, Any]:
    """Means over the splits (n, 7), and whether the policy's error is lower at equal compute."""
    saved, error, rank, equal_error, equal_rank, all_error, all_rank = np.nanmean(rows, axis=0)
    gain = rows[:, 3] - rows[:, 1]
    deviation = float(np.nanstd(gain, ddof=1) / np.sqrt(np.isfinite(gain).sum()))
    return {
        "policy": str(policy),
        "compute_saved": float(saved),
        "error_points": {
            "policy": 100 * float(error),
            "complete_at_equal_compute": 100 * float(equal_error),
            "complete_all": 100 * float(all_error),
        },
        "spearman": {
            "policy": float(rank),
            "complete_at_equal_compute": float(equal_rank),
            "complete_all": float(all_rank),
        },
        "gain_points": 100 * float(np.nanmean(gain)),
        "gain_standard_error": 100 * deviation,
        "pays": bool(np.nanmean(gain) > 2.0 * deviation),
    }


def train_all(
    space: SearchSpace, dataset: str, recipe_name: str, networks: int, show: Callable[[str], None]
) -> tuple[IntArray, FloatArray]:
    """Genes (n, g) of random networks, and their validation accuracy (n, epochs) after every epoch."""
    prepare_process()
    recipe = replace(PRESETS[recipe_name], validate_every=1)
    population = np.unique(space.sample(np.random.default_rng(0), 4 * networks), axis=0)
    population = np.random.default_rng(1).permutation(population)[:networks]
    data = load_training(dataset, 0, limit=recipe.train_images)
    curves = []
    for index, genes in enumerate(population.tolist()):
        architecture = Architecture(space, tuple(genes))
        network = build_network(architecture.layers, dropout=recipe.dropout)
        trainer = Trainer(network, data, recipe, seed=0, size=architecture.values["resolution"])
        while not trainer.done:
            trainer.epoch()
        curves.append([epoch.validation_accuracy or 0.0 for epoch in trainer.history])
        show(f"network {index + 1} of {networks}: {100 * curves[-1][-1]:.1f} %")
    return population, np.array(curves)


def main() -> None:
    """Read the arguments, train, simulate, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=64)
    parser.add_argument("--space", default="chamnet-mobile-small")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--recipe", default="seconds", choices=sorted(PRESETS))
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    chosen = parser.parse_args()
    if chosen.networks < 16 or chosen.splits < 2:
        parser.error("--networks must be at least 16 and --splits at least 2")
    data = known_dataset(chosen.dataset)
    space = preset(chosen.space, classes=len(data.classes), in_channels=data.channels)
    genes, curves = train_all(
        space, chosen.dataset, chosen.recipe, chosen.networks, lambda line: print(line, file=sys.stderr)
    )
    epochs = curves.shape[1]
    policies = [
        Policy(epoch, quantile, extrapolate)
        for epoch in range(1, epochs)
        for quantile in (0.25, 0.5)
        for extrapolate in (False, True)
    ]
    with threadpool_limits(limits=1):
        rows = compare(policies, features(space, genes), curves, chosen.splits)
    agreement = {
        str(epoch + 1): float(spearmanr(curves[:, epoch], curves[:, -1]).statistic)
        for epoch in range(epochs - 1)
    }
    found = {"networks": len(curves), "epochs": epochs, "spearman_with_the_end": agreement, "policies": rows}
    if chosen.json:
        print(json.dumps(found | {"curves": curves.round(4).tolist()}, indent=2))
        return
    print(f"{'rank correlation with the end':44s} {agreement}")
    for row in rows:
        error = row["error_points"]
        print(
            f"{row['policy']:44s} saves {100 * row['compute_saved']:4.1f} %, error {error['policy']:.3f}; "
            f"complete {error['complete_at_equal_compute']:.3f} at equal compute, "
            f"{error['complete_all']:.3f} with all; "
            f"gain {row['gain_points']:+.3f} ± {row['gain_standard_error']:.3f}"
            f"{', pays' if row['pays'] else ''}"
        )


if __name__ == "__main__":
    main()
