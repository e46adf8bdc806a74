"""The REST API of devices: what agents speak, and tables in and out. A device's token is the key to it.

The layer is thin: every endpoint finds its rows, calls a service and shapes the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from ninja import NinjaAPI, Router, Schema, Status
from ninja.security import HttpBearer
from pydantic import Field

from devices import agents, services
from devices.forms import MOST_BYTES
from devices.models import DeviceToken, KernelFile, LatencyTable, NetworkMeasurement
from devices.tables.formats import EXTENSIONS, WRITERS, FormatError, read_table

SEEN_AGAIN_AFTER = timedelta(seconds=5)


class TokenAuth(HttpBearer):
    """Knows a device by its token, and notes that it was seen."""

    def authenticate(self, request: HttpRequest, token: str) -> DeviceToken | None:
        found = DeviceToken.find(token)
        if found is not None and (found.seen_at is None or timezone.now() - found.seen_at > SEEN_AGAIN_AFTER):
            found.seen_at = timezone.now()
            found.save(update_fields=["seen_at"])
        return found


class Problem(Schema):
    """Why a request was refused."""

    detail: str
    problems: list[str] = []


class Hello(Schema):
    """What an agent says of itself when it starts."""

    machine: dict[str, Any] = Field(description="Processor, system, engine and versions.")
    meters: list[dict[str, Any]] = Field(
        default=[], description="Energy meters it can read, with resolution."
    )


class DeviceFacts(Schema):
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


class TableFacts(Schema):
    """A version of a device's latency table."""

    id: UUID
    version: int
    space: str
    status: str
    operators: int
    url: str


api = NinjaAPI(
    title="ChamNet",
    version="1",
    description="Measure devices, and take their latency tables in and out.",
    docs_url=None,
    auth=TokenAuth(),
    urls_namespace="api",
)
agent = Router(tags=["agent"])
tables = Router(tags=["tables"])


@agent.post("/hello", response=DeviceFacts)
def hello(request: HttpRequest, data: Hello) -> Any:
    """Says that an agent is there, and asks how the device is to be measured."""
    return agents.hello(_token(request), data.machine, data.meters)


@agent.get("/work", response=Work)
def work(request: HttpRequest) -> Any:
    """What is measured next."""
    return agents.next_work(_token(request).device)


@agent.post("/tables/{table_id}/{number}", response={200: Counted, 422: Problem})
def take_timings(request: HttpRequest, table_id: UUID, number: int, data: Results) -> Any:
    """Takes the timings of an assignment of a table in. Sending them again changes nothing."""
    table = get_object_or_404(LatencyTable, pk=table_id, device=_token(request).device)
    return _counted(lambda: agents.take_timings(_token(request), table, number, data.values))


@agent.post("/networks/{network_id}", response={200: Counted, 422: Problem})
def take_network(request: HttpRequest, network_id: int, data: Results) -> Any:
    """Takes the measurements of a whole network in. Sending them again changes nothing."""
    row = get_object_or_404(NetworkMeasurement, pk=network_id, device=_token(request).device)
    return _counted(lambda: agents.take_network(_token(request), row, data.values, data.facts))


@agent.get("/files/{sha256}", response=None)
def kernel_file(request: HttpRequest, sha256: str) -> HttpResponse:
    """A file to measure, compressed with gzip; its name is the SHA-256 of what is sent."""
    row = KernelFile.objects.filter(sha256=sha256).first()
    if row is None:
        return HttpResponse(status=404)
    with row.file.open("rb") as file:
        response = HttpResponse(file.read(), content_type="application/gzip")
    response.headers["Content-Encoding"] = "identity"  # not to be compressed a second time on the way
    return response


@tables.get("", response=list[TableFacts])
def list_tables(request: HttpRequest) -> Any:
    """The versions of the device's table, newest first."""
    rows = _token(request).device.tables.select_related("run", "basis").order_by("-version")
    return [_facts(request, table) for table in rows]


@tables.post("", response={201: TableFacts, 413: Problem, 422: Problem})
def import_table(request: HttpRequest, name: str = "table") -> Any:
    """Takes a file in any known format (the request's body) in as the next version."""
    content = request.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        return Status(413, {"detail": f"The file is larger than {MOST_BYTES // 10**6} MB."})
    try:
        table = read_table(content.decode("utf-8"))
    except UnicodeDecodeError:
        return Status(422, {"detail": "This is no text file."})
    except FormatError as error:
        return Status(422, {"detail": "Nothing of the file was stored.", "problems": error.problems})
    imported = services.import_table(device=_token(request).device, table=table, name=name)
    return Status(201, _facts(request, imported))


@tables.get("/{table_id}/export/{file_format}", response={422: Problem})
def export_table(request: HttpRequest, table_id: UUID, file_format: str) -> Any:
    """A table as a file: csv, jsonl, or the foreign format it came in."""
    table = get_object_or_404(LatencyTable, pk=table_id, device=_token(request).device)
    if file_format not in WRITERS:
        return Status(422, {"detail": f"Known formats are {', '.join(WRITERS)}."})
    try:
        text = "".join(WRITERS[file_format](services.table_file(table)))
    except FormatError as error:
        return Status(422, {"detail": str(error)})
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    name = f"table-{table.version}.{EXTENSIONS[file_format]}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _token(request: HttpRequest) -> DeviceToken:
    found: DeviceToken = request.auth  # type: ignore[attr-defined]  # what TokenAuth gave
    return found


def _counted(take: Callable[[], bool]) -> Any:
    try:
        return {"counted": take()}
    except ValueError as error:
        return Status(422, {"detail": str(error)})


def _facts(request: HttpRequest, table: LatencyTable) -> dict[str, Any]:
    return {
        "id": table.pk,
        "version": table.version,
        "space": table.space_name,
        "status": table.run.status,
        "operators": table.rows.count(),
        "url": request.build_absolute_uri(reverse("table", args=[table.pk])),
    }


api.add_router("/agent", agent)
api.add_router("/tables", tables)
