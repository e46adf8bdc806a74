"""Predictors of accuracy."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from devices.api.answers import (
    File,
    Line,
    Linked,
    Page,
    Refused,
    Text,
    Window,
    With,
    checked,
    filled,
    page_of,
)
from devices.api.files import sent
from devices.api.runs import RunFacts
from devices.runs.ownership import owner_of
from search.forms.predictors import PredictorForm, PredictorImportForm
from search.models import Predictor, Probe, Proposal
from search.queries import recipe_name, stale_predictors
from search.services.catalogue import space_for
from search.services.datasets import dataset_of
from search.services.predictors import import_predictor, refit_predictor, start_predictor
from search.services.probes import estimate, find_probe, is_timing, start_probe, why_none

router = Router(tags=["predictors"])


class PredictorFacts(Linked):
    """A version of an accuracy predictor."""

    id: UUID
    name: str
    space: str
    space_id: str
    dataset: str
    recipe: str
    recipe_id: str
    origin: Predictor.Origin
    seed: int
    budget: int
    initial: int
    created_at: datetime
    run: RunFacts

    @staticmethod
    def resolve_space(row: Predictor) -> str:
        return row.space.name

    @staticmethod
    def resolve_recipe(row: Predictor) -> str:
        return row.recipe_name


class PredictorDetail(PredictorFacts):
    """A predictor with its quality on held-out samples and what it learned of each hyperparameter."""

    source_id: UUID | None
    stop_error: float | None
    stop_minutes: int | None
    quality: dict[str, Any] | None
    genes: list[Any] | None
    stale: list[str] = Field(description="Why it is no longer what would be built today.")


class SampleFacts(Schema):
    """A trained network: why it was chosen, what was predicted, and its validation accuracy from 0 to 1."""

    index: int
    status: str
    accuracy: float | None
    seconds: float | None
    chosen_for: str
    reason: str
    predicted: float | None
    deviation: float | None
    architecture: str
    genes: list[int]
    failure: str


class Chosen(Schema):
    """A space, a data set and a recipe."""

    space: Text = Field(description="Name of a preset space.")
    dataset: Text = Field(description="Key of a data set.")
    recipe: Text = Field(default="seconds", description="Name of a preset recipe, or a recipe's id.")


class ChosenBuild(Chosen):
    """A space, a data set and a recipe, and how many networks are trained."""

    budget: int = Field(default=40, ge=1, le=5000)


class NewPredictor(Chosen):
    """What a predictor is built from."""

    name: Line
    budget: int = 40
    initial: int = 12
    seed: int = 0
    stop_error: float | None = Field(default=None, description="Points of accuracy.")
    stop_minutes: int | None = None
    source: UUID | None = Field(default=None, description="A predictor to warm-start from.")


class PredictorFile(Schema):
    """Architectures that were trained elsewhere."""

    name: Line
    space: Line = Field(description="Name of a preset space.")
    dataset: Line = Field(description="Key of a data set.")
    origin: Line = Field(description="Where the accuracies come from.")
    csv: File = Field(description="A column for every hyperparameter, and accuracy or accuracy_percent.")


class Estimate(Schema):
    """What a build would take, in seconds; all null while that is not known."""

    is_running: bool = Field(description="Some steps are being timed: ask again.")
    problem: str = Field("", description="Why the last timing ended without an estimate.")
    sample: float | None = None
    least: float | None = None
    most: float | None = None
    build: float | None = None
    workers: int | None = None


@router.get("", response=Page[PredictorFacts])
def list_predictors(request: HttpRequest, window: Query[Window]) -> Any:
    """List accuracy predictors, the newest first."""
    rows = Predictor.objects.owned_by(owner_of(request)).select_related("run", "space")
    rows = rows.annotate(recipe_name=recipe_name())
    return page_of(request, rows.defer("fitted", "quality", "genes").order_by("-created_at", "-pk"), window)


@router.post("", response={201: PredictorFacts})
def build_predictor(request: HttpRequest, data: NewPredictor) -> Any:
    """Begin to build an accuracy predictor."""
    owner = owner_of(request)
    return Status(201, start_predictor(owner=owner, **checked(PredictorForm(filled(data), owner=owner))))


@router.post("/import", response={201: PredictorFacts})
def import_samples(request: HttpRequest, data: PredictorFile) -> Any:
    """Make a predictor of architectures that were trained elsewhere."""
    owner = owner_of(request)
    form = PredictorImportForm(filled(data), {"file": sent("samples.csv", data.csv)}, owner=owner)
    return Status(201, import_predictor(owner=owner, **checked(form)))


@router.get("/estimate", response=Estimate)
def get_estimate(request: HttpRequest, chosen: Query[ChosenBuild]) -> Any:
    """Get what building a predictor would take, as far as that was timed."""
    return _estimated(_probe(request, chosen, find_probe), chosen.budget)


@router.post("/estimate", response={202: Estimate})
def begin_estimate(request: HttpRequest, data: Chosen) -> Any:
    """Begin to time a few training steps, for an estimate of a build."""
    return Status(202, _estimated(_probe(request, data, start_probe), 40))


@router.get("/{uuid:predictor_id}", response=PredictorDetail)
def get_predictor(request: HttpRequest, predictor_id: UUID) -> Any:
    """Get an accuracy predictor."""
    row = _predictor(request, predictor_id)
    return With(row, stale=stale_predictors([row]).get(row.pk, []))


@router.get("/{uuid:predictor_id}/samples", response=Page[SampleFacts])
def list_samples(request: HttpRequest, predictor_id: UUID, window: Query[Window]) -> Any:
    """List a predictor's samples, in the order they were asked for."""
    rows = _predictor(request, predictor_id).proposals.select_related("sample").order_by("index")
    return page_of(request, rows, window, lambda found: [_sample(one) for one in found])


@router.post("/{uuid:predictor_id}/refit", response={201: PredictorFacts})
def refit(request: HttpRequest, predictor_id: UUID) -> Any:
    """Begin the next version of a predictor, fitted to all samples there are."""
    try:
        return Status(201, refit_predictor(_predictor(request, predictor_id)))
    except ValueError as error:
        raise Refused(409, str(error)) from error


def _sample(proposal: Proposal) -> dict[str, Any]:
    sample = proposal.sample
    facts = {
        name: getattr(proposal, name) for name in ("index", "chosen_for", "reason", "predicted", "deviation")
    }
    facts |= {name: getattr(sample, name) for name in ("status", "accuracy", "seconds", "genes")}
    return facts | {"architecture": sample.architecture_id, "failure": sample.reason}


def _probe(request: HttpRequest, chosen: Chosen, ask: Any) -> Any:
    owner = owner_of(request)
    try:
        known = dataset_of(owner, chosen.dataset)
        return ask(owner, space_for(chosen.space, known), known.name, chosen.recipe)
    except (ValueError, KeyError):
        raise Refused(422, "Choose a preset space, a data set and a recipe that there are.") from None


def _estimated(probe: Probe | None, budget: int) -> dict[str, Any]:
    standing = {"is_running": is_timing(probe), "problem": why_none(probe)}
    return standing | (estimate(probe, budget) or {})


def _predictor(request: HttpRequest, predictor_id: UUID) -> Predictor:
    rows = Predictor.objects.owned_by(owner_of(request)).select_related("run", "space", "recipe", "source")
    found: Predictor = get_object_or_404(rows, pk=predictor_id)
    return found
