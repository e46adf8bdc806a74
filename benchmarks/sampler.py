"""Sampler and predictor against their peers on a table of finished trainings.

    python benchmarks/sampler.py --table FILE.csv --genes COLUMN[,COLUMN...] --kind ordinal|categorical \
        --target COLUMN [--budget 120] [--seeds 20] [--json]

Every method sees the same table. `search` is the best target found after so many trainings: ours with
exploitation only, random search, Optuna's TPE. `predictor` is the rank correlation and error on the rest of
the table after training on a random part of it: ours, a random forest, gradient boosting. A column of digit
strings counts as one gene a digit. The higher the target the better. All of it runs on one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from scipy.stats import spearmanr
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.trainings_table import TrainingsTable
from search.predictors import GaussianProcess, Sampler, SamplerSettings

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CHECKPOINTS = (20, 50, 80, 120)
TRAINING_SIZES = (50, 120, 240)
EVALUATED = 20_000  # rows a predictor is judged on, at most


def ours(table: TrainingsTable, budget: int, seed: int) -> Iterator[float]:
    """Targets in the order our sampler trains them."""
    sampler = Sampler(table, SamplerSettings(seed=seed, exploration=0.0, bounds=None))
    for _ in range(budget):
        proposal = sampler.ask()
        if proposal is None:
            return
        value = table.measure(proposal.genes)
        sampler.tell(proposal.genes, value)
        yield value


def random_search(table: TrainingsTable, budget: int, seed: int) -> Iterator[float]:
    """Targets of rows drawn by lot."""
    yield from table.target[np.random.default_rng(seed).permutation(table.size)[:budget]].tolist()


def tree_parzen(table: TrainingsTable, budget: int, seed: int) -> Iterator[float]:
    """Targets in the order Optuna's TPE with its defaults trains them."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    for _ in range(budget):
        trial = study.ask()
        genes = [
            trial.suggest_categorical(name, list(range(count)))
            if table.categorical
            else trial.suggest_int(name, 0, count - 1)
            for name, count in zip(table.names, table.cardinalities, strict=True)
        ]
        value = table.measure(genes)
        study.tell(trial, value)
        yield value


SEARCHES: dict[str, Callable[[TrainingsTable, int, int], Iterator[float]]] = {
    "ours": ours,
    "random": random_search,
    "tpe": tree_parzen,
}


def compare_searches(table: TrainingsTable, budget: int, seeds: int) -> dict[str, Any]:
    """Best found by every search after each checkpoint, over the seeds."""
    optimum = float(table.target.max())
    checkpoints = [*(point for point in CHECKPOINTS if point < budget), budget]
    report: dict[str, Any] = {}
    for name, search in SEARCHES.items():
        started = time.perf_counter()
        best = np.empty((seeds, len(checkpoints)))
        first: list[int | None] = []
        for seed in range(seeds):
            trace = np.maximum.accumulate(list(search(table, budget, seed)))
            best[seed] = trace[np.minimum(checkpoints, len(trace)) - 1]
            hits = np.flatnonzero(trace >= optimum)
            first.append(int(hits[0]) + 1 if len(hits) else None)
            show(f"{name}: seed {seed}, best {trace[-1]:g}")
        report[name] = {
            "best_found": {
                str(point): {
                    "mean": column.mean(),
                    "worst": column.min(),
                    "at_optimum": int((column >= optimum).sum()),
                }
                for point, column in zip(checkpoints, best.T, strict=True)
            },
            "trainings_to_optimum": first,
            "seconds_per_training": (time.perf_counter() - started) / (seeds * budget),
        }
    return report


def our_predictor(X: FloatArray, y: FloatArray, seed: int) -> Callable[[FloatArray], FloatArray]:
    """Our Gaussian process; deterministic, so the seed has no part in it."""
    model = GaussianProcess.fit(X, y)
    return lambda points: np.concatenate([model.predict_median(part) for part in np.array_split(points, 8)])


def random_forest(X: FloatArray, y: FloatArray, seed: int) -> Callable[[FloatArray], FloatArray]:
    """scikit-learn's random forest of 300 trees."""
    model = RandomForestRegressor(300, random_state=seed).fit(X, y)
    return lambda points: np.asarray(model.predict(points))


