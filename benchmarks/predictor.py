"""Time and likelihood of the accuracy predictor, beside scikit-learn's Gaussian process on the same samples.

    python benchmarks/predictor.py [--samples 240] [--genes 25] [--repeats 3] [--json]

The samples are of a synthetic function of ordinal genes with a ceiling, a long left tail and noise. Both
processes have a constant, a Matern 5/2 kernel with one length scale a gene, and noise. `log_likelihood` is
the marginal likelihood of the samples in accuracy units, `held_out` the mean log density of 2,000 other
samples in the same units; the higher the better. All of it runs on one thread, and the seconds are the least
of the repeats.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from search.predictors import GaussianProcess, GridView, Sampler, SamplerSettings, leave_one_out

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CHOICES = 6
TOLD = 500  # samples at which a proposal is timed


class SyntheticSpace:
    """Ordinal genes of unequal weight, some of them interacting, and a noisy accuracy."""

    def __init__(self, genes: int, rng: np.random.Generator) -> None:
        self.cardinalities = (CHOICES,) * genes
        self._weights = rng.gamma(0.7, 1.0, genes)
        self._pairs = rng.integers(genes, size=(genes // 2, 2))

    def features(self, population: IntArray) -> FloatArray:
        """Features (n, g) in 0..1."""
        return population / (CHOICES - 1)

    def train(self, population: IntArray, rng: np.random.Generator) -> FloatArray:
        """Accuracies (n,), fractions of 1."""
        x = np.sqrt(self.features(population))
        first, second = self._pairs.T
        capacity = x @ self._weights + np.minimum(x[:, first], x[:, second]).sum(axis=1)
        capacity /= self._weights.sum() + len(self._pairs)
        noise = rng.normal(0.0, 0.003, len(population))
        return np.asarray(0.94 - 0.8 * np.exp(-5.0 * capacity) + noise)


def scikit_learn(X: FloatArray, y: FloatArray) -> GaussianProcessRegressor:
    """scikit-learn's Gaussian process with its default optimiser."""
    kernel = ConstantKernel() * Matern(np.ones(X.shape[1]), nu=2.5) + WhiteKernel(1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianProcessRegressor(kernel, normalize_y=True).fit(X, y)


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Least seconds of `repeats` runs."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def held_out_density(model: GaussianProcess, X: FloatArray, y: FloatArray) -> float:
    """Mean log predictive density of accuracies y (m,) at X (m, d)."""
    mean, deviation = model.latent(X)
    spread = np.sqrt(deviation**2 + model.noise)
    return float(np.mean(norm.logpdf(model.warp.forward(y), mean, spread) + model.warp.log_slope(y)))


def time_proposals(space: SyntheticSpace, rng: np.random.Generator) -> dict[str, float]:
    """Seconds of a proposal by a sampler that was just told TOLD samples: cold, and the next one."""
    view = GridView(space.cardinalities, lambda population: population, space.features)
    population = rng.integers(CHOICES, size=(TOLD, len(space.cardinalities)))
    report = {}
    for kind, exploration in (("exploitation", 0.0), ("exploration", 1.0)):
        sampler = Sampler(view, SamplerSettings(seed=0, exploration=exploration))
        for genes, accuracy in zip(population, space.train(population, rng), strict=True):
            sampler.tell(genes.tolist(), float(accuracy))
        report[f"{kind}_cold"] = seconds(sampler.ask, 1)
        report[f"{kind}_warm"] = seconds(sampler.ask, 3)
    return report


def measure(samples: int, genes: int, repeats: int) -> dict[str, Any]:
    """All figures."""
    rng = np.random.default_rng(0)
    space = SyntheticSpace(genes, rng)
    population = rng.integers(CHOICES, size=(samples + 2000, genes))
    X, y = space.features(population), space.train(population, rng)
    X, y, X_other, y_other = X[:samples], y[:samples], X[samples:], y[samples:]
    model, peer = GaussianProcess.fit(X, y), scikit_learn(X, y)
    mean, deviation = peer.predict(X_other, return_std=True)
    return {
        "samples": samples,
        "genes": genes,
        "ours": {
            "fit_cold_seconds": seconds(lambda: GaussianProcess.fit(X, y), repeats),
            "fit_warm_seconds": seconds(lambda: GaussianProcess.fit(X, y, start=model), repeats),
            "leave_one_out_seconds": seconds(lambda: leave_one_out(model), repeats),
            "predict_96_seconds": seconds(lambda: model.predict(X_other[:96]), repeats),
            "log_likelihood": model.log_likelihood,
            "held_out": held_out_density(model, X_other, y_other),
        },
        "scikit_learn": {
            "fit_cold_seconds": seconds(lambda: scikit_learn(X, y), 1),
            "predict_96_seconds": seconds(lambda: peer.predict(X_other[:96], return_std=True), repeats),
            "log_likelihood": float(peer.log_marginal_likelihood_value_ - samples * np.log(y.std())),
            "held_out": float(np.mean(norm.logpdf(y_other, mean, deviation))),
        },
        "proposal_at_500": time_proposals(space, rng),
    }


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=240)
    parser.add_argument("--genes", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    arguments = parser.parse_args()
    if min(arguments.samples, arguments.genes, arguments.repeats) < 2:
        parser.error("--samples, --genes and --repeats must be at least 2")
    with threadpool_limits(limits=1):
        report = measure(arguments.samples, arguments.genes, arguments.repeats)
    if arguments.json:
        print(json.dumps(report, indent=2))
        return
    for name, figures in report.items():
        cells = figures.items() if isinstance(figures, dict) else [("", figures)]
        print(f"{name:16s}" + "   ".join(f"{key} {value:.4g}" for key, value in cells))


if __name__ == "__main__":
    main()
