"""Runs: the common life of every long job, and its events."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema

from devices.api.answers import FURTHEST, Linked, Page, Refused, Text, Window, file_answer, page_of
from devices.api.events import frames, has_room
from devices.runs.models import Event, Run
from devices.runs.ownership import owner_of
from devices.runs.queries import BATCH, log_lines
from devices.runs.views import ACTIONS

router = Router(tags=["runs"])


class RunFacts(Linked):
    """How far a long job is."""

    id: UUID
    kind: str
    title: str
    status: Run.Status
    done: int
    total: int | None = Field(description="Null while the amount of work is unknown.")
    message: str
    reason: str = Field(description="Why it failed.")
    seconds: float | None
    seconds_left: float | None = Field(description="About how long, or null.")
    last_seq: int = Field(description="Number of its newest event.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RunFilter(Window):
    kind: Text = ""
    status: Run.Status | None = None
    unfinished: bool = Field(default=False, description="Only those that have not ended.")


class EventFacts(Schema):
    """One line of a run's history."""

    v: int = 1
    run: UUID = Field(alias="run_id")
    seq: int
    kind: str
    at: datetime
    data: dict[str, Any]


class EventWindow(Schema):
    after: int = Field(default=0, ge=0, le=FURTHEST, description="The number of the last event known.")
    limit: int = Field(default=100, ge=1, le=BATCH)


class Events(Schema):
    """The next events of a run, in order."""

    items: list[EventFacts]
    last_seq: int = Field(description="Ask for those after this number next.")
    is_final: bool = Field(description="The run has ended and these are its last events.")


@router.get("", response=Page[RunFacts])
def list_runs(request: HttpRequest, window: Query[RunFilter]) -> Any:
    """List runs, the newest first."""
    rows = Run.objects.owned_by(owner_of(request)).order_by("-created_at", "-pk")
    if window.kind:
        rows = rows.filter(kind=window.kind)
    if window.status is not None:
        rows = rows.filter(status=window.status)
    return page_of(request, rows.unfinished() if window.unfinished else rows, window)


@router.get("/{uuid:run_id}", response=RunFacts)
def get_run(request: HttpRequest, run_id: UUID) -> Any:
    """Get a run."""
    return _run(request, run_id)


@router.post("/{uuid:run_id}/actions/{action}", response=RunFacts)
def act_on_run(request: HttpRequest, run_id: UUID, action: str) -> Any:
    """Pause, resume, cancel, stop or retry a run."""
    run = _run(request, run_id)
    if action not in ACTIONS:
        raise Refused(404, f"What can be done to a run is {', '.join(ACTIONS)}.")
    if not ACTIONS[action][0](run):
        run.refresh_from_db()
        raise Refused(409, f"Nothing was changed: “{run.title}” is {run.get_status_display().lower()}.")
    return _run(request, run_id)


@router.get("/{uuid:run_id}/log", response={200: None}, openapi_extra=file_answer("text/plain"))
def get_log(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Get a run's history as text, a line an event."""
    lines = log_lines(_run(request, run_id))
    return HttpResponse("\n".join([*lines, ""]), content_type="text/plain; charset=utf-8")


@router.get("/{uuid:run_id}/events", response=Events, openapi_extra=file_answer("text/event-stream"))
def get_events(
    request: HttpRequest,
    run_id: UUID,
    window: Query[EventWindow],
) -> Any:
    """Get a run's events after a number.

    With `Accept: text/event-stream` they are sent as they come, until the run has ended: the `id` of each is
    its number, and `Last-Event-ID` goes on after one.
    """
    run = _run(request, run_id)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return _stream(request, run, window.after)
    events = list(Event.objects.filter(run=run, seq__gt=window.after).order_by("seq")[: window.limit])
    last = events[-1].seq if events else window.after
    return {"items": events, "last_seq": last, "is_final": run.is_final and last >= run.last_seq}


def _stream(request: HttpRequest, run: Run, after: int) -> HttpResponseBase:
    last = request.headers.get("Last-Event-ID", "")
    if last.isascii() and last.isdecimal() and len(last) < 10:
        after = int(last)
    access: Any = request.auth  # type: ignore[attr-defined]  # what let the request in
    if not has_room(access.key):
        raise Refused(429, "Too many streams are open: ask for events without one, or a little later.")
    told = frames(run.pk, after, key=access.key, find_owner=access.find_owner)
    response = StreamingHttpResponse(told, content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.headers["Content-Encoding"] = "identity"  # compressing would hold events back
    return response


def _run(request: HttpRequest, run_id: UUID) -> Run:
    return get_object_or_404(Run.objects.owned_by(owner_of(request)), pk=run_id)
