"""Devices and the tokens of their agents."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status

from devices.api.answers import (
    Line,
    Linked,
    Page,
    Text,
    Window,
    With,
    checked,
    filled,
    page_of,
    told_once,
)
from devices.forms import DeviceForm
from devices.models import Device, DeviceToken
from devices.runs.ownership import owner_of

router = Router(tags=["devices"])


class DeviceFacts(Linked):
    """Hardware together with what runs on it."""

    id: UUID
    name: str
    kind: str
    engine: str
    data_type: str
    threads: int
    batch_size: int
    note: str
    is_this_machine: bool
    created_at: datetime


class NewDevice(Schema):
    """What a device is."""

    name: Line
    kind: Device.Kind
    engine: Device.Engine = Device.Engine.TORCHSCRIPT
    data_type: Device.DataType = Device.DataType.FLOAT32
    threads: int = 1
    batch_size: int = 1
    is_this_machine: bool = False
    note: str = Field(default="", max_length=10_000)


class DeviceFilter(Window):
    q: Text = Field(default="", description="Part of the name.")


class AgentToken(Schema):
    """A key for a device's agent; its text is told only when it is made."""

    id: int
    ending: str
    created_at: datetime
    seen_at: datetime | None
    is_connected: bool
    text: str | None = None


@router.get("", response=Page[DeviceFacts])
def list_devices(request: HttpRequest, window: Query[DeviceFilter]) -> Any:
    """List devices."""
    rows = Device.objects.owned_by(owner_of(request)).order_by("name", "pk")
    return page_of(request, rows.filter(name__icontains=window.q) if window.q else rows, window)


@router.post("", response={201: DeviceFacts})
def register_device(request: HttpRequest, data: NewDevice) -> Any:
    """Register a device."""
    form = DeviceForm(filled(data), owner=owner_of(request))
    checked(form)
    return Status(201, form.save())


@router.get("/{uuid:device_id}", response=DeviceFacts)
def get_device(request: HttpRequest, device_id: UUID) -> Any:
    """Get a device."""
    return device_of(request, device_id)


@router.get("/{uuid:device_id}/tokens", response=Page[AgentToken])
def list_agent_tokens(request: HttpRequest, device_id: UUID, window: Query[Window]) -> Any:
    """List the tokens of a device's agents."""
    return page_of(request, device_of(request, device_id).tokens.filter(revoked_at=None), window)


@router.post("/{uuid:device_id}/tokens", response={201: AgentToken})
def make_agent_token(request: HttpRequest, device_id: UUID) -> Any:
    """Make a token for an agent. The first answer is the only one that has its text."""
    token, text = DeviceToken.issue(device_of(request, device_id))
    told_once(request, "text")
    return Status(201, With(token, text=text))


@router.delete("/{uuid:device_id}/tokens/{int:token_id}", response={204: None})
def revoke_agent_token(request: HttpRequest, device_id: UUID, token_id: int) -> HttpResponse:
    """Revoke a token of an agent."""
    tokens = device_of(request, device_id).tokens.filter(revoked_at=None)
    token = get_object_or_404(tokens, pk=token_id)
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    return HttpResponse(status=204)


def device_of(request: HttpRequest, device_id: UUID) -> Device:
    """A device of the request's owner; there is no other."""
    return get_object_or_404(Device.objects.owned_by(owner_of(request)), pk=device_id)
