"""Reads of a few candidates side by side: every quantity is a row with one cell for each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import numpy as np

from devices.models import LatencyTable
from devices.operators import Layer
from devices.queries import looked_up, newest_tables
from devices.tables import OperatorTable
from search.models import Candidate, TrainedModel
from search.predictors.quality import LEVEL
from search.queries import recipe_name

FEWEST, MOST = 2, 10

Look = Literal["plain", "predicted", "measured"]
Better = Literal["", "least", "most"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in its row's unit, its interval's ends, and its limit; None where there is none."""

    value: float | str | None
    low: float | None = None
    high: float | None = None
    most: float | None = None
    note: str = ""
    address: str = ""


NOTHING = Cell(None)


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of every candidate. Accuracies and chances are shares from 0 to 1 in the unit "%"."""

    group: str
    label: str
    cells: tuple[Cell, ...]
    unit: str = ""
    look: Look = "plain"
    better: Better = ""

    @property
    def differs(self) -> bool:
        return len({cell.value for cell in self.cells}) > 1

    @property
    def best(self) -> frozenset[int]:
        """Places of the best values; none where that is not a question, or all are equal."""
        known = [cell.value for cell in self.cells if isinstance(cell.value, float | int)]
        if not self.better or not self.differs or len(known) < 2:
            return frozenset()
        wanted = min(known) if self.better == "least" else max(known)
        return frozenset(place for place, cell in enumerate(self.cells) if cell.value == wanted)

    @property
    def marked(self) -> list[tuple[Cell, bool]]:
        """Every cell with whether it is the best."""
        best = self.best
        return [(cell, place in best) for place, cell in enumerate(self.cells)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rows, and what its search's table says of every candidate's operators, where the search has one."""

    rows: list[Row]
    tables: list[OperatorTable | None]


def candidates_of(owner: Any, ids: Sequence[UUID]) -> list[Candidate]:
    """The candidates with these ids that are the owner's, in this order."""
    rows = Candidate.objects.filter(search__owner=owner, pk__in=ids).select_related(
        "search__predictor__space", "search__table__device", "search__timing__device"
    )
    found = {row.pk: row for row in rows.defer("search__state", "search__front")}
    return [found[key] for key in ids if key in found]


def compared(owner: Any, candidates: Sequence[Candidate]) -> Comparison:
    """Everything that is known of these candidates. Four queries, however many they are."""
    layers = [one.architecture.layers for one in candidates]
    newest = list(newest_tables(owner))
    own = [one.search.table for one in candidates if one.search.table is not None]
    keys = {layer.operator.key for network in layers for layer in network}
    tables = looked_up([*newest, *own], keys)
    rows = [
        *_origin(candidates),
        *_predicted(candidates),
        *_limits(candidates),
        *_sizes(candidates),
        *_measured(candidates),
        *(_on_device(table, tables[table.pk], layers) for table in newest),
        *_hyperparameters(candidates),
    ]
    return Comparison(
        rows, [tables[one.search.table.pk] if one.search.table is not None else None for one in candidates]
    )


def _row(
    group: str, label: str, candidates: Sequence[Candidate], value: Callable[[Candidate], Cell], **facts: Any
) -> Row:
    return Row(group, label, tuple(map(value, candidates)), **facts)


def _link(of: Any) -> Cell:
    return Cell(str(of), address=of.get_absolute_url())


def _origin(candidates: Sequence[Candidate]) -> list[Row]:
    group = "Where it is from"
    return [
        _row(group, "Search", candidates, lambda one: _link(one.search)),
        _row(group, "Rank", candidates, lambda one: Cell(one.rank)),
        _row(group, "Device", candidates, lambda one: _link(one.device)),
        _row(group, "Predictor", candidates, lambda one: _link(one.predictor)),
    ]


def _predicted(candidates: Sequence[Candidate]) -> list[Row]:
    """Accuracies are of one data set, and latencies of one device, or none of them is the best."""

    def row(label: str, fields: tuple[str, str, str], **facts: Any) -> Row:
        def cell(one: Candidate) -> Cell:
            return Cell(*(getattr(one, field) for field in fields))

        return _row("Predicted", label, candidates, cell, look="predicted", **facts)

    accuracy = ("accuracy", "accuracy_low", "accuracy_high")
    latency = ("latency_ms", "latency_low_ms", "latency_high_ms")
    return [
        row("Accuracy", accuracy, unit="%", better=_if_same_data(candidates)),
        row("Latency on its device", latency, unit="ms", better=_if_same_device(candidates)),
    ]


def _if_same_data(candidates: Sequence[Candidate]) -> Better:
    return "most" if len({one.predictor.dataset for one in candidates}) == 1 else ""


