"""Search spaces, and the tables that devices get for them."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from devices.api.answers import Line, Page, Refused, Window, checked, filled, page_of
from devices.api.devices import device_of
from devices.api.tables import TableFacts, counted
from devices.models import LatencyTable
from devices.runs.ownership import owner_of
from search.forms.devices import TableForm
from search.services.catalogue import measurable_spaces
from search.services.tables import build_table, complete_table, coverage_of
from search.spaces import SearchSpace

router = Router(tags=["spaces"])
tables = Router(tags=["tables"])


class SpaceFacts(Schema):
    """A search space; its id comes from its content."""

    id: str
    label: str = Field(description="Its name, and the data sets it fits.")
    name: str
    classes: int
    in_channels: int
    size: float = Field(description="About how many combinations its hyperparameters have.")


class GeneFacts(Schema):
    """A hyperparameter and what it can be."""

    name: str
    label: str
    choices: list[float]


class SpaceDetail(SpaceFacts):
    """A search space with its hyperparameters."""

    genes: list[GeneFacts]


class NewTable(Schema):
    """Which space a device is measured for."""

    space: Line = Field(description="A space's id.")


class SpaceCoverage(Schema):
    """How much of a space a table covers."""

    space: str
    label: str
    covered: int
    total: int
    share: float


class Completion(Schema):
    """What is done about the operators that a table lacks."""

    space: Line = Field(description="A space's id.")
    way: Literal["measure", "interpolate"] = "measure"


@router.get("", response=Page[SpaceFacts])
def list_spaces(request: HttpRequest, window: Query[Window]) -> Any:
    """List the search spaces that a device can be measured for."""
    known = measurable_spaces(owner_of(request))
    return page_of(request, [_facts(space, label) for space, label in known.values()], window)


@router.get("/{space_id}", response=SpaceDetail)
def get_space(request: HttpRequest, space_id: str) -> Any:
    """Get a search space."""
    space, label = _space(request, space_id)
    genes = [{"name": gene.name, "label": gene.label, "choices": list(gene.choices)} for gene in space.genes]
    return _facts(space, label) | {"genes": genes}


@tables.post("/devices/{uuid:device_id}/tables", response={201: TableFacts})
def build_latency_table(request: HttpRequest, device_id: UUID, data: NewTable) -> Any:
    """Begin to measure a device's latency table for a space."""
    device = device_of(request, device_id)
    chosen = checked(TableForm(filled(data), owner=owner_of(request)))
    try:
        table = build_table(device=device, space=chosen["space"])
    except ValueError as error:
        raise Refused(409, str(error)) from error
    return Status(201, counted([table])[0])


@tables.get("/tables/{uuid:table_id}/spaces", response=Page[SpaceCoverage])
def list_coverage(request: HttpRequest, table_id: UUID, window: Query[Window]) -> Any:
    """List how much of each search space a latency table covers."""
    found = coverage_of(_table(request, table_id), measurable_spaces(owner_of(request)))
    items = [
        {
            "space": one.space.id,
            "label": one.label,
            "covered": one.coverage.covered,
            "total": one.coverage.total,
            "share": one.coverage.share,
        }
        for one in found
    ]
    return page_of(request, items, window)


@tables.post("/tables/{uuid:table_id}/complete", response={201: TableFacts})
def complete_latency_table(request: HttpRequest, table_id: UUID, data: Completion) -> Any:
    """Begin a version of a latency table that also has what it lacks of a space."""
    table = _table(request, table_id)
    known = measurable_spaces(owner_of(request)).get(data.space)
    if known is None:
        raise Refused(422, "There is no such space.", ["space: There is no such space."])
    try:
        completed = complete_table(table=table, space=known[0], way=data.way)
    except ValueError as error:
        raise Refused(409, str(error)) from error
    return Status(201, counted([completed])[0])


def _space(request: HttpRequest, space_id: str) -> tuple[SearchSpace, str]:
    found = measurable_spaces(owner_of(request)).get(space_id)
    if found is None:
        raise Refused(404, "There is no such space.")
    return found


def _facts(space: SearchSpace, label: str) -> dict[str, Any]:
    size = 1.0
    for gene in space.genes:
        size *= len(gene.choices)
    return {
        "id": space.id,
        "label": label,
        "name": space.name,
        "classes": space.classes,
        "in_channels": space.in_channels,
        "size": size,
    }


def _table(request: HttpRequest, table_id: UUID) -> LatencyTable:
    rows = LatencyTable.objects.owned_by(owner_of(request)).usable().select_related("device", "basis")
    return get_object_or_404(rows, pk=table_id)
