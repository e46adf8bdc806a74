"""A table of finished trainings as a search space: training is a look-up, so samplers compare in minutes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from search.predictors import GridView
from search.predictors.space_view import distinct, row_keys, single_gene_changes, without

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainingsTable:
    """Distinct networks with their measured targets; satisfies search.predictors.SpaceView."""

    names: tuple[str, ...]  # (g,)
    choices: tuple[tuple[str, ...], ...]  # of each gene, as text
    rows: IntArray  # (r, g) indices into choices, in lexicographic order
    target: FloatArray  # (r,)
    categorical: bool
    without_target: int  # rows of the file that had no finite target
    cost: Callable[[IntArray], FloatArray] | None = None

    @classmethod
    def read(cls, path: Path, genes: Sequence[str], target: str, *, categorical: bool) -> TrainingsTable:
        """Read a CSV file with a header; rows of equal genes are averaged.

        Raises ValueError for missing columns, ordinal genes that are no numbers, and fewer than two results.
        """
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in (*genes, target) if name not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(f"{path} has no column {', '.join(missing)}; it has {reader.fieldnames}.")
            records = [([record[name] or "" for name in genes], record[target]) for record in reader]
        values = np.array([as_number(text) for _, text in records])
        usable = np.isfinite(values)
        if usable.sum() < 2:
            raise ValueError(
                f"{path} has {usable.sum()} rows with a number in column {target}; it needs at least 2."
            )
        if len(set(values[usable].tolist())) == 1:
            raise ValueError(
                f"{path} has one and the same number in every row of {target}: nothing to learn."
            )
        texts = [cells for (cells, _), good in zip(records, usable, strict=True) if good]
        names, columns = split_digits(genes, list(map(list, zip(*texts, strict=True))))
        choices = tuple(
            sorted_choices(name, column, categorical) for name, column in zip(names, columns, strict=True)
        )
        population = np.stack(
            [indices(column, kinds) for column, kinds in zip(columns, choices, strict=True)], axis=1
        )
        rows, inverse = np.unique(population, axis=0, return_inverse=True)
        mean = np.bincount(inverse, weights=values[usable]) / np.bincount(inverse)
        return cls(names, choices, rows, mean, categorical, int(np.sum(~usable)))

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of choices of each gene."""
        return tuple(len(choices) for choices in self.choices)

    @property
    def size(self) -> int:
        """Number of distinct networks."""
        return len(self.rows)

    @cached_property
    def index(self) -> dict[bytes, int]:
        """Row number of each network, by its genes' bytes."""
        return {row.tobytes(): number for number, row in enumerate(self.rows)}

    def measure(self, genes: Sequence[int]) -> float:
        """The target of the network with `genes`, or of the table's nearest one if it was never trained."""
        wanted = np.array(genes, dtype=np.int64)
        number = self.index.get(wanted.tobytes())
        if number is None:
            number = int(np.argmin((self.rows != wanted).sum(axis=1)))
        return float(self.target[number])

    def canonical(self, population: IntArray) -> IntArray:
        """Rows stand for themselves: a table knows of no equal networks."""
        return population

    def features(self, population: IntArray) -> FloatArray:
        """Features (n, d) in 0..1: rank among the choices, or one column a choice."""
        if self.categorical:
            pairs = zip(population.T, self.cardinalities, strict=True)
            return np.concatenate([np.eye(count)[column] for column, count in pairs], axis=1)
        return np.asarray(population / np.maximum(np.array(self.cardinalities) - 1, 1))

    def everything(self) -> IntArray:
        """All networks (r, g) of the table."""
        return self.rows

    def from_unit(self, points: FloatArray) -> IntArray:
        """Networks at points of the unit cube; in a table with gaps, the first coordinate picks a row."""
        if self.size == prod(self.cardinalities):
            return GridView(self.cardinalities, self.canonical, self.features).from_unit(points)
        return self.rows[np.minimum((points[:, 0] * self.size).astype(np.int64), self.size - 1)]

    def neighbours(self, population: IntArray) -> IntArray:
        """Networks of the table one gene away from any row of `population` (n, g)."""
        changed = self.existing(single_gene_changes(population, self.cardinalities))
        return without(distinct(changed), row_keys(population))

    def existing(self, population: IntArray) -> IntArray:
        """The rows of `population` (n, g) that are in the table."""
        return population[[row.tobytes() in self.index for row in np.ascontiguousarray(population)]]


def as_number(text: str | None) -> float:
    """A cell as a number, NaN when it is none: the row is then a training without a result."""
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def split_digits(genes: Sequence[str], columns: list[list[str]]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Replace every column of digit strings by one column a digit.

    Digit strings are of one length, and either stand alone or one of them begins with 0: among several
    columns, 16, 32, 64 are widths.
    """
    names: list[str] = []
    split: list[list[str]] = []
    for name, column in zip(genes, columns, strict=True):
        length = len(column[0])
        digits = length > 1 and all(len(text) == length and text.isdecimal() for text in column)
        if digits and (len(genes) == 1 or any(text[0] == "0" for text in column)):
            names += [f"{name}[{place}]" for place in range(length)]
            split += [list(place) for place in zip(*column, strict=True)]
        else:
            names.append(name)
            split.append(column)
    return tuple(names), split


def sorted_choices(name: str, column: Sequence[str], categorical: bool) -> tuple[str, ...]:
    """Distinct values of a column: ordinal ones as numbers ascending, categorical ones as text."""
    values = sorted(set(column))
    if categorical:
        return tuple(values)
    if not all(np.isfinite(as_number(text)) for text in values):
        raise ValueError(f"Column {name} is not all numbers, so it is not ordinal; use --kind categorical.")
    return tuple(sorted(values, key=float))


def indices(column: Sequence[str], choices: Sequence[str]) -> IntArray:
    """Column of texts as indices into `choices`."""
    places = {text: place for place, text in enumerate(choices)}
    return np.array([places[text] for text in column], dtype=np.int64)