def _if_same_device(candidates: Sequence[Candidate]) -> Better:
    return "least" if len({one.device.pk for one in candidates}) == 1 else ""


def _limits(candidates: Sequence[Candidate]) -> list[Row]:
    """Of every limit, the value beside it; the chance to keep it is the note."""
    limits: dict[str, str] = {limit["name"]: limit["unit"] for one in candidates for limit in one.limits}

    def cell(one: Candidate, name: str) -> Cell:
        found = next((limit for limit in one.limits if limit["name"] == name), None)
        if found is None:
            return NOTHING
        is_exact = found["low"] == found["high"]
        return Cell(
            found["value"],
            low=None if is_exact else found["low"],
            high=None if is_exact else found["high"],
            most=found["maximum"],
            note=f"kept with {100 * found['chance']:.0f} %",
        )

    return [
        Row(
            "Limits",
            name[:1].upper() + name[1:],
            tuple(cell(one, name) for one in candidates),
            unit=unit,
            look="predicted",
            better="least",
        )
        for name, unit in limits.items()
    ]


def _sizes(candidates: Sequence[Candidate]) -> list[Row]:
    least: Better = "least"
    file_facts: dict[str, Any] = {"unit": "bytes", "look": "predicted"}
    return [
        _row("Size", "Multiply-adds", candidates, lambda one: Cell(one.multiply_adds), better=least),
        _row("Size", "Parameters", candidates, lambda one: Cell(one.parameters), better=least),
        _row(
            "Size",
            "File size",
            candidates,
            lambda one: Cell(one.file_bytes or None),
            better=least,
            **file_facts,
        ),
    ]


def _measured(candidates: Sequence[Candidate]) -> list[Row]:
    """Of the newest finished training of each; no rows where none was trained."""
    rows = TrainedModel.objects.filter(candidate__in=candidates, test_accuracy__isnull=False)
    newest = {
        row.candidate_id: row for row in rows.annotate(recipe_name=recipe_name()).order_by("created_at")
    }
    if not newest:
        return []

    def row(label: str, field: str, **facts: Any) -> Row:
        def cell(one: Candidate) -> Cell:
            model = newest.get(one.pk)
            if model is None:
                return NOTHING
            note = f"{model.recipe_name}, seed {model.seed}"
            return Cell(getattr(model, field), note=note, address=model.get_absolute_url())

        return _row("Measured", label, candidates, cell, look="measured", **facts)

    return [
        row("Test accuracy", "test_accuracy", unit="%", better=_if_same_data(candidates)),
        row(
            "Latency on its device, normalisation included",
            "latency_ms",
            unit="ms",
            better=_if_same_device(candidates),
        ),
    ]


def _on_device(table: LatencyTable, measured: OperatorTable, networks: Sequence[Sequence[Layer]]) -> Row:
    """Predicted by a device's newest table, for the networks whose operators it has."""

    def cell(layers: Sequence[Layer]) -> Cell:
        summed = measured.summed_us(layers) if all(one.operator.key in measured for one in layers) else None
        if summed is None:
            return NOTHING
        learned = np.array([measured.summed_learned_us(layers)])
        low, high = measured.calibration.interval_us(np.array([summed]), LEVEL, learned)
        return Cell(measured.calibration.latency_us(summed) / 1000.0, low[0] / 1000.0, high[0] / 1000.0)

    return Row(
        "Predicted latency on every device",
        f"{table.device.name} v{table.version}",
        tuple(cell(layers) for layers in networks),
        unit="ms",
        look="predicted",
        better="least",
    )


def _hyperparameters(candidates: Sequence[Candidate]) -> list[Row]:
    values = [one.architecture.values for one in candidates]
    labels = {gene.name: gene.label for one in candidates for gene in one.architecture.space.genes}
    return [
        Row(
            "Hyperparameters",
            label[:1].upper() + label[1:],
            tuple(Cell(mine[name]) if name in mine else NOTHING for mine in values),
        )
        for name, label in labels.items()
    ]


def as_json(candidates: Sequence[Candidate], rows: Sequence[Row]) -> dict[str, Any]:
    """The comparison as JSON: what is compared, and the rows with a value, ends and note for each."""

    def plain(cell: Cell) -> Mapping[str, Any]:
        more = {"low": cell.low, "high": cell.high, "limit": cell.most, "note": cell.note or None}
        return {"value": cell.value} | {name: value for name, value in more.items() if value is not None}

    return {
        "candidates": [
            {"id": str(one.pk), "name": str(one), "architecture": one.architecture_id} for one in candidates
        ],
        "rows": [
            {"group": row.group, "label": row.label, "unit": row.unit, "kind": row.look}
            | {"cells": [plain(cell) for cell in row.cells], "best": sorted(row.best)}
            for row in rows
        ],
    }
