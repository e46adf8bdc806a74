"""Pages about what whole networks cost on devices: energy and latency."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from devices.exports import Export, export_asked
from devices.listing import list_response
from devices.models import Device
from devices.networks import meters_of
from devices.runs.ownership import owner_of
from devices.runs.views import run_state
from search.forms.devices import CostImportForm, CostMeasureForm
from search.lists import costs
from search.models import CostPredictor
from search.queries import cost_rows
from search.services.costs import import_costs, measure_costs
from search.views.settings import beginning


@require_GET
def cost_list(request: HttpRequest) -> HttpResponseBase:
    return list_response(request, costs(owner_of(request)), cost_rows(owner_of(request)), "search/costs.html")


@require_http_methods(["GET", "POST"])
def cost_new(request: HttpRequest, device_id: UUID) -> HttpResponse:
    """Two ways to a predictor: networks measured now, or a file of what was measured elsewhere."""
    device = get_object_or_404(Device.objects.owned_by(owner_of(request)), pk=device_id)
    quantity = {"quantity": request.GET.get("quantity", CostPredictor.Quantity.ENERGY)}
    start = beginning(request, "cost", quantity)
    imports = "budget" not in request.POST
    measure = CostMeasureForm(None if imports else start.data, initial=start.initial, owner=owner_of(request))
    form = CostImportForm(
        start.data if imports else None,
        request.FILES or None if start.data else None,
        initial=quantity,
        auto_id="import_%s",
        owner=owner_of(request),
    )
    if form.is_bound and form.is_valid():
        return redirect(import_costs(owner=owner_of(request), device=device, **form.cleaned_data))
    if measure.is_bound and measure.is_valid():
        try:
            return redirect(measure_costs(owner=owner_of(request), device=device, **measure.cleaned_data))
        except ValueError as error:
            measure.add_error(None, str(error))
    context = {
        "form": form,
        "start": start,
        "measure_form": measure,
        "device": device,
        "meters": meters_of(device),
    }
    status = 422 if form.errors or measure.errors else 200
    return render(request, "search/cost_form.html", context, status=status)


@require_GET
def cost_page(request: HttpRequest, cost_id: UUID) -> HttpResponseBase:
    rows = CostPredictor.objects.owned_by(owner_of(request)).select_related(
        "run", "device", "space", "table__device"
    )
    cost = get_object_or_404(rows, pk=cost_id)
    quality = cost.quality or {}
    names = ("measured", "predicted", "low", "high")
    held_out = Export(f"held-out-{cost.pk}", names, lambda: quality.get("scatter", []))
    tables = {"held-out": held_out, "measurements": _measurements(cost)}
    if (file := export_asked(request, lambda: tables)) is not None:
        return file
    context: dict[str, Any] = {
        "object": cost,
        "cost": cost,
        "run": cost.run,
        "quality": cost.quality,
        "spread": median(cost.facts["spreads"]) if cost.facts.get("spreads") else None,
        "state": {
            "run": run_state(cost.run),
            "unit": cost.unit,
            "quantity": cost.quantity,
            "scatter": [dict(zip(names, row, strict=True)) for row in quality.get("scatter", [])],
        },
    }
    return render(request, "search/cost.html", context)


def _measurements(cost: CostPredictor) -> Export:
    """Every network that was measured, with its genes by name."""
    space = cost.space.load()
    names = [gene.name for gene in space.genes]

    def rows() -> Iterator[list[object]]:
        for genes, value in cost.measurements:
            values = space.values(genes)
            yield [value, *(values[name] for name in names)]

    unit = {"mJ": "energy_mj", "ms": "latency_ms"}[cost.unit]
    return Export(f"measurements-{cost.pk}", [unit, *names], rows)
