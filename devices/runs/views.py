"""Actions on runs, and their logs."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from devices.runs import services
from devices.runs.forms import RunNoticeForm
from devices.runs.models import Run
from devices.runs.ownership import owner_of
from devices.runs.queries import log_lines

ACTIONS: dict[str, tuple[Callable[[Run], bool], str]] = {
    "pause": (services.pause, "Paused. What is at work now ends first."),
    "resume": (services.resume, "Resumed."),
    "cancel": (services.cancel, "Cancelled."),
    "stop": (services.stop_early, "It will end with what it has."),
    "retry": (services.retry, "Trying again, from what was finished."),
}


@require_POST
def act(request: HttpRequest, run_id: UUID, action: str) -> HttpResponse:
    """Pause, resume, cancel, stop early or try again; then back to where the person was."""
    run = _run(request, run_id)
    if action not in ACTIONS:
        raise Http404
    service, said = ACTIONS[action]
    if service(run):
        messages.success(request, said)
    else:
        run.refresh_from_db()
        messages.info(request, f"Nothing was changed: “{run.title}” is {run.get_status_display().lower()}.")
    return redirect("run", run_id=run.pk)


@require_POST
def notify(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Sets when the end of this run is told."""
    run = _run(request, run_id)
    form = RunNoticeForm(request.POST)
    if not form.is_valid():
        raise Http404
    services.notify(run, form.cleaned_data["notify"])
    messages.success(request, "The notice of this run's end is set.")
    return redirect("run", run_id=run.pk)


@require_GET
def log(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The run's history as a text file."""
    run = _run(request, run_id)
    response = HttpResponse("\n".join([*log_lines(run), ""]), content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="run-{run.pk}.log"'
    return response


def run_state(run: Run) -> dict[str, object]:
    """What a page needs to draw a run and to follow it from here on."""
    return {
        "id": str(run.pk),
        "title": run.title,
        "status": run.status,
        "done": run.done,
        "total": run.total,
        "message": run.message,
        "reason": run.reason,
        "seconds_left": run.seconds_left,
        "seq": run.last_seq,
        "socket": f"/ws/runs/{run.pk}/",
    }


def _run(request: HttpRequest, run_id: UUID) -> Run:
    found: Run = get_object_or_404(
        Run.objects.owned_by(owner_of(request)).select_related("parent"), pk=run_id
    )
    return found
