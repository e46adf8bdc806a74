"""Pages about devices and their tables."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from devices import agents, queries, services
from devices.exports import Export, attachment, export_asked, of_records
from devices.forms import DeviceForm, TableImportForm
from devices.freshness import freshness_of
from devices.listing import Listed, list_response
from devices.lists import DEVICES, OPERATORS, tables
from devices.models import Device, DeviceToken, LatencyTable
from devices.runs.models import Run
from devices.runs.ownership import owner_of
from devices.runs.views import run_state
from devices.tables.formats import EXTENSIONS, LABELS, WRITERS, FormatError

ENTRIES_PER_PAGE = 50
NEW_TOKEN = "new_device_token"  # noqa: S105  (a key of the session, until it was shown)
NOTICEABLE = 0.05  # share by which an operator must change to be counted
POINT_COLUMNS = ("label", "summed_us", "measured_us", "predicted_us", "learned_us", "expected_us")
JOINED_COLUMNS = ("label", "measured_us", "expected_us", "error_before", "predicted_us", "error_now")
DRAWN = 4000  # operators that the chart of a comparison draws, those that changed the most


@require_GET
def device_list(request: HttpRequest) -> HttpResponseBase:
    """Devices, each with how far its newest table can be trusted."""
    return list_response(
        request, DEVICES, queries.devices_of(owner_of(request)), "devices/list.html", prepare=_with_freshness
    )


def _with_freshness(devices: Sequence[Any]) -> None:
    found = freshness_of(devices)
    for device in devices:
        device.freshness = found[device.pk]


@require_GET
def table_list(request: HttpRequest) -> HttpResponseBase:
    return list_response(
        request, tables(owner_of(request)), queries.tables_of(owner_of(request)), "devices/tables.html"
    )


@require_http_methods(["GET", "POST"])
def device_new(request: HttpRequest) -> HttpResponse:
    """The form, prefilled with what this machine is."""
    here = {
        "name": platform.node() or "This machine",
        "kind": Device.Kind.SERVER_CPU,
        "engine": Device.Engine.TORCHSCRIPT,
        "data_type": Device.DataType.FLOAT32,
        "threads": 1,
        "batch_size": 1,
        "is_this_machine": True,
    }
    form = DeviceForm(request.POST or None, initial=here, owner=owner_of(request))
    if request.method == "POST" and form.is_valid():
        device = form.save()
        messages.success(request, f"“{device.name}” is registered. Build its latency table next.")
        return redirect(device)
    status = 422 if form.errors else 200
    facts = {
        "Processor": platform.processor() or platform.machine(),
        "System": f"{platform.system()} {platform.release()}",
        "Cores": str(form.cores),
    }
    return render(request, "devices/form.html", {"form": form, "machine": facts}, status=status)


@require_GET
def table_page(request: HttpRequest, table_id: UUID) -> HttpResponseBase:
    table = get_object_or_404(
        LatencyTable.objects.owned_by(owner_of(request)).select_related("device", "run", "basis"), pk=table_id
    )
    rows = table.rows.count()
    covered = queries.coverage(table, rows)
    listing = OPERATORS if covered["learned"] else replace(OPERATORS, choices=())
    listed = Listed(request, listing, table.rows.defer("samples_us", "original"), rows)
    points = queries.calibration_points(table)
    if (file := export_asked(request, lambda: _files_of(table, listed, points))) is not None:
        return file
    context: dict[str, Any] = {
        "object": table,
        "table": table,
        "run": table.run,
        "listed": listed,
        "coverage": covered,
        "points": points,
        "calibration": table.calibration,
        "imported": table.provenance.get("imported from"),
        "draws": bool(points) or not table.run.is_final,
        "joined": queries.joined(points),
        "quality": table.quality,
        "others": queries.other_versions(table) if table.run.status == Run.Status.SUCCEEDED else [],
        "exports": [(name, LABELS[name]) for name in queries.formats_of(table)],
        "state": {"run": run_state(table.run), "points": points, "coverage": covered},
    }
    return render(request, "devices/table.html", context)


def _files_of(table: LatencyTable, listed: Listed, points: list[dict[str, Any]]) -> dict[str, Export]:
    """The tables of a table's page."""
    end = f"table-{table.version}"
    return {
        "operators": replace(listed.export, name=f"operators-{end}"),
        "networks": of_records(f"networks-{end}", POINT_COLUMNS, points),
        "joined": of_records(f"joined-{end}", JOINED_COLUMNS, queries.joined(points)),
        "quality": of_records(f"learned-{end}", ("label", "measured", "error"), table.quality or []),
    }


