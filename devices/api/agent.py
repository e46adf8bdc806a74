"""What agents speak. A device's token is the key to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import P, PathEx, Router, Schema
from ninja.security import HttpBearer
from pydantic import Field

from devices import agents
from devices.api.answers import FURTHEST, Refused, Text, file_answer
from devices.api.files import attachment
from devices.models import DeviceToken, KernelFile, LatencyTable, NetworkMeasurement

SEEN_AGAIN_AFTER = timedelta(seconds=5)


class DeviceAuth(HttpBearer):
    """Knows a device by its token, and notes that it was seen."""

    def authenticate(self, request: HttpRequest, token: str) -> DeviceToken | None:
        found = DeviceToken.find(token)
        if found is not None and (found.seen_at is None or timezone.now() - found.seen_at > SEEN_AGAIN_AFTER):
            found.seen_at = timezone.now()
            found.save(update_fields=["seen_at"])
        return found


class Hello(Schema):
    """What an agent says of itself when it starts."""

    machine: dict[str, Any] = Field(description="Processor, system, engine and versions.")
    meters: list[dict[str, Any]] = Field(
        default=[], description="Energy meters it can read, with resolution."
    )


class DeviceSettings(Schema):
    """How the device is to be measured."""

    name: str
    engine: str
    data_type: str
    threads: int
    batch_size: int


class Item(Schema):
    """One file to measure."""

    name: str
    url: str
    sha256: str
    size: int = Field(description="Bytes of the file, which is compressed with gzip.")
    inputs: list[list[int]] = Field(description="Shapes of its inputs, without the batch.")


class Work(Schema):
    """What an agent is to do next. Without items there is nothing now: ask again after `wait_seconds`."""

    message: str
    wait_seconds: float = 0
    idle: bool = Field(default=False, description="Nothing is under way: an agent may end.")
    quantity: str = Field(default="latency", description="latency or energy")
    results: str = Field(default="", description="Address that the results are sent to.")
    title: str = ""
    done: int = 0
    total: int | None = None
    items: list[Item] = []


class Results(Schema):
    """Repeated measurements by item: microseconds of one call, or millijoules of one image."""

    values: dict[str, list[float]]
    facts: dict[str, Any] = Field(default={}, description="Of the meter: name, resolution, idle power.")


class Counted(Schema):
    """Whether results were taken in; those sent a second time are not."""

    counted: bool


router = Router(tags=["agent"])


@router.post("/hello", response=DeviceSettings)
def hello(request: HttpRequest, data: Hello) -> Any:
    """Says that an agent is there, and asks how the device is to be measured."""
    return agents.hello(_token(request), data.machine, data.meters)


@router.get("/work", response=Work)
def work(request: HttpRequest) -> Any:
    """What is measured next."""
    return agents.next_work(_token(request).device)


@router.post("/tables/{uuid:table_id}/{number}", response=Counted)
def take_timings(
    request: HttpRequest, table_id: UUID, data: Results, number: PathEx[int, P(ge=0, le=FURTHEST)]
) -> Any:
    """Takes the timings of an assignment of a table in. Sending them again changes nothing."""
    table = get_object_or_404(LatencyTable, pk=table_id, device=_token(request).device)
    return _counted(lambda: agents.take_timings(_token(request), table, number, data.values))


@router.post("/networks/{network_id}", response=Counted)
def take_network(request: HttpRequest, data: Results, network_id: PathEx[int, P(ge=0, le=2**63 - 1)]) -> Any:
    """Takes the measurements of a whole network in. Sending them again changes nothing."""
    row = get_object_or_404(NetworkMeasurement, pk=network_id, device=_token(request).device)
    return _counted(lambda: agents.take_network(_token(request), row, data.values, data.facts))


@router.get("/files/{sha256}", response={200: None}, openapi_extra=file_answer("application/gzip"))
def kernel_file(request: HttpRequest, sha256: Text) -> HttpResponseBase:
    """A file to measure, compressed with gzip; its name is the SHA-256 of what is sent."""
    row = KernelFile.objects.filter(sha256=sha256).first()
    if row is None:
        raise Refused(404, "There is no such file.")
    response = attachment(request, row.file, f"{sha256}.gz")
    response.headers["Content-Type"] = "application/gzip"
    response.headers["Content-Encoding"] = "identity"  # not to be compressed a second time on the way
    return response


def token_of(request: HttpRequest) -> DeviceToken | None:
    """The device's token that a request came with, if it is one."""
    found = getattr(request, "auth", None)
    return found if isinstance(found, DeviceToken) else None


def _token(request: HttpRequest) -> DeviceToken:
    found: DeviceToken = request.auth  # type: ignore[attr-defined]  # what DeviceAuth gave
    return found


def _counted(take: Callable[[], bool]) -> Any:
    try:
        return {"counted": take()}
    except ValueError as error:
        raise Refused(422, str(error)) from error
