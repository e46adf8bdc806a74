"""Studies, and quick start."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from devices.api.answers import Line, Linked, Page, Window, With, checked, filled, page_of
from devices.api.runs import RunFacts
from devices.runs.models import Run
from devices.runs.ownership import owner_of
from search.forms.studies import MOST_LIMITS, StudyForm
from search.models import Study
from search.services.quickstart import start_quickstart
from search.services.studies import start_study

router = Router(tags=["studies"])
quickstart = Router(tags=["quick start"])


class StudyFacts(Linked):
    """Whether adapting networks beats scaling them, at the same latency."""

    id: UUID
    name: str
    predictor_id: UUID
    asked_table_id: UUID
    table_id: UUID | None
    recipe_id: str
    limits: list[float] = Field(description="Milliseconds, tightest first.")
    seeds: list[int]
    confidence: float
    created_at: datetime
    run: RunFacts


class StudyDetail(StudyFacts):
    """A study with what was found at every limit."""

    result: list[dict[str, Any]] | None
    models: list[UUID]


class NewStudy(Schema):
    """Which networks are compared, where, and how they are trained."""

    name: Line
    predictor: UUID
    table: UUID
    limits: list[float] = Field(min_length=1, max_length=MOST_LIMITS, description="Milliseconds.")
    recipe: Line = Field(description="Name of a preset recipe, or a recipe's id.")
    seeds: int = 3
    confidence: float = 0.9
    population: int = 96
    generations: int = 100


@router.get("", response=Page[StudyFacts])
def list_studies(request: HttpRequest, window: Query[Window]) -> Any:
    """List studies, the newest first."""
    rows = Study.objects.owned_by(owner_of(request)).select_related("run").defer("result")
    return page_of(request, rows.order_by("-created_at", "-pk"), window)


@router.post("", response={201: StudyFacts})
def begin_study(request: HttpRequest, data: NewStudy) -> Any:
    """Begin a study."""
    owner = owner_of(request)
    fields = filled(data) | {"limits": " ".join(f"{limit:.12g}" for limit in data.limits)}
    return Status(201, start_study(owner=owner, **checked(StudyForm(fields, owner=owner))))


@router.get("/{uuid:study_id}", response=StudyDetail)
def get_study(request: HttpRequest, study_id: UUID) -> Any:
    """Get a study with what it found."""
    rows = Study.objects.owned_by(owner_of(request)).select_related("run")
    row = get_object_or_404(rows, pk=study_id)
    models = list(row.trained_models.order_by("created_at").values_list("pk", flat=True))
    return With(row, models=models)


@quickstart.post("", response={200: RunFacts, 201: RunFacts})
def begin_quickstart(request: HttpRequest) -> Any:
    """Begin quick start: the whole chain on this machine; or find the one that runs."""
    owner = owner_of(request)
    running = Run.objects.owned_by(owner).filter(kind="quickstart").unfinished().first()
    if running is not None:
        return Status(200, running)
    return Status(201, start_quickstart(owner=owner).run)
