"""The device's page: its tables and the form that begins another. It needs the spaces, so it stands here."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from devices.models import Device
from search.forms.devices import TableForm
from search.services.tables import build_table


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
