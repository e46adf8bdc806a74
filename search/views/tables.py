"""The device's page: its tables and the form that begins another. It needs the spaces, so it stands here."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from devices.models import Device, LatencyTable
from search.forms.devices import TableForm
from search.services.catalogue import measurable_spaces
from search.services.tables import Way, build_table, complete_table, coverage_of


@require_GET
def device_page(request: HttpRequest, device_id: UUID) -> HttpResponse:
    return _device_page(request, _device(request, device_id), TableForm())


@require_POST
def table_new(request: HttpRequest, device_id: UUID) -> HttpResponse:
    """Begins the next version of a device's table."""
    device = _device(request, device_id)
    form = TableForm(request.POST)
    if not form.is_valid():
        return _device_page(request, device, form, status=422)
    space, _ = form.spaces[form.cleaned_data["space"]]
    try:
        table = build_table(device=device, space=space)
    except ValueError as error:
        messages.error(request, str(error))
        return redirect(device)
    return redirect(table)


@require_GET
def table_spaces(request: HttpRequest, table_id: UUID) -> HttpResponse:
    """How much of each search space a table covers, and what can be done about the rest."""
    table = _table(request, table_id)
    context = {"object": table, "table": table, "covered": coverage_of(table, measurable_spaces())}
    return render(request, "search/table_spaces.html", context)


@require_POST
def table_complete(request: HttpRequest, table_id: UUID) -> HttpResponse:
    """Begins a version that also has what the table lacks of a space."""
    table = _table(request, table_id)
    known, way = measurable_spaces().get(request.POST.get("space", "")), request.POST.get("way")
    if known is None or way not in ("measure", "interpolate"):
        raise Http404("There is no such space, or no such way.")
    try:
        completed = complete_table(table=table, space=known[0], way=cast("Way", way))
    except ValueError as error:
        messages.error(request, str(error))
        return redirect("table-spaces", table_id=table.pk)
    return redirect(completed)


def _table(request: HttpRequest, table_id: UUID) -> LatencyTable:
    rows = LatencyTable.objects.owned_by(request.user).usable().select_related("device", "basis")
    return get_object_or_404(rows, pk=table_id)


def _device(request: HttpRequest, device_id: UUID) -> Device:
    return get_object_or_404(Device.objects.owned_by(request.user), pk=device_id)


def _device_page(request: HttpRequest, device: Device, form: TableForm, status: int = 200) -> HttpResponse:
    context = {
        "object": device,
        "device": device,
        "tables": device.tables.select_related("run"),
        "energies": device.energy_predictors.select_related("run", "space"),
        "table_form": form,
    }
    return render(request, "devices/detail.html", context, status=status)