def gradient_boosting(X: FloatArray, y: FloatArray, seed: int) -> Callable[[FloatArray], FloatArray]:
    """scikit-learn's gradient boosting of 300 trees of depth 3."""
    model = GradientBoostingRegressor(n_estimators=300, max_depth=3, subsample=0.7, random_state=seed).fit(
        X, y
    )
    return lambda points: np.asarray(model.predict(points))


PREDICTORS: dict[str, Callable[[FloatArray, FloatArray, int], Callable[[FloatArray], FloatArray]]] = {
    "ours": our_predictor,
    "random_forest": random_forest,
    "gradient_boosting": gradient_boosting,
}


def compare_predictors(table: TrainingsTable, seeds: int) -> dict[str, Any]:
    """Spearman and MAE of every predictor on what it was not trained on, over the seeds."""
    features = table.features(table.rows)
    report: dict[str, Any] = {name: {} for name in PREDICTORS}
    for size in TRAINING_SIZES:
        if size > table.size - 2:
            continue
        for name, fit in PREDICTORS.items():
            figures = np.array([judge(table, features, fit, size, seed) for seed in range(seeds)])
            report[name][str(size)] = {
                "spearman": figures[:, 0].mean(),
                "spearman_worst": figures[:, 0].min(),
                "mae": figures[:, 1].mean(),
                "fit_seconds": figures[:, 2].mean(),
            }
            show(f"{name}: {size} samples, Spearman {figures[:, 0].mean():.4f}")
    return report


def judge(
    table: TrainingsTable,
    features: FloatArray,
    fit: Callable[[FloatArray, FloatArray, int], Callable[[FloatArray], FloatArray]],
    size: int,
    seed: int,
) -> tuple[float, float, float]:
    """Spearman, MAE and seconds of fitting for `size` random samples, judged on the others."""
    order = np.random.default_rng(seed).permutation(table.size)
    inside, outside = order[:size], order[size : size + EVALUATED]
    started = time.perf_counter()
    predict = fit(features[inside], table.target[inside], seed)
    seconds = time.perf_counter() - started
    predicted, measured = predict(features[outside]), table.target[outside]
    return (
        float(spearmanr(predicted, measured).statistic),
        float(np.mean(np.abs(predicted - measured))),
        seconds,
    )


def show(line: str) -> None:
    """Progress, apart from the results."""
    print(line, file=sys.stderr, flush=True)


def print_report(report: dict[str, Any]) -> None:
    """The figures as text."""
    table = report["table"]
    print(f"{table['networks']} networks, {table['genes']} genes, optimum {table['optimum']:g}")
    print("\nbest found (mean over seeds; seeds at the optimum)")
    for name, result in report["search"].items():
        cells = [f"{point}: {v['mean']:.4f} ({v['at_optimum']})" for point, v in result["best_found"].items()]
        print(f"  {name:18s}" + "   ".join(cells))
    print("\npredictor on everything else (Spearman, MAE)")
    for name, result in report["predictor"].items():
        cells = [f"{size}: {v['spearman']:.4f} {v['mae']:.4g}" for size, v in result.items()]
        print(f"  {name:18s}" + "   ".join(cells))


def main() -> None:
    """Read the arguments, run everything, print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, required=True, help="CSV file with a header")
    parser.add_argument("--genes", required=True, help="columns of the genes, separated by commas")
    parser.add_argument("--kind", choices=("ordinal", "categorical"), required=True)
    parser.add_argument("--target", required=True, help="column to maximise")
    parser.add_argument("--budget", type=int, default=120, help="trainings of one search")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    arguments = parser.parse_args()
    if arguments.budget < 1 or arguments.seeds < 1:
        parser.error("--budget and --seeds must be at least 1")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        table = TrainingsTable.read(
            arguments.table,
            arguments.genes.split(","),
            arguments.target,
            categorical=arguments.kind == "categorical",
        )
    except (OSError, ValueError) as error:
        parser.error(str(error))
    with threadpool_limits(limits=1):
        report = {
            "table": {
                "networks": table.size,
                "genes": len(table.names),
                "kind": arguments.kind,
                "optimum": float(table.target.max()),
                "rows_without_target": table.without_target,
            },
            "budget": arguments.budget,
            "seeds": arguments.seeds,
            "search": compare_searches(table, arguments.budget, arguments.seeds),
            "predictor": compare_predictors(table, arguments.seeds),
        }
    print(json.dumps(report, indent=2)) if arguments.json else print_report(report)


if __name__ == "__main__":
    main()
