"""The searches that benchmarks/search.py compares ours with, each set up as its guide shows for integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from benchmarks.search_problem import SyntheticProblem
from search.evolution import excess, maxima, violation

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What one run found: best feasible objective (NaN if none), front (n, 2) as latency and objective."""

    best: float
    front: FloatArray
    evaluations: int


class PymooProblem(Problem):  # type: ignore[misc]  # the library ships no types
    """The problem as pymoo wants it: all minimised, constraints at most 0, whole populations at once."""

    def __init__(self, problem: SyntheticProblem, *, with_latency: bool) -> None:
        self.posed, self.with_latency = problem, with_latency
        self.allowed = maxima(problem.limits)
        super().__init__(
            n_var=len(problem.cardinalities),
            n_obj=2 if with_latency else 1,
            n_ieq_constr=len(problem.limits),
            xl=0,
            xu=np.array(problem.cardinalities) - 1,
            vtype=int,
        )

    def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        loss, costs = -self.posed.objective(x), self.posed.costs(x)
        out["F"] = np.column_stack([loss, costs[:, 0]]) if self.with_latency else loss
        out["G"] = excess(costs, self.allowed)


def pymoo_ga(problem: SyntheticProblem, population: int, generations: int, seed: int) -> Outcome:
    """pymoo's GA."""
    result = minimize(
        PymooProblem(problem, with_latency=False),
        GA(pop_size=population, **_integer_operators()),
        ("n_gen", generations),
        seed=seed,
    )
    best = np.nan if result.F is None else -float(result.F[0])
    return Outcome(best, np.empty((0, 2)), result.algorithm.evaluator.n_eval)


def pymoo_nsga2(problem: SyntheticProblem, population: int, generations: int, seed: int) -> Outcome:
    """pymoo's NSGA-II over accuracy and the first device's latency."""
    result = minimize(
        PymooProblem(problem, with_latency=True),
        NSGA2(pop_size=population, **_integer_operators()),
        ("n_gen", generations),
        seed=seed,
    )
    if result.F is None:
        return Outcome(np.nan, np.empty((0, 2)), result.algorithm.evaluator.n_eval)
    front = np.column_stack([result.F[:, 1], -result.F[:, 0]])
    return Outcome(float(front[:, 1].max()), front, result.algorithm.evaluator.n_eval)


def _integer_operators() -> dict[str, Any]:
    """The operators of pymoo's guide to discrete variables."""
    return {
        "sampling": IntegerRandomSampling(),
        "crossover": SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        "mutation": PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        "eliminate_duplicates": True,
    }


def optuna_nsga2(problem: SyntheticProblem, population: int, generations: int, seed: int) -> Outcome:
    """Optuna's NSGA-II with its constraints; it evaluates one individual at a time."""
    bounds = maxima(problem.limits)
    best = [np.nan]

    def objective(trial: optuna.Trial) -> float:
        genes = [
            trial.suggest_int(str(gene), 0, count - 1) for gene, count in enumerate(problem.cardinalities)
        ]
        individual = np.array([genes], dtype=np.int64)
        value, costs = float(problem.objective(individual)[0]), problem.costs(individual)
        for limit, missed in zip(problem.limits, excess(costs, bounds)[0], strict=True):
            trial.set_constraint(limit.name, float(missed))
        if violation(costs, bounds)[0] == 0.0:
            best[0] = np.fmax(best[0], value)
        return value

    sampler = optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=population * generations)
    return Outcome(float(best[0]), np.empty((0, 2)), len(study.trials))
