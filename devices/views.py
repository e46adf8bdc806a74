"""Pages about devices and their tables."""

from __future__ import annotations

import csv
import platform
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from devices import queries
from devices.forms import DeviceForm
from devices.models import Device, LatencyTable
from devices.runs.views import run_state

ENTRIES_PER_PAGE = 50


@require_GET
def device_list(request: HttpRequest) -> HttpResponse:
    return render(request, "devices/list.html", {"devices": queries.devices_of(request.user)})


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
    form = DeviceForm(request.POST or None, initial=here, owner=request.user)
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
def table_page(request: HttpRequest, table_id: UUID) -> HttpResponse:
    table = get_object_or_404(
        LatencyTable.objects.owned_by(request.user).select_related("device", "run"), pk=table_id
    )
    found = queries.entries(table, contains=request.GET.get("q", ""), sort=request.GET.get("sort", "key"))
    points = queries.calibration_points(table)
    context: dict[str, Any] = {
        "object": table,
        "table": table,
        "run": table.run,
        "entries": Paginator(found, ENTRIES_PER_PAGE).get_page(request.GET.get("page")),
        "entry_count": found.count(),
        "coverage": queries.coverage(table),
        "points": points,
        "calibration": table.calibration,
        "state": {"run": run_state(table.run), "points": points, "coverage": queries.coverage(table)},
    }
    return render(request, "devices/table.html", context)


@require_GET
def table_csv(request: HttpRequest, table_id: UUID) -> HttpResponse:
    """All measurements of a table, in microseconds."""
    table = get_object_or_404(LatencyTable.objects.owned_by(request.user), pk=table_id)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="table-{table.version}.csv"'
    columns = ["key", "repeats", "minimum_us", "p10_us", "p50_us", "p90_us"]
    writer = csv.writer(response)
    writer.writerow(columns)
    writer.writerows(table.entries.order_by("key").values_list(*columns))
    return response
