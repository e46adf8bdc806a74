"""Trained models, their files and what was measured of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from devices.api.answers import (
    Line,
    Linked,
    Page,
    Refused,
    Window,
    With,
    checked,
    content_of,
    file_answer,
    file_body,
    filled,
    page_of,
)
from devices.api.files import attachment
from devices.api.runs import RunFacts
from devices.runs.ownership import owner_of
from search.api.searches import candidate_of
from search.forms.searches import LicenceForm, ModelForm
from search.models import ModelFile, TrainedModel
from search.queries import whole_models
from search.services.cards import card_sections, class_results
from search.services.inference import MOST_BYTES, TryError, classify
from search.services.models import start_model
from search.services.timings import start_timing, timeable_devices
from search.training.card import model_card

router = Router(tags=["models"])
candidates = Router(tags=["candidates"])


class ModelFacts(Linked):
    """A network that was trained to the end: what was measured of it."""

    id: UUID
    candidate_id: UUID | None
    study_id: UUID | None
    recipe_id: str
    seed: int
    validation_accuracy: float | None
    test_accuracy: float | None
    test_images: int | None
    latency_ms: float | None
    latency_p50_ms: float | None
    licence: str
    created_at: datetime
    run: RunFacts


class EpochFacts(Schema):
    """One epoch of a training."""

    number: int
    loss: float
    validation_accuracy: float | None
    seconds: float


class FileFacts(Schema):
    """A file of a model; it is offered where it has no problem."""

    format: str
    name: str | None
    sha256: str
    size_bytes: int | None
    accuracy: float | None
    max_difference: float | None
    latency_ms: float | None
    problem: str

    @staticmethod
    def resolve_name(row: ModelFile) -> str | None:
        return row.download_name if row.sha256 else None


class TimingFacts(Schema):
    """A model's latency on a device, beside what was predicted."""

    device_id: UUID
    format: str
    latency_ms: float | None
    latency_p50_ms: float | None
    predicted_ms: float | None
    created_at: datetime
    run: RunFacts


class ModelDetail(ModelFacts):
    """A model with its epochs and files."""

    epochs: list[EpochFacts]
    files: list[FileFacts]
    is_verified: bool


class NewModel(Schema):
    """How a candidate is trained to the end."""

    recipe: Line = Field(default="minutes-final", description="Name of a preset for final models, or an id.")
    seed: int = 0


class NewTiming(Schema):
    """Where a model is timed."""

    device_id: UUID


class Licence(Schema):
    """A licence's name; empty where none is stated."""

    licence: Line


class Answer(Schema):
    """What a model takes an image for."""

    facts: dict[str, Any]


@candidates.post("/{uuid:candidate_id}/train", response={201: ModelFacts})
def train_candidate(request: HttpRequest, candidate_id: UUID, data: NewModel) -> Any:
    """Begin the final training of a candidate."""
    candidate, owner = candidate_of(request, candidate_id), owner_of(request)
    chosen = checked(ModelForm(filled(data), owner=owner))
    return Status(201, start_model(owner=owner, network=candidate, **chosen))


@router.get("", response=Page[ModelFacts])
def list_models(request: HttpRequest, window: Query[Window]) -> Any:
    """List trained models, the newest first."""
    rows = TrainedModel.objects.owned_by(owner_of(request)).select_related("run").defer("results")
    return page_of(request, rows.order_by("-created_at", "-pk"), window)


@router.get("/{uuid:model_id}", response=ModelDetail)
def get_model(request: HttpRequest, model_id: UUID) -> Any:
    """Get a trained model with its epochs and files."""
    row = _model(request, model_id)
    return With(row, epochs=list(row.epochs.all()), files=list(row.files.all()))


@router.get(
    "/{uuid:model_id}/files/{file_format}",
    response={200: None},
    openapi_extra=file_answer("application/octet-stream"),
)
def download_file(request: HttpRequest, model_id: UUID, file_format: str) -> HttpResponseBase:
    """Download a verified file of a model; its SHA-256 is in the header X-Content-SHA256."""
    model = _model(request, model_id)
    row = None
    if file_format in ModelFile.Format.values:
        row = model.files.filter(format=file_format, problem="").first()
    if row is None or not model.is_verified:
        raise Refused(404, "This model has no such file.")
    response = attachment(request, row.file, row.download_name)
    response.headers["X-Content-SHA256"] = row.sha256
    return response


@router.get("/{uuid:model_id}/card", response={200: None}, openapi_extra=file_answer("text/markdown"))
def get_card(request: HttpRequest, model_id: UUID) -> HttpResponse:
    """Get a model's card, in Markdown."""
    model = _model(request, model_id)
    first = model.torchscript
    if not model.is_verified or first is None:
        raise Refused(404, "This model has no card yet.")
    architecture = model.network.architecture
    text = model_card(
        f"{architecture.space.name} for {model.network.device.name}",
        card_sections(model),
        layers=architecture.layers,
        classes=class_results(model),
        file=first.download_name,
    )
    return HttpResponse(text, content_type="text/markdown; charset=utf-8")


@router.get("/{uuid:model_id}/timings", response=Page[TimingFacts])
def list_timings(request: HttpRequest, model_id: UUID, window: Query[Window]) -> Any:
    """List a model's timings on devices, the newest first."""
    rows = _model(request, model_id).timings.select_related("run").order_by("-created_at", "-pk")
    return page_of(request, rows, window)


@router.post("/{uuid:model_id}/timings", response={201: TimingFacts})
def time_model(request: HttpRequest, model_id: UUID, data: NewTiming) -> Any:
    """Begin to time a model on a device."""
    model = _model(request, model_id)
    devices = timeable_devices(model, owner_of(request))
    device = next((one for one in devices if one.pk == data.device_id), None)
    if device is None or not model.is_verified or model.preprocessing is None:
        raise Refused(409, "This device runs none of the model's files.")
    return Status(201, start_timing(model, device))


@router.put("/{uuid:model_id}/licence", response=ModelFacts)
def state_licence(request: HttpRequest, model_id: UUID, data: Licence) -> Any:
    """State a model's licence on its card."""
    model = _model(request, model_id)
    model.licence = checked(LicenceForm(filled(data)))["licence"]
    model.save(update_fields=["licence"])
    return model


@router.post(
    "/{uuid:model_id}/try", response=Answer, url_name="model-try", openapi_extra=file_body("image/*")
)
def try_model(request: HttpRequest, model_id: UUID) -> Any:
    """Ask a model what an image (the request's body) shows."""
    model = _model(request, model_id)
    try:
        answer = classify(model, content_of(request, MOST_BYTES))
    except TryError as error:
        raise Refused(422, str(error)) from error
    return {"facts": asdict(answer)}


def _model(request: HttpRequest, model_id: UUID) -> TrainedModel:
    found: TrainedModel = get_object_or_404(whole_models(owner_of(request)), pk=model_id)
    return found
