"""Networks that others published, from CSV: a name, an accuracy and a latency each.

Papers and repositories name their columns as they like: the accuracy is the first column called accuracy or
top-1 in some spelling, a latency any column whose name ends in a unit of time. Rows without either are left
out, as tables have gaps.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

UNITS = {"ms": 1.0, "us": 1e-3, "s": 1e3}
MOST_ROWS = 2_000
MOST_BYTES = 2 * 10**6
_ACCURACY = re.compile(
    r"(?:mean_|test_|val_|validation_)?acc(?:uracy)?(?:_percent|_pct|_%)?|top[-_ ]?1(?:_acc(?:uracy)?)?"
)
_LATENCY = re.compile(r".*(?:^|_|\()(ms|us|s)\)?")
_NAMES = ("model", "name", "network", "arch", "architecture")


class PublishedError(ValueError):
    """Why a file cannot be shown; the message is a sentence for a person."""


class SeveralLatenciesError(PublishedError):
    """A file has several latencies and none was named."""


@dataclass(frozen=True, slots=True)
class Published:
    """One network of others: accuracy from 0 to 1, latency in milliseconds."""

    label: str
    accuracy: float
    latency_ms: float


def latency_columns(header: Sequence[str]) -> list[str]:
    """The columns that hold a latency."""
    return [name for name in header if _LATENCY.fullmatch(name.strip().lower())]


def read_published(lines: Iterable[str], latency: str = "") -> list[Published]:
    """The networks of a file with a header; `latency` names the column where there are several.

    Raises PublishedError.
    """
    try:
        rows = csv.DictReader(lines)
        header = [name or "" for name in rows.fieldnames or []]
        accuracy, chosen = _accuracy_column(header), _latency_column(header, latency)
        named = [name for name in header if name not in (accuracy, *latency_columns(header))]
        found = []
        for number, row in enumerate(rows):
            if number >= MOST_ROWS:
                raise PublishedError(f"The file has more than {MOST_ROWS:,} rows.")
            values = _number(row.get(accuracy)), _number(row.get(chosen))
            if values[0] is not None and values[1] is not None:
                found.append((_label(row, named), values[0], values[1]))
    except csv.Error as error:
        raise PublishedError(f"This is no CSV file: {error}.") from None
    if not found:
        raise PublishedError(f"No row has both an accuracy in “{accuracy}” and a latency in “{chosen}”.")
    unit = UNITS[_unit(chosen)]
    share = 0.01 if max(value for _, value, _ in found) > 1.0 else 1.0
    if max(value for _, value, _ in found) * share > 1.0:
        raise PublishedError(f"“{accuracy}” holds values above 100.")
    return [Published(label, value * share, time * unit) for label, value, time in found]


def _accuracy_column(header: Sequence[str]) -> str:
    for name in header:
        if _ACCURACY.fullmatch(name.strip().lower()):
            return name
    there = ", ".join(header)[:200] or "none"
    raise PublishedError(f"No column is called accuracy or top1; there are {there}.")


def _latency_column(header: Sequence[str], wanted: str) -> str:
    known = latency_columns(header)
    if wanted:
        if wanted not in known:
            there = ", ".join(known) or "none"
            raise PublishedError(f"“{wanted}” is none of the columns of latencies: {there}.")
        return wanted
    if not known:
        raise PublishedError("No column's name ends in _ms, _us or _s: which is the latency?")
    if len(known) > 1:
        raise SeveralLatenciesError(f"There are several latencies: name one of {', '.join(known)}.")
    return known[0]


def _unit(column: str) -> str:
    match = _LATENCY.fullmatch(column.strip().lower())
    assert match is not None  # noqa: S101  (only columns that match are chosen; for the type checker)
    return match[1]


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _label(row: dict[str, str], named: Sequence[str]) -> str:
    """The row's name: of the column that holds names, else of the first few columns."""
    for name in _NAMES:
        for column in named:
            if column.strip().lower() == name and row.get(column):
                return row[column][:80]
    return " ".join(str(row.get(column) or "") for column in named[:4]).strip()[:80] or "network"
