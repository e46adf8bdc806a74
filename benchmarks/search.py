"""Our genetic search against its peers and against exhaustive enumeration.

    python benchmarks/search.py [--seeds 20] [--optuna-seeds 2] [--population 96] [--generations 100] [--json]

Every method sees the same functions in the same run: the Gaussian process on 240 samples of chamnet-mobile,
and the compiled costs of two devices, each with a latency limit. Costs and accuracies are synthetic
(search_problem.py). Everything runs on one thread; runs of ours and of pymoo's GA alternate, so a busy
machine slows both. Seconds are of the wall clock. The figures:

    speed       one search of ours, refinement included, and of each peer
    quality     best predicted accuracy within the limits, over the seeds, at three tightnesses of the limits
    front       mean over latency limits of the best accuracy that the front offers within each
    optimum     the gap to the true optimum of a space small enough to enumerate
    linearity   seconds over populations and generations, and the largest deviation from a straight line
    infeasible  seconds until a search with an impossible limit says what is possible
    profile     where the time of one search goes, beside the predictor's bare matrix products
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.search_peers import Outcome, optuna_nsga2, pymoo_ga, pymoo_nsga2
from benchmarks.search_problem import SMALL_RANGES, SyntheticProblem, accelerator_ms, phone_ms
from search.evolution import Archive, GeneticSearch, Settings, maxima, run_search, violation
from search.spaces import features, preset

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

TIGHTNESS = {"loose": 1.5, "median": 1.0, "tight": 0.4}
"""Factors on the limits; at 1 each limit is kept by half of the random architectures."""

CHUNK = 4_096


def ours(problem: SyntheticProblem, population: int, generations: int, seed: int) -> Outcome:
    """Our search with its defaults, refinement included."""
    result = run_search(problem, Settings(population=population, generations=generations, seed=seed))
    best = np.nan if result.best is None else result.best.objective
    return Outcome(best, front_points(result.archive), result.evaluations)


def front_points(archive: Archive) -> FloatArray:
    """The front as (n, 2): latency on the first device, objective."""
    return np.column_stack([archive.costs[archive.front, 0], archive.objective[archive.front]])


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the wall clock and the result of one call."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def compare(problem: SyntheticProblem, arguments: argparse.Namespace) -> dict[str, Any]:
    """Speed and quality of ours beside pymoo's GA, alternating, at every tightness of the limits."""
    size = (arguments.population, arguments.generations)
    seconds: dict[str, list[float]] = {"ours": [], "pymoo_ga": []}
    quality: dict[str, Any] = {}
    for name, factor in TIGHTNESS.items():
        posed = problem.scaled(factor)
        found: dict[str, list[float]] = {"ours": [], "pymoo_ga": []}
        for seed in range(arguments.seeds):
            for method, search in (("ours", ours), ("pymoo_ga", pymoo_ga)):
                spent, outcome = timed(partial(search, posed, *size, seed))
                seconds[method].append(spent)
                found[method].append(outcome.best)
        quality[name] = {method: spread(values) for method, values in found.items()}
        quality[name]["ours_at_least_pymoo"] = bool(np.mean(found["ours"]) >= np.mean(found["pymoo_ga"]))
        show(f"{name}: ours {np.mean(found['ours']):.6f}, pymoo's GA {np.mean(found['pymoo_ga']):.6f}")
    speed: dict[str, Any] = {method: spread(values) for method, values in seconds.items()}
    ratios = np.array(seconds["pymoo_ga"]) / np.array(seconds["ours"])
    speed["pymoo_over_ours"] = {"median": float(np.median(ratios)), "of_means": ratio_of_means(seconds)}
    return {"speed_seconds": speed, "quality": quality}


def ratio_of_means(seconds: dict[str, list[float]]) -> float:
    """Mean seconds of pymoo's GA over mean seconds of ours."""
    return float(np.mean(seconds["pymoo_ga"]) / np.mean(seconds["ours"]))


def spread(values: list[float]) -> dict[str, float]:
    """Mean, median and range of figures over seeds."""
    array = np.array(values)
    return {
        "mean": float(array.mean()),
        "median": float(np.median(array)),
        "least": float(array.min()),
        "greatest": float(array.max()),
    }


