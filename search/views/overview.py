"""The first page, quick start, and the way from a run to its page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from devices.exports import Export, export_asked
from devices.listing import list_response
from devices.runs.models import Run
from devices.runs.ownership import owner_of
from devices.runs.views import run_state
from search import overview as first_page
from search.lists import kind_label, runs
from search.models import QuickStart
from search.queries import steps_to_a_file
from search.services.quickstart import stage_runs, start_quickstart


@require_GET
def overview(request: HttpRequest) -> HttpResponseBase:
    """What runs, what failed, what ended, what there is, and what to do next."""
    owner = owner_of(request)
    recent = first_page.recent_runs(owner)[: first_page.MOST_RECENT]
    if file := export_asked(request, lambda: {"recent": _recent_file(recent)}):
        return file
    active, failed = first_page.active_runs(owner), first_page.failures(owner)
    there = first_page.counts(owner)
    context = {
        "active_runs": active[: first_page.MOST_ACTIVE],
        "active_count": active.count(),
        "failures": first_page.with_remedies(failed[: first_page.MOST_FAILED]),
        "failure_count": failed.count(),
        "recent_runs": recent,
        "devices": first_page.devices_measured_last(owner),
        "datasets": first_page.newest_datasets(owner),
        "studies": first_page.newest_studies(owner),
        "counts": there,
        "next": first_page.next_step(owner, there),
        "way": steps_to_a_file(owner),
    }
    return render(request, "overview.html", context)


def _recent_file(rows: Iterable[Run]) -> Export:
    head = ("run", "kind", "status", "message", "finished_at", "seconds")
    return Export(
        "finished-lately",
        head,
        lambda: (
            (one.title, one.kind, one.status, one.message, one.finished_at, one.seconds) for one in rows
        ),
    )


@require_POST
def quickstart_new(request: HttpRequest) -> HttpResponse:
    running = Run.objects.owned_by(owner_of(request)).filter(kind="quickstart").unfinished().first()
    return redirect("run", run_id=running.pk if running else start_quickstart(owner=owner_of(request)).run_id)


@require_GET
def quickstart_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    quickstart = get_object_or_404(
        QuickStart.objects.select_related("run", "table__run", "predictor__run", "search__run", "model__run"),
        run_id=run_id,
        run__owner=owner_of(request),
    )
    stages: list[dict[str, Any]] = [
        {
            "label": stage,
            "status": run.status if run else "waiting",
            "url": run.get_absolute_url() if run else None,
            "seconds": run.seconds if run else None,
            "message": run.message if run else "",
            "run": run,
        }
        for stage, run in stage_runs(quickstart)
    ]
    context = {
        "object": quickstart,
        "run": quickstart.run,
        "stages": stages,
        "model": quickstart.model,
        "state": {
            "run": run_state(quickstart.run),
            "runs": [run_state(stage["run"]) for stage in stages if stage["run"]],
        },
    }
    return render(request, "search/quickstart.html", context)


@require_GET
def run_list(request: HttpRequest) -> HttpResponseBase:
    """Every long job there was."""
    rows = Run.objects.owned_by(owner_of(request))
    return list_response(request, runs(owner_of(request)), rows, "runs.html", prepare=_with_kinds)


def _with_kinds(rows: Sequence[Any]) -> None:
    for run in rows:
        run.kind_label = kind_label(run)


@require_GET
def run_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Leads to the page of whatever the run works on."""
    run = get_object_or_404(Run.objects.owned_by(owner_of(request)), pk=run_id)
    if run.kind == "quickstart":
        return redirect("quickstart-run", run_id=run.pk)
    try:
        return redirect(getattr(run, run.kind))
    except ObjectDoesNotExist:
        raise Http404 from None
