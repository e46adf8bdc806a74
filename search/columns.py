"""Candidates column by column, small enough that a browser takes tens of thousands at once.

A file is: the length of the head in 4 bytes (little-endian), the head in JSON, then every column one after
the other, each begun at a multiple of 4 bytes. A column has one whole number a candidate: the index of a
choice (hyperparameters, `uint8`), or a place between the column's `low` and `high` (`uint16`, 0 to 65534).
The greatest number of the type says that the candidate has no such quantity. The head says how many
candidates the columns hold (`count`) and how many the searches have (`every`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from search.candidates import FIELDS, TOLERANCE, Axis, Explored, axes_of, in_batches
from search.models import Candidate

MOST = 60_000
"""Candidates that are handed out at once, shared by the searches; those of the best ranks come first."""

COLUMNS_TYPE = "application/vnd.chamnet.columns"
STEPS = 65534
KEEPS, ON_FRONT = 1, 2

Floats = npt.NDArray[np.float64]


def packed(searches: Sequence[Explored]) -> bytes:
    """The candidates of these searches as a file of columns, at most MOST."""
    share = MOST // max(1, len(searches))
    parts = [_read(one, share) for one in searches]
    counts = [len(part["rank"]) for part in parts]
    columns: list[tuple[dict[str, Any], npt.NDArray[Any]]] = [
        ({"name": "search"}, np.repeat(np.arange(len(parts), dtype=np.uint8), counts)),
        ({"name": "rank"}, np.concatenate([part["rank"] for part in parts]).astype(np.uint32)),
        ({"name": "marks"}, np.concatenate([part["marks"] for part in parts]).astype(np.uint8)),
    ]
    for axis in axes_of(searches):
        missing = [np.full(count, np.nan) for count in counts]
        pairs = zip(parts, missing, strict=True)
        values = np.concatenate([part.get(axis.name, none) for part, none in pairs]) * axis.scale
        columns.append(_chosen(axis, values) if axis.choices else _placed(axis, values))
    every = Candidate.objects.filter(search__in=[one.search.pk for one in searches]).count()
    return _file({"count": sum(counts), "every": every}, columns)


def _read(one: Explored, most: int) -> dict[str, Floats]:
    """The stored values of a search's candidates by axis, NaN where there is none."""
    further = list(one.further)
    chances = [f"limits__{place}__chance" for place in range(1, len(one.limits))]
    values = [f"limits__{one.further[name][0]}__value" for name in further]
    figures = len(FIELDS)
    batches = [
        (
            np.array([row[:-1] for row in batch], dtype=np.float64),
            np.array([row[-1] for row in batch], dtype=np.int64),
        )
        for batch in in_batches(one.search, "on_front", *FIELDS, *values, *chances, "genes", most=most)
    ]
    width = 2 + figures + len(values) + len(chances)
    numbers = np.concatenate([np.empty((0, width)), *(batch[0] for batch in batches)])
    genes = np.concatenate([np.empty((0, len(one.space.genes)), np.int64), *(batch[1] for batch in batches)])
    least = one.search.confidence - TOLERANCE
    kept = (numbers[:, [2 + FIELDS.index("meets_limit"), *range(width - len(chances), width)]] >= least).all(
        1
    )
    named = dict(zip((*FIELDS, *further), numbers[:, 2:].T, strict=False))
    chosen = {
        name: np.array(gene.choices, dtype=np.float64)[genes[:, place]]
        for name, (place, gene) in one.genes.items()
    }
    marks = KEEPS * kept + ON_FRONT * (numbers[:, 1] > 0)
    return {"rank": numbers[:, 0], "marks": marks} | named | chosen


def _chosen(axis: Axis, values: Floats) -> tuple[dict[str, Any], npt.NDArray[Any]]:
    size = np.uint8 if len(axis.choices) < 255 else np.uint16
    places = np.searchsorted(np.array(axis.choices), np.nan_to_num(values, nan=axis.choices[0]))
    places[np.isnan(values)] = np.iinfo(size).max
    return {"name": axis.name, "choices": axis.choices}, places.astype(size)


def _placed(axis: Axis, values: Floats) -> tuple[dict[str, Any], npt.NDArray[Any]]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    places = np.full(len(values), np.iinfo(np.uint16).max, dtype=np.uint16)
    places[np.isfinite(values)] = np.round((known - low) * (STEPS / (high - low) if high > low else 0.0))
    return {"name": axis.name, "low": low, "high": high}, places


def _file(counts: dict[str, int], columns: Sequence[tuple[dict[str, Any], npt.NDArray[Any]]]) -> bytes:
    described = [facts | {"type": values.dtype.name} for facts, values in columns]
    head = json.dumps(counts | {"columns": described}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 4)
    pieces = [len(head).to_bytes(4, "little"), head]
    for _, values in columns:
        raw = values.astype(values.dtype.newbyteorder("<")).tobytes()
        pieces += [raw, b"\0" * (-len(raw) % 4)]
    return b"".join(pieces)