def compare_optuna(problem: SyntheticProblem, arguments: argparse.Namespace) -> dict[str, Any]:
    """Optuna's NSGA-II on the same evaluations; few seeds, for it is slow."""
    size = (arguments.population, arguments.generations)
    runs = [timed(partial(optuna_nsga2, problem, *size, seed)) for seed in range(arguments.optuna_seeds)]
    show(f"Optuna's NSGA-II: {runs[0][1].best:.6f} in {runs[0][0]:.1f} s")
    return {
        "seconds": spread([spent for spent, _ in runs]),
        "best": spread([outcome.best for _, outcome in runs]),
        "evaluations_per_second": float(np.mean([outcome.evaluations / spent for spent, outcome in runs])),
    }


def compare_fronts(problem: SyntheticProblem, arguments: argparse.Namespace) -> dict[str, Any]:
    """One run's front beside that of pymoo's NSGA-II, judged at 100 limits from the cheapest up.

    Once at equal evaluations, where our run serves one limit besides, and once with ours twice as long.
    """
    population, generations = arguments.population, arguments.generations
    figures: dict[str, list[float]] = {}
    for seed in range(max(1, arguments.seeds // 4)):
        fronts = {
            "ours": ours(problem, population, generations, seed).front,
            "ours_twice_the_generations": ours(problem, population, 2 * generations, seed).front,
            "pymoo_nsga2": pymoo_nsga2(problem, population, generations, seed).front,
        }
        start = max(front[:, 0].min() for front in fronts.values())
        limits = np.geomspace(start, problem.limits[0].maximum, 100)
        for name, front in fronts.items():
            figures.setdefault(name, []).append(offered(front, limits))
            figures.setdefault(f"{name}_points", []).append(len(front))
    return {name: spread(values) for name, values in figures.items()}


def offered(front: FloatArray, limits: FloatArray) -> float:
    """Mean over the limits of the best objective of the front's points (n, 2) that keep each."""
    return float(np.mean([front[front[:, 0] <= limit, 1].max() for limit in limits]))


def enumerate_small(arguments: argparse.Namespace) -> dict[str, Any]:
    """Our gap to the true optimum over the seeds, on every combination of a small space."""
    space = preset("chamnet-mobile-small", **SMALL_RANGES)
    problem = SyntheticProblem.build(space, samples=240, seed=0, devices=(phone_ms, accelerator_ms)).scaled(
        0.7
    )
    everything = np.indices(space.shape).reshape(len(space.shape), -1).T
    optimum = -np.inf
    for chunk in np.array_split(everything, len(everything) // CHUNK + 1):
        kept = violation(problem.costs(chunk), maxima(problem.limits)) == 0.0
        if kept.any():
            optimum = max(optimum, float(problem.objective(chunk[kept]).max()))
    found = [
        ours(problem, arguments.population, arguments.generations, seed) for seed in range(arguments.seeds)
    ]
    gaps = [1.0 - outcome.best / optimum for outcome in found]
    return {
        "networks": len(everything),
        "evaluations": int(np.mean([outcome.evaluations for outcome in found])),
        "optimum": optimum,
        "relative_gap": spread(gaps),
        "optimum_found_in": int(np.sum(np.array(gaps) < 1e-12)),
        "seeds": arguments.seeds,
    }


def measure_growth(problem: SyntheticProblem) -> dict[str, Any]:
    """Seconds over population and generations, each the least of three, beside a straight line."""
    report = {}
    for name, values in (("population", (48, 96, 192, 384)), ("generations", (25, 50, 100, 200))):
        seconds = [
            min(search_seconds(problem, seed, **{name: value}) for seed in range(3)) for value in values
        ]
        slope, start = np.polyfit(values, seconds, 1)
        deviation = np.abs(np.array(seconds) - slope * np.array(values) - start)
        report[name] = {
            "seconds": dict(zip(map(str, values), seconds, strict=True)),
            "largest_deviation_from_line": float(deviation.max() / max(seconds)),
            "exponent": float(np.polyfit(np.log(values), np.log(seconds), 1)[0]),
        }
    return report


def search_seconds(problem: SyntheticProblem, seed: int, **settings: Any) -> float:
    """Seconds of one search with these settings."""
    return timed(partial(run_search, problem, Settings(seed=seed, **settings)))[0]


def measure_infeasible(problem: SyntheticProblem, arguments: argparse.Namespace) -> dict[str, Any]:
    """A limit at half of the exact least latency: what the search says, and how soon."""
    exact = problem.tables[0].least()[0]
    limits = (replace(problem.limits[0], maximum=exact / 2.0), *problem.limits[1:])
    impossible = replace(problem, limits=limits)
    settings = Settings(population=arguments.population, generations=arguments.generations)
    seconds, result = timed(partial(run_search, impossible, settings))
    assert result.reach is not None
    return {
        "seconds": seconds,
        "limit_ms": limits[0].maximum,
        "reached_ms": result.reach.costs[0],
        "exact_least_ms": exact,
        "binding": str(limits[result.reach.binding or 0]),
        "objectives_asked": result.evaluations,
    }


def profile(problem: SyntheticProblem, arguments: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of one search by part, the least of three, and of the predictor's matrix products."""
    runs = [profile_once(problem, arguments, seed) for seed in range(3)]
    parts = min(runs, key=lambda run: run["total_ms"])
    return parts | {"total_over_matrix_products": parts["total_ms"] / parts["matrix_products_ms"]}


def profile_once(problem: SyntheticProblem, arguments: argparse.Namespace, seed: int) -> dict[str, float]:
    """One evolution with a clock around every call, then its matrix products on the same populations."""
    settings = Settings(population=arguments.population, generations=arguments.generations, seed=seed)
    parts = dict.fromkeys(("features_ms", "predictor_ms", "tables_ms", "search_ms", "total_ms"), 0.0)
    asked = []
    bounds = maxima(problem.limits)

    def clocked(part: str, call: Callable[[], Any]) -> Any:
        seconds, result = timed(call)
        parts[part] += 1e3 * seconds
        parts["total_ms"] += 1e3 * seconds
        return result

    def tell(search: GeneticSearch, objective: FloatArray, costs: FloatArray) -> None:
        search.tell(objective, violation(costs, bounds), costs)

    search = clocked(
        "search_ms",
        lambda: GeneticSearch(problem.cardinalities, problem.canonical, settings, columns=len(bounds)),
    )
    while len(population := clocked("search_ms", search.ask)):
        inputs = clocked("features_ms", partial(features, problem.space, population))
        objective = clocked("predictor_ms", partial(problem.model.predict_median, inputs))
        costs = clocked("tables_ms", partial(problem.costs, population))
        clocked("search_ms", partial(tell, search, objective, costs))
        asked.append(problem.model.kernel.embed(inputs))
    samples, weights = problem.model.U, problem.model.alpha
    products = timed(lambda: [(points @ samples.T) @ weights for points in asked])[0]
    return parts | {"matrix_products_ms": 1e3 * products}


def show(line: str) -> None:
    """Progress, apart from the results."""
    print(line, file=sys.stderr, flush=True)


def print_report(report: dict[str, Any]) -> None:
    """The figures as text, a line each."""

    def lines(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                lines(f"{prefix}.{name}" if prefix else name, inner)
        else:
            print(f"{prefix:58s} {value:.6g}" if isinstance(value, float) else f"{prefix:58s} {value}")

    lines("", report)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """All sections of the report."""
    space = preset("chamnet-mobile")
    problem = SyntheticProblem.build(
        space, samples=arguments.samples, seed=0, devices=(phone_ms, accelerator_ms)
    )
    run_search(problem, Settings(generations=3))
    return {
        "problem": {
            "space": space.name,
            "genes": len(space.shape),
            "genes_with_a_choice": int(np.sum(np.array(space.shape) > 1)),
            "combinations": float(space.size),
            "samples": arguments.samples,
            "costs_and_accuracies": "synthetic",
            "limits": [str(limit) for limit in problem.limits],
            "population": arguments.population,
            "generations": arguments.generations,
            "seeds": arguments.seeds,
        },
        **compare(problem, arguments),
        "profile": profile(problem, arguments),
        "linearity": measure_growth(problem),
        "infeasible": measure_infeasible(problem, arguments),
        "optimum": enumerate_small(arguments),
        "front": compare_fronts(problem, arguments),
        "optuna_nsga2": compare_optuna(problem, arguments),
    }


def main() -> None:
    """Read the arguments, run everything, print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--optuna-seeds", type=int, default=2)
    parser.add_argument("--population", type=int, default=96)
    parser.add_argument("--generations", type=int, default=100)
    parser.add_argument("--samples", type=int, default=240, help="samples of the predictor")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    arguments = parser.parse_args()
    if min(arguments.seeds, arguments.optuna_seeds) < 1 or min(arguments.population, arguments.samples) < 2:
        parser.error("--seeds and --optuna-seeds must be at least 1, --population and --samples at least 2")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    with threadpool_limits(limits=1):
        report = run(arguments)
    print(json.dumps(report, indent=2)) if arguments.json else print_report(report)


if __name__ == "__main__":
    main()
