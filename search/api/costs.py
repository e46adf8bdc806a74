"""Predictors of what whole networks cost on a device: energy and latency."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from devices.api.answers import File, Line, Linked, Page, Refused, Window, checked, filled, page_of
from devices.api.devices import device_of
from devices.api.files import sent
from devices.api.runs import RunFacts
from devices.runs.ownership import owner_of
from search.forms.devices import CostImportForm, CostMeasureForm
from search.models import CostPredictor
from search.services.costs import import_costs, measure_costs

router = Router(tags=["costs"])


class CostFacts(Linked):
    """A version of a device's predictor of energy or latency over whole networks."""

    id: UUID
    device_id: UUID
    space: str
    space_id: str
    quantity: CostPredictor.Quantity
    unit: str
    version: int
    meter: str
    budget: int | None
    created_at: datetime
    run: RunFacts

    @staticmethod
    def resolve_space(row: CostPredictor) -> str:
        return row.space.name


class CostDetail(CostFacts):
    """A cost predictor with its quality on held-out networks."""

    quality: dict[str, Any] | None
    networks: int = Field(description="How many were measured.")

    @staticmethod
    def resolve_networks(row: CostPredictor) -> int:
        return len(row.measurements)


class NewCost(Schema):
    """Networks that the sampler picks and the device measures."""

    quantity: CostPredictor.Quantity
    space: Line = Field(description="A space's id.")
    budget: int = 24


class CostFile(Schema):
    """Networks that were measured elsewhere."""

    quantity: CostPredictor.Quantity
    space: Line = Field(description="A space's id.")
    meter: Line = Field(description="What measured them.")
    csv: File = Field(description="A column for every hyperparameter, and energy_mj or latency_ms.")


class CostFilter(Window):
    quantity: CostPredictor.Quantity | None = None
    device_id: UUID | None = None


@router.get("/costs", response=Page[CostFacts])
def list_costs(request: HttpRequest, window: Query[CostFilter]) -> Any:
    """List predictors of energy and latency, the newest first."""
    rows = CostPredictor.objects.owned_by(owner_of(request)).select_related("run", "space")
    if window.quantity is not None:
        rows = rows.filter(quantity=window.quantity)
    if window.device_id is not None:
        rows = rows.filter(device=window.device_id)
    return page_of(request, rows.defer("fitted", "measurements").order_by("-created_at", "-pk"), window)


@router.get("/costs/{uuid:cost_id}", response=CostDetail)
def get_cost(request: HttpRequest, cost_id: UUID) -> Any:
    """Get a predictor of energy or latency."""
    rows = CostPredictor.objects.owned_by(owner_of(request)).select_related("run", "space")
    return get_object_or_404(rows, pk=cost_id)


@router.post("/devices/{uuid:device_id}/costs", response={201: CostFacts})
def measure_cost(request: HttpRequest, device_id: UUID, data: NewCost) -> Any:
    """Begin a predictor of energy or latency that the device measures networks for."""
    device, owner = device_of(request, device_id), owner_of(request)
    chosen = checked(CostMeasureForm(filled(data), owner=owner))
    try:
        return Status(201, measure_costs(owner=owner, device=device, **chosen))
    except ValueError as error:
        raise Refused(409, str(error)) from error


@router.post("/devices/{uuid:device_id}/costs/import", response={201: CostFacts})
def import_cost(request: HttpRequest, device_id: UUID, data: CostFile) -> Any:
    """Make a predictor of energy or latency from networks that were measured elsewhere."""
    device, owner = device_of(request, device_id), owner_of(request)
    form = CostImportForm(filled(data), {"file": sent("networks.csv", data.csv)}, owner=owner)
    return Status(201, import_costs(owner=owner, device=device, **checked(form)))
