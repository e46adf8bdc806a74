"""The device's page: its tables and the form that begins another. It needs the spaces, so it stands here."""

from __future__ import annotations

import hashlib
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from devices.agents import agent_program
from devices.exports import Export, export_asked
from devices.freshness import BULKY, freshness_of
from devices.models import Device, DeviceToken, LatencyTable
from devices.runs.models import Run
from devices.runs.ownership import owner_of
from devices.views import NEW_TOKEN
from search.forms.devices import TableForm
from search.queries import cost_rows
from search.services.catalogue import measurable_spaces
from search.services.tables import Way, build_table, complete_table, coverage_of
from search.views.settings import Beginning, beginning

MOST_VERSIONS = 10


@require_GET
def device_page(request: HttpRequest, device_id: UUID) -> HttpResponseBase:
    device = _device(request, device_id)
    if file := export_asked(request, lambda: {"tokens": _tokens_file(device)}):
        return file
    start = beginning(request, "table", {})
    form = TableForm(initial=start.initial, owner=owner_of(request))
    return _device_page(request, device, form, start=start)


def _tokens_of(device: Device) -> QuerySet[DeviceToken]:
    return device.tokens.filter(revoked_at=None)


def _tokens_file(device: Device) -> Export:
    """What the page tells of the agents' tokens: of each its ending, never the token nor its digest."""

    def row(token: DeviceToken) -> tuple[object, ...]:
        machine = token.agent.get("machine") or {}
        return token.ending, token.created_at, token.seen_at, machine.get("processor"), machine.get("engine")

    head = ("ending", "created_at", "seen_at", "processor", "engine")
    return Export(f"agent-tokens-{device.pk}", head, lambda: map(row, _tokens_of(device)))


@require_POST
def table_new(request: HttpRequest, device_id: UUID) -> HttpResponse:
    """Begins the next version of a device's table."""
    device = _device(request, device_id)
    start = beginning(request, "table", {})
    form = TableForm(start.data, initial=start.initial, owner=owner_of(request))
    if not form.is_valid():
        return _device_page(request, device, form, status=422 if form.is_bound else 200, start=start)
    try:
        table = build_table(device=device, space=form.cleaned_data["space"])
    except ValueError as error:
        messages.error(request, str(error))
        return redirect(device)
    return redirect(table)


@require_GET
def table_spaces(request: HttpRequest, table_id: UUID) -> HttpResponse:
    """How much of each search space a table covers, and what can be done about the rest."""
    table = _table(request, table_id)
    context = {
        "object": table,
        "table": table,
        "covered": coverage_of(table, measurable_spaces(owner_of(request))),
    }
    return render(request, "search/table_spaces.html", context)


@require_POST
def table_complete(request: HttpRequest, table_id: UUID) -> HttpResponse:
    """Begins a version that also has what the table lacks of a space."""
    table = _table(request, table_id)
    known, way = (
        measurable_spaces(owner_of(request)).get(request.POST.get("space", "")),
        request.POST.get("way"),
    )
    if known is None or way not in ("measure", "interpolate"):
        raise Http404("There is no such space, or no such way.")
    try:
        completed = complete_table(table=table, space=known[0], way=cast("Way", way))
    except ValueError as error:
        messages.error(request, str(error))
        return redirect("table-spaces", table_id=table.pk)
    return redirect(completed)


def _table(request: HttpRequest, table_id: UUID) -> LatencyTable:
    rows = LatencyTable.objects.owned_by(owner_of(request)).usable().select_related("device", "basis")
    return get_object_or_404(rows, pk=table_id)


def _device(request: HttpRequest, device_id: UUID) -> Device:
    return get_object_or_404(Device.objects.owned_by(owner_of(request)), pk=device_id)


def _agent_command(request: HttpRequest, token: str) -> str:
    """What a person runs on the device."""
    program = request.build_absolute_uri(reverse("agent-program"))
    server = request.build_absolute_uri("/").rstrip("/")
    fetch = f"import urllib.request as r; r.urlretrieve('{program}', 'chamnet-agent.pyz')"
    return f'python3 -c "{fetch}" && python3 chamnet-agent.pyz --server {server} --token {token}'


def _device_page(
    request: HttpRequest, device: Device, form: TableForm, status: int = 200, *, start: Beginning
) -> HttpResponse:
    tables, costs = device.tables.select_related("run").defer(*BULKY), cost_rows(device.owner_id)
    costs = costs.filter(device=device)
    new_token = request.session.pop(NEW_TOKEN, None)
    context = {
        "object": device,
        "device": device,
        "freshness": freshness_of([device])[device.pk],
        "tables": tables[:MOST_VERSIONS],
        "table_count": tables.count(),
        "active": tables.exclude(run__status__in=Run.FINAL).first(),
        "tokens": _tokens_of(device),
        "new_token": new_token,
        "command": _agent_command(request, new_token or "TOKEN"),
        "program_sha256": hashlib.sha256(agent_program()).hexdigest(),
        "costs": costs[:MOST_VERSIONS],
        "cost_count": costs.count(),
        "table_form": form,
        "start": start,
    }
    return render(request, "devices/detail.html", context, status=status)
