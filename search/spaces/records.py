"""Architectures with a measured value, read from CSV: what was trained or measured elsewhere.

The header names every gene of the space that has a choice, as `manage.py describe` and the application's own
CSV files do ("stage2.expansion", "resolution"), holding values rather than indices, and one column with the
value, whose name says its unit. Other columns are left aside. Rows of one architecture are averaged. Rows
whose "status" says that nothing was trained are counted and left out.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.spaces.gene import TRAITS, FloatArray, IntArray, spell
from search.spaces.space import SearchSpace

ACCURACY_UNITS: Mapping[str, float] = {"accuracy": 1.0, "accuracy_percent": 0.01}
"""Columns that hold an accuracy, with what makes a share of 1 of it."""

ENERGY_UNITS: Mapping[str, float] = {"energy_mj": 1.0, "energy_uj": 1e-3, "energy_j": 1e3}
"""Columns that hold the energy of one image, with what makes millijoules of it."""

LATENCY_UNITS: Mapping[str, float] = {"latency_ms": 1.0, "latency_us": 1e-3, "latency_s": 1e3}
"""Columns that hold the latency of one call, with what makes milliseconds of it."""

MOST_ROWS = 5_000
REPORTED = 20
UNTRAINED = ("failed", "waiting", "training")


class RecordsError(ValueError):
    """What is wrong with a file, one sentence a problem, with the line where it is in one."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Records:
    """Distinct canonical architectures (n, g) with their values (n,), in the first of the units asked for.

    repeated: architectures that stood in several rows; untrained: rows of trainings that failed or had not
    ended.
    """

    genes: IntArray
    values: FloatArray
    repeated: int
    untrained: int


def read_records(
    lines: Iterable[str],
    space: SearchSpace,
    units: Mapping[str, float],
    *,
    lowest: float,
    highest: float,
    most_rows: int = MOST_ROWS,
) -> Records:
    """The records of a CSV file whose value, in the first unit, lies above `lowest` and is at most `highest`.

    Raises RecordsError with at most REPORTED problems: unknown, missing or doubled columns, values that are
    no choice of a gene, values that are no finite number or out of range, a file without rows or with too
    many. Nothing is read beyond `most_rows` rows.
    """
    rows = csv.reader(lines)
    try:
        header = [name.strip().lstrip("\ufeff") for name in next(rows, [])]
        columns = _columns(header, space, units)
        return _collected(rows, header, columns, space, units, (lowest, highest), most_rows)
    except (csv.Error, UnicodeDecodeError) as error:
        raise RecordsError([f"This is no CSV text file: {error}."]) from error


@dataclass(frozen=True, slots=True)
class _Columns:
    value: int
    status: int | None
    of_gene: tuple[int | None, ...]  # None where a gene has one choice and no column


def _columns(header: list[str], space: SearchSpace, units: Mapping[str, float]) -> _Columns:
    problems = []
    doubled = sorted({name for name in header if name and header.count(name) > 1})
    if doubled:
        problems.append(f"The header names {', '.join(doubled[:5])} more than once.")
    named = [name for name in units if name in header]
    if len(named) != 1:
        problems.append(
            f"The header needs one column for the value and its unit: {' or '.join(units)}; "
            f"it has {' and '.join(named) or 'none of them'}."
        )
    known = {gene.name for gene in space.genes}
    missing = [gene.name for gene in space.genes if len(gene.choices) > 1 and gene.name not in header]
    if missing:
        problems.append(f"{space.name} needs the columns {spell(missing)}: the header lacks them.")
    foreign = [name for name in header if name.rpartition(".")[2] in TRAITS and name not in known]
    if foreign:
        problems.append(
            f"{space.name} has no hyperparameters {spell(foreign)}: is this another space's file?"
        )
    if problems:
        raise RecordsError(problems)
    place = {name: index for index, name in enumerate(header)}
    return _Columns(place[named[0]], place.get("status"), tuple(place.get(gene.name) for gene in space.genes))


def _collected(
    rows: Any,  # a reader of the csv module, which is of no public type
    header: list[str],
    columns: _Columns,
    space: SearchSpace,
    units: Mapping[str, float],
    span: tuple[float, float],
    most_rows: int,
) -> Records:
    found: dict[tuple[int, ...], list[float]] = {}
    problems: list[str] = []
    untrained = count = 0
    factor = units[header[columns.value]]
    for row in rows:
        line = rows.line_num
        if not any(cell.strip() for cell in row):
            continue
        count += 1
        if count > most_rows:
            raise RecordsError(
                [f"The file has more than {most_rows} rows, which is the most that are learned from."]
            )
        if len(row) != len(header):
            problems.append(f"Line {line}: {len(row)} columns, but the header has {len(header)}.")
        elif columns.status is not None and row[columns.status].strip() in UNTRAINED:
            untrained += 1
        else:
            try:
                value = _value(row[columns.value], header[columns.value], factor, span)
                found.setdefault(_genes(row, columns, space), []).append(value)
            except ValueError as error:
                problems.append(f"Line {line}: {error}.")
        if len(problems) == REPORTED:
            raise RecordsError([*problems, "Reading stopped here."])
    if not found and not problems:
        problems.append("The file has no rows with a value.")
    if problems:
        raise RecordsError(problems)
    population = space.canonical(np.array(list(found), dtype=np.int64))
    return _merged(population, list(found.values()), untrained)


def _merged(population: IntArray, values: list[list[float]], untrained: int) -> Records:
    """Rows that are the same network but for inert genes join; every network gets the mean of its values."""
    joined: dict[bytes, tuple[IntArray, list[float]]] = {}
    for row, several in zip(population, values, strict=True):
        joined.setdefault(row.tobytes(), (row, []))[1].extend(several)
    return Records(
        genes=np.array([row for row, _ in joined.values()], dtype=np.int64),
        values=np.array([math.fsum(several) / len(several) for _, several in joined.values()]),
        repeated=sum(len(several) > 1 for _, several in joined.values()),
        untrained=untrained,
    )


def _value(text: str, name: str, factor: float, span: tuple[float, float]) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is “{text[:40]}”, which is no number") from None
    lowest, highest = span
    if not (math.isfinite(value) and lowest < value * factor <= highest):
        raise ValueError(
            f"{name} is {text[:40]}; it must be above {lowest / factor:g} and at most {highest / factor:g}"
        )
    return value * factor


def _genes(row: list[str], columns: _Columns, space: SearchSpace) -> tuple[int, ...]:
    genes = []
    for gene, place in zip(space.genes, columns.of_gene, strict=True):
        if place is None:
            genes.append(0)
            continue
        text = row[place].strip()
        try:
            genes.append(gene.index(int(text)))
        except ValueError:
            raise ValueError(
                f"{gene.name} is “{text[:40]}”, which is not one of its choices {spell(gene.choices)}"
            ) from None
    return tuple(genes)
