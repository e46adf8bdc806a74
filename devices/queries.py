"""Reads about devices and tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from statistics import median
from typing import Any
from uuid import UUID

from django.db.models import Count, Field, FloatField, IntegerField, OuterRef, QuerySet, Subquery, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, NullIf

from devices.freshness import BULKY
from devices.models import Device, LatencyTable, TableEntry
from devices.tables import Calibration, Measurement, OperatorTable


def devices_of(owner: object) -> QuerySet[Device]:
    """An owner's devices with the number of their tables and when the newest was begun."""
    tables = LatencyTable.objects.filter(device=OuterRef("pk")).order_by()
    count = tables.values("device").annotate(found=Count("pk")).values("found")
    newest = tables.order_by("-created_at").values("created_at")[:1]
    return Device.objects.owned_by(owner).annotate(
        table_count=Coalesce(Subquery(count, output_field=IntegerField()), 0),
        newest_table_at=Subquery(newest),
    )


def tables_of(owner: object) -> QuerySet[LatencyTable]:
    """An owner's latency tables with their error, without what only their own pages need."""
    rows = LatencyTable.objects.owned_by(owner).select_related("device", "run").defer(*BULKY)
    return rows.annotate(error=number_at("calibration", "error_after"))


def number_at(field: str, key: str, kind: Field[Any, Any] | None = None) -> Cast:
    """A number within a JSON field; none where JSON has null, which databases sort each in their way."""
    return Cast(NullIf(KeyTextTransform(key, field), Value("null")), kind or FloatField())


def coverage(table: LatencyTable, rows: int | None = None) -> dict[str, Any]:
    """How many of the operators that the table's space needs are measured; those of others do not count.

    `rows` is how many the table holds, where that was counted already.
    """
    total = table.operator_count
    covered = min(table.rows.count() if rows is None else rows, total)
    learned = table.rows.filter(deviation__gt=0).count()
    return {
        "covered": covered,
        "learned": learned,
        "measured": max(covered - learned, 0),
        "total": total,
        "share": covered / total if total else 1.0,
    }


def calibration_points(table: LatencyTable) -> list[dict[str, Any]]:
    """The whole networks timed, each with the operators' sum and what the calibration makes of it."""
    calibration = Calibration.from_json(table.calibration) if table.calibration else None
    return [
        point.as_json() | {"predicted_us": calibration.latency_us(point.summed_us) if calibration else None}
        for point in table.points.all()
    ]


def joined(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those calibration points that joined later, with relative errors before they did and now."""
    return [
        point
        | {
            "error_before": abs(point["expected_us"] / point["measured_us"] - 1.0),
            "error_now": abs(point["predicted_us"] / point["measured_us"] - 1.0),
        }
        for point in points
        if point["expected_us"] and point["predicted_us"]
    ]


@dataclass(frozen=True, slots=True)
class Change:
    """One operator in two tables, in microseconds; `ratio` is after / before."""

    key: str
    before_us: float
    after_us: float

    @property
    def ratio(self) -> float:
        return self.after_us / self.before_us


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two tables side by side: what both hold, the largest changes first, and what only one of them holds."""

    changes: list[Change]
    only_before: list[str]
    only_after: list[str]

    @property
    def typical_ratio(self) -> float | None:
        return median(change.ratio for change in self.changes) if self.changes else None

    def beyond(self, share: float) -> tuple[int, int]:
        """How many operators became slower, and how many faster, by more than this share."""
        slower = sum(change.ratio > 1.0 + share for change in self.changes)
        return slower, sum(change.ratio < 1.0 / (1.0 + share) for change in self.changes)


def compare(before: LatencyTable, after: LatencyTable) -> Comparison:
    """Two tables by the minimum of each operator, which is what networks are summed from."""
    old, new = (dict(table.rows.values_list("key", "minimum_us")) for table in (before, after))
    changes = [Change(key, old[key], new[key]) for key in old.keys() & new.keys()]
    return Comparison(
        changes=sorted(changes, key=lambda change: (-abs(log(change.ratio)), change.key)),
        only_before=sorted(old.keys() - new.keys()),
        only_after=sorted(new.keys() - old.keys()),
    )


def newest_tables(owner: object) -> QuerySet[LatencyTable]:
    """The newest finished table of each of an owner's devices."""
    rows = LatencyTable.objects.owned_by(owner).usable()
    newest = rows.filter(device=OuterRef("device")).order_by("-version").values("pk")[:1]
    return rows.filter(pk=Subquery(newest)).select_related("device").order_by("device__name")


def looked_up(tables: Iterable[LatencyTable], keys: Iterable[str]) -> dict[UUID, OperatorTable]:
    """The measurements of these operators in every table, with its calibration. One query."""
    wanted = list(tables)
    sources = {table.pk: table.basis_id or table.pk for table in wanted}
    held: dict[UUID, list[Measurement]] = {}
    fields = ("key", "repeats", "minimum_us", "p10_us", "p50_us", "p90_us", "deviation")
    rows = TableEntry.objects.filter(table__in=set(sources.values()), key__in=set(keys))
    for source, *row in rows.values_list("table", *fields):
        held.setdefault(source, []).append(Measurement(*row))
    return {
        table.pk: OperatorTable(
            held.get(sources[table.pk], []),
            Calibration.from_json(table.calibration) if table.calibration else None,
        )
        for table in wanted
    }


def other_versions(table: LatencyTable) -> list[LatencyTable]:
    """The finished versions of the same device besides this one, newest first."""
    rows = LatencyTable.objects.usable().filter(device=table.device_id).exclude(pk=table.pk)
    return list(rows.select_related("device").order_by("-version"))


def formats_of(table: LatencyTable) -> list[str]:
    """The formats a table can be written in: ours, and the foreign one it came in."""
    first = table.rows.filter(original__isnull=False).values_list("original", flat=True).first()
    if first is None:
        return ["csv", "jsonl"]
    return ["csv", "jsonl", "chamnet" if "op_type" in first else "once-for-all"]
