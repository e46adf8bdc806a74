"""Networks that others published, to stand beside one's own on charts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from devices.api.answers import File, Line, Page, Window, checked, filled, page_of
from devices.api.files import sent
from devices.runs.ownership import owner_of
from search.forms.searches import PublishedForm
from search.models import PublishedSet

router = Router(tags=["searches"])


class PublishedFacts(Schema):
    """A list of published networks."""

    id: UUID
    name: str
    points: list[tuple[str, float, float]] = Field(description="Label, accuracy from 0 to 1, latency in ms.")
    created_at: datetime


class PublishedFile(Schema):
    """Networks with their accuracies and latencies."""

    name: Line
    csv: File = Field(description="A column accuracy or top1, and one of latencies.")
    latency: Line = Field(default="", description="Column of the latency, where there are several.")


@router.get("", response=Page[PublishedFacts])
def list_published(request: HttpRequest, window: Query[Window]) -> Any:
    """List the published networks that were taken in."""
    rows = PublishedSet.objects.owned_by(owner_of(request)).order_by("name", "pk")
    return page_of(request, rows, window)


@router.post("", response={201: PublishedFacts})
def take_published(request: HttpRequest, data: PublishedFile) -> Any:
    """Take published networks in, for the charts of searches."""
    owner = owner_of(request)
    form = PublishedForm(filled(data), {"file": sent("published.csv", data.csv)}, owner=owner)
    chosen = checked(form)
    points = [[one.label, one.accuracy, one.latency_ms] for one in chosen["networks"]]
    return Status(201, PublishedSet.objects.create(owner=owner, name=chosen["name"], points=points))