@require_GET
def table_compare(request: HttpRequest, table_id: UUID) -> HttpResponseBase:
    """Another version, `?with=ID`, beside this one: what got slower since, and by how much."""
    rows = LatencyTable.objects.owned_by(owner_of(request)).usable().select_related("device")
    table = get_object_or_404(rows, pk=table_id)
    try:
        other = get_object_or_404(rows, pk=UUID(request.GET.get("with", "")))
    except ValueError:
        raise Http404("There is no such table.") from None
    before, after = sorted((table, other), key=lambda one: one.created_at)
    found = queries.compare(before, after)
    if (file := export_asked(request, lambda: {"changes": _changes(before, after, found)})) is not None:
        return file
    slower, faster = found.beyond(NOTICEABLE)
    context = {
        "object": table,
        "before": before,
        "after": after,
        "found": found,
        "typical": None if found.typical_ratio is None else found.typical_ratio - 1.0,
        "noticeable": NOTICEABLE,
        "slower": slower,
        "faster": faster,
        "changes": Paginator(found.changes, ENTRIES_PER_PAGE).get_page(request.GET.get("page")),
        "state": {
            "changes": [[change.key, change.before_us, change.after_us] for change in found.changes[:DRAWN]]
        },
    }
    return render(request, "devices/compare.html", context)


def _changes(before: LatencyTable, after: LatencyTable, found: queries.Comparison) -> Export:
    """What both tables have, the largest changes first."""
    both = [(one.key, one.before_us, one.after_us, one.ratio) for one in found.changes]
    return Export(
        f"tables-{before.version}-and-{after.version}",
        ("key", "before_us", "after_us", "ratio"),
        lambda: both,
    )


@require_POST
def token_new(request: HttpRequest, device_id: UUID) -> HttpResponse:
    """A new token of a device; the page shown next is the only one that has its text."""
    device = get_object_or_404(Device.objects.owned_by(owner_of(request)), pk=device_id)
    _, text = DeviceToken.issue(device)
    request.session[NEW_TOKEN] = text
    return redirect(f"{device.get_absolute_url()}#agent")


@require_POST
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """Ends a token for good."""
    rows = DeviceToken.objects.filter(
        device__in=Device.objects.owned_by(owner_of(request)), revoked_at=None
    ).select_related("device")
    token = get_object_or_404(rows, pk=token_id)
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    messages.success(request, f"The token …{token.ending} is revoked: agents that use it stop.")
    return redirect(f"{token.device.get_absolute_url()}#agent")


@login_not_required
@require_GET
def agent_program(request: HttpRequest) -> HttpResponse:
    """The agent, to be run on a device. It holds no secret, so nobody has to sign in for it."""
    response = HttpResponse(agents.agent_program(), content_type="application/zip")
    response.headers["Content-Disposition"] = 'attachment; filename="chamnet-agent.pyz"'
    return response


@require_http_methods(["GET", "POST"])
def table_import(request: HttpRequest, device_id: UUID) -> HttpResponse:
    """The form for a table that was measured elsewhere."""
    device = get_object_or_404(Device.objects.owned_by(owner_of(request)), pk=device_id)
    form = TableImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["file"].name
        return redirect(services.import_table(device=device, table=form.table, name=name))
    context = {"form": form, "device": device}
    return render(request, "devices/import.html", context, status=422 if form.errors else 200)


@require_GET
def table_export(request: HttpRequest, table_id: UUID, file_format: str) -> HttpResponseBase:
    """All measurements of a table as a file."""
    if file_format not in WRITERS:
        raise Http404("There is no such format.")
    rows = LatencyTable.objects.owned_by(owner_of(request)).select_related("device")
    table = get_object_or_404(rows, pk=table_id)
    lines = WRITERS[file_format](services.table_file(table))
    try:
        first = next(lines, "")
    except FormatError as error:
        messages.error(request, str(error))
        return redirect(table)
    kind = "text/csv" if file_format == "csv" else "application/octet-stream"
    return attachment(
        request,
        chain([first], lines),
        name=f"table-{table.version}.{EXTENSIONS[file_format]}",
        content_type=f"{kind}; charset=utf-8",
    )
