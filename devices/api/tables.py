"""Latency tables: in and out, and what they hold. An access token opens all tables of its team, a device's
token those of its device."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from devices import queries, services
from devices.api.agent import token_of
from devices.api.answers import (
    Linked,
    Page,
    Refused,
    Text,
    Window,
    With,
    content_of,
    file_answer,
    file_body,
    page_of,
)
from devices.api.devices import device_of
from devices.api.runs import RunFacts
from devices.forms import MOST_BYTES
from devices.models import Device, LatencyTable, TableEntry
from devices.runs.ownership import owner_of
from devices.tables.formats import EXTENSIONS, WRITERS, FormatError, read_table

router = Router(tags=["tables"])


class TableFacts(Linked):
    """A version of a device's latency table."""

    id: UUID
    device_id: UUID
    version: int
    space: str
    space_id: str
    status: str
    source: str
    operators: int = Field(description="How many it holds.")
    created_at: datetime
    run: RunFacts

    @staticmethod
    def resolve_space(row: LatencyTable) -> str:
        return row.space_name

    @staticmethod
    def resolve_status(row: LatencyTable) -> str:
        return row.run.status


class TableDetail(TableFacts):
    """A version of a device's latency table, with what is known of it."""

    provenance: dict[str, Any]
    calibration: dict[str, Any] | None
    quality: Any = None
    coverage: dict[str, Any]
    points: list[dict[str, Any]]
    formats: list[str] = Field(description="What it can be exported as.")


class OperatorFacts(Schema):
    """One operator's time on a device; `deviation` is above 0 where it was learned, not measured."""

    key: str
    repeats: int
    minimum_us: float
    p10_us: float
    p50_us: float
    p90_us: float
    deviation: float


class TableFilter(Window):
    device_id: UUID | None = None


class OperatorFilter(Window):
    q: Text = Field(default="", description="Part of the key.")
    sort: Literal["key", "minimum_us", "-minimum_us", "p50_us", "-p50_us", "p90_us", "-p90_us"] = "key"
    known_from: Literal["", "measured", "learned"] = ""


@router.get("", response=Page[TableFacts])
def list_tables(request: HttpRequest, window: Query[TableFilter]) -> Any:
    """List latency tables, the newest first."""
    rows = _tables(request).select_related("run", "device").order_by("-created_at", "-version")
    if window.device_id is not None:
        rows = rows.filter(device=window.device_id)
    return page_of(request, rows.defer("operator_keys", "networks", "network_samples_us"), window, counted)


@router.post("", response={201: TableFacts}, openapi_extra=file_body("text/plain"))
def import_table(request: HttpRequest, name: Text = "table", device_id: UUID | None = None) -> Any:
    """Import a latency table: a file in any known format, as the request's body.

    It becomes the next version of the device's table. A device's token names its device itself.
    """
    device = _device(request, device_id)
    content = content_of(request, MOST_BYTES)
    try:
        table = read_table(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refused(422, "This is no text file.") from None
    except FormatError as error:
        raise Refused(422, "Nothing of the file was stored.", error.problems) from None
    return Status(201, counted([services.import_table(device=device, table=table, name=name)])[0])


@router.get("/{uuid:table_id}", response=TableDetail)
def get_table(request: HttpRequest, table_id: UUID) -> Any:
    """Get a latency table."""
    (table,) = counted([_table(request, table_id)])
    return With(
        table,
        coverage=queries.coverage(table),
        points=queries.calibration_points(table),
        formats=queries.formats_of(table),
    )


@router.get("/{uuid:table_id}/operators", response=Page[OperatorFacts])
def list_operators(request: HttpRequest, table_id: UUID, window: Query[OperatorFilter]) -> Any:
    """List a table's operators with their times in microseconds."""
    found = _table(request, table_id).rows.defer("samples_us").order_by(window.sort, "key")
    if window.known_from:
        found = (
            found.filter(deviation=0) if window.known_from == "measured" else found.filter(deviation__gt=0)
        )
    return page_of(request, found.filter(key__icontains=window.q), window)


@router.get(
    "/{uuid:table_id}/export/{file_format}", response={200: None}, openapi_extra=file_answer("text/plain")
)
def export_table(request: HttpRequest, table_id: UUID, file_format: str) -> Any:
    """Export a latency table as a file: csv, jsonl, or the foreign format it came in."""
    table = _table(request, table_id)
    if file_format not in WRITERS:
        raise Refused(422, f"Known formats are {', '.join(WRITERS)}.")
    try:
        text = "".join(WRITERS[file_format](services.table_file(table)))
    except FormatError as error:
        raise Refused(422, str(error)) from None
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    name = f"table-{table.version}.{EXTENSIONS[file_format]}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _tables(request: HttpRequest) -> Any:
    token = token_of(request)
    if token is not None:
        return LatencyTable.objects.filter(device=token.device)
    return LatencyTable.objects.owned_by(owner_of(request))


def _table(request: HttpRequest, table_id: UUID) -> LatencyTable:
    found: LatencyTable = get_object_or_404(
        _tables(request).select_related("device", "run", "basis"), pk=table_id
    )
    return found


def _device(request: HttpRequest, device_id: UUID | None) -> Device:
    token = token_of(request)
    if token is not None:
        if device_id not in (None, token.device_id):
            raise Refused(404, "There is no such device.")
        return token.device
    if device_id is None:
        raise Refused(422, "Say which device the table is of.", ["device_id: Field required"])
    return device_of(request, device_id)


def counted(tables: list[LatencyTable]) -> list[LatencyTable]:
    """The tables with the number of their operators, in one query."""
    held = {table.pk: table.basis_id or table.pk for table in tables}
    counts = dict(
        TableEntry.objects.filter(table__in=set(held.values()))
        .values_list("table")
        .annotate(Count("pk"))
        .order_by()
    )
    for table in tables:
        table.operators = counts.get(held[table.pk], 0)  # type: ignore[attr-defined]
    return tables
