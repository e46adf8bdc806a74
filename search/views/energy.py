"""Pages about the energy of devices."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from devices.models import Device
from devices.runs.views import run_state
from search.forms.devices import EnergyForm
from search.models import EnergyPredictor
from search.services.energy import start_energy_predictor


@require_http_methods(["GET", "POST"])
def energy_new(request: HttpRequest, device_id: UUID) -> HttpResponse:
    """The form for measured energies of a device."""
    device = get_object_or_404(Device.objects.owned_by(request.user), pk=device_id)
    form = EnergyForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        return redirect(start_energy_predictor(owner=request.user, device=device, **form.cleaned_data))
    context = {"form": form, "device": device}
    return render(request, "search/energy_form.html", context, status=422 if form.errors else 200)


@require_GET
def energy_page(request: HttpRequest, energy_id: UUID) -> HttpResponse:
    rows = EnergyPredictor.objects.owned_by(request.user).select_related(
        "run", "device", "space", "table__device"
    )
    energy = get_object_or_404(rows, pk=energy_id)
    quality = energy.quality or {}
    names = ("measured", "predicted", "low", "high")
    context = {
        "object": energy,
        "energy": energy,
        "run": energy.run,
        "quality": energy.quality,
        "state": {
            "run": run_state(energy.run),
            "scatter": [dict(zip(names, row, strict=True)) for row in quality.get("scatter", [])],
        },
    }
    return render(request, "search/energy.html", context)
