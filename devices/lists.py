"""The lists of devices, of latency tables, and of a table's operators."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from devices.listing import STATUS, Choice, Column, Listing, options_of, seconds, time_taken
from devices.models import Device, LatencyTable


def _measured(rows: QuerySet[Any], value: str) -> QuerySet[Any]:
    return rows.filter(table_count__gt=0) if value == "yes" else rows.filter(table_count=0)


DEVICES = Listing(
    noun=("device", "devices"),
    columns=(
        Column("name", "Device", "name"),
        Column("kind", "Kind", "kind"),
        Column("engine", "Engine", "engine"),
        Column("data_type", "Data type", "data_type"),
        Column("threads", "Threads", "threads", number=True),
        Column("batch_size", "Batch", "batch_size", number=True),
        Column("tables", "Tables", "table_count", number=True),
        Column("measured", "Newest table", "newest_table_at"),
        Column("id", "", "pk"),
    ),
    searched=("name", "note"),
    order="name",
    choices=(
        Choice("kind", "Kind", Device.Kind.choices, "kind"),
        Choice("engine", "Engine", Device.Engine.choices, "engine"),
        Choice("measured", "Tables", [("yes", "has one"), ("no", "has none")], _measured),
    ),
)


def tables(owner: object) -> Listing:
    """Latency tables, to be filtered by the devices and spaces that there are."""
    rows = LatencyTable.objects.owned_by(owner)
    return Listing(
        noun=("latency table", "latency tables"),
        columns=(
            Column("device", "Table", "device.name"),
            Column("version", "", "version"),
            Column("status", "Status", "run.status"),
            Column("space", "Space", "space_name"),
            Column("source", "Measured by", "source"),
            Column("operators", "Operators of the space", "operator_count", number=True),
            Column("error", "Error of a network", "error", number=True),
            Column("started", "Started", "created_at"),
            Column("seconds", "Took", seconds, time_taken(), number=True),
            Column("id", "", "pk"),
        ),
        searched=("device__name", "space_name"),
        order="-started",
        choices=(
            STATUS,
            Choice("device", "Device", options_of(rows, "device", "device__name"), "device"),
            Choice("space", "Space", options_of(rows, "space_name"), "space_name"),
            Choice("source", "Measured by", LatencyTable.Source.choices, "source"),
        ),
    )


def _known_from(rows: QuerySet[Any], value: str) -> QuerySet[Any]:
    return rows.filter(deviation=0) if value == "measured" else rows.filter(deviation__gt=0)


OPERATORS = Listing(
    noun=("operator", "operators"),
    columns=(
        Column("key", "Operator", "key"),
        Column("repeats", "Repeats", "repeats", number=True),
        Column("minimum_us", "Minimum (µs)", "minimum_us", number=True),
        Column("p10_us", "p10 (µs)", "p10_us", number=True),
        Column("p50_us", "Median (µs)", "p50_us", number=True),
        Column("p90_us", "p90 (µs)", "p90_us", number=True),
        Column("deviation", "", "deviation"),
    ),
    searched=("key",),
    order="key",
    choices=(
        Choice("from", "Known from", [("measured", "measuring"), ("learned", "learning")], _known_from),
    ),
)
