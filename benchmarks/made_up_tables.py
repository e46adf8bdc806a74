"""Tables of made-up trainings for benchmarks/sampler.py, of kinds that published ones are not.

    python benchmarks/made_up_tables.py DIRECTORY

one_hot.csv   30 genes of two choices (g0 to g29), 8,000 rows; 13 % failed at an accuracy of 10 %: a region of
              genes, and one in a hundred by chance
cells.csv     six genes of five choices, all 15,625 rows; skewed accuracies with a cliff at 10 %
ordinal.csv   twelve ordinal genes of three to eight choices, 20,000 rows; smooth, with interactions and noise
million.csv   eight ordinal genes, a million rows

The target is the column acc, in per cent. The same tables on every machine.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def one_hot(rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Genes (n, 30) and accuracies (n,)."""
    genes = np.unique(rng.integers(0, 2, (8000, 30)), axis=0)
    weights = rng.normal(size=30)
    pairs = np.triu(rng.normal(size=(30, 30)) * (rng.random((30, 30)) < 0.12), 1)
    score = genes @ weights + np.einsum("ni,ij,nj->n", genes, pairs, genes) * 0.8
    score = (score - score.mean()) / score.std()
    accuracy = 92 + 1.5 * np.tanh(0.7 * score) + 0.15 * rng.normal(size=len(genes))
    region = (genes[:, 0] == 1) & (genes[:, 7] == 1) & (genes[:, 13] == 0)
    failed = region | (rng.random(len(genes)) < 0.01)
    return genes, np.where(failed, 10 + 0.3 * rng.random(len(genes)), accuracy)


def cells(rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Genes (15625, 6) and accuracies (15625,)."""
    genes = np.array(list(product(range(5), repeat=6)))
    value, share = np.array([0, 0.35, 0.6, 1.0, 0.85]), rng.uniform(0.4, 1, 6)
    score = (value[genes] * share).sum(axis=1)
    score += 0.5 * value[genes[:, 0]] * value[genes[:, 3]] + 0.4 * value[genes[:, 1]] * value[genes[:, 5]]
    accuracy = 94.3 - 14 * np.exp(-1.6 * score) + 0.2 * rng.normal(size=len(genes))
    cut_off = (genes[:, 3] == 0) & (genes[:, 0] * genes[:, 4] == 0) & (genes[:, 1] * genes[:, 5] == 0)
    return genes, np.where(cut_off, 10.0, accuracy)


def ordinal(rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Genes (n, 12) and accuracies (n,)."""
    choices = rng.integers(3, 9, 12)
    genes = np.unique(np.stack([rng.integers(0, count, 20000) for count in choices], axis=1), axis=0)
    x = genes / (choices - 1)
    score = np.log1p(3 * x) @ rng.uniform(0.2, 1, 12)
    score += 1.2 * x[:, 0] * x[:, 1] - 0.8 * (x[:, 2] - x[:, 3]) ** 2
    return genes, 76 - 8 * np.exp(-0.6 * score) + 0.2 * rng.normal(size=len(genes))


def million(rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Genes (1000000, 8) and accuracies (1000000,)."""
    genes = np.array(list(product(*(range(count) for count in (6, 6, 6, 6, 6, 6, 6, 4)))))[:1_000_000]
    score = genes / 5 @ rng.uniform(0.2, 1, 8)
    return genes, 70 + 5 * np.tanh(score) + 0.1 * rng.normal(size=len(genes))


def write(path: Path, genes: IntArray, accuracy: FloatArray) -> None:
    """A CSV file with a column per gene and acc."""
    names = [f"g{index}" for index in range(genes.shape[1])]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join([*names, "acc"]) + "\n")
        for row, value in zip(genes.tolist(), accuracy.tolist(), strict=True):
            file.write(",".join(map(str, row)) + f",{value:.4f}\n")


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    for make in (one_hot, cells, ordinal, million):  # one generator, in this order
        write(directory / f"{make.__name__}.csv", *make(rng))


if __name__ == "__main__":
    main()
