"""Pages about trained models, and their files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from devices.runs.views import run_state
from search.models import TrainedModel


@require_GET
def model_list(request: HttpRequest) -> HttpResponse:
    rows = TrainedModel.objects.owned_by(request.user).select_related(
        "run",
        "recipe",
        "candidate__search__table__device",
        "candidate__search__timing__device",
        "baseline__study__asked_table__device",
    )
    return render(request, "search/models.html", {"models": rows})


@require_GET
def model_page(request: HttpRequest, model_id: UUID) -> HttpResponse:
    model = _model(request, model_id)
    context = {
        "object": model,
        "model": model,
        "run": model.run,
        "network": model.network,
        "comparison": comparison(model),
        "card_text": model.card,
        "sha256": model.sha256,
        "state": {"run": run_state(model.run), "epochs": [epoch.as_json() for epoch in model.epochs.all()]},
    }
    return render(request, "search/model.html", context)


@require_GET
def model_file(request: HttpRequest, model_id: UUID) -> HttpResponseBase:
    """The verified TorchScript file, as an attachment named after its content."""
    model = _model(request, model_id)
    if not model.is_verified:
        raise Http404("This model has no verified file.")
    response = FileResponse(
        model.file.open("rb"),
        as_attachment=True,
        filename=model.download_name,
        content_type="application/octet-stream",
    )
    response.headers["X-Content-SHA256"] = model.sha256
    response.headers["Content-Encoding"] = "identity"  # compressing would hide the length and gain nothing
    return response


@require_GET
def model_card(request: HttpRequest, model_id: UUID) -> HttpResponse:
    model = _model(request, model_id)
    if not model.card:
        raise Http404("This model has no card yet.")
    response = HttpResponse(model.card, content_type="text/markdown; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="chamnet-{model.sha256[:12]}.md"'
    return response


def comparison(model: TrainedModel) -> list[dict[str, Any]]:
    """Predicted beside measured, as text; the two are never mixed."""
    network, candidate = model.network, model.candidate

    def share(value: float | None) -> str | None:
        return None if value is None else f"{100 * value:.2f} %"

    def milliseconds(value: float | None) -> str | None:
        return None if value is None else f"{value:.3f} ms"

    interval = candidate and f"{share(candidate.accuracy_low)} to {share(candidate.accuracy_high)}"
    return [
        {
            "label": "Accuracy (predicted for samples' validation; measured on test)",
            "predicted": share(candidate.accuracy if candidate else None),
            "interval": interval,
            "measured": share(model.test_accuracy),
        },
        {
            "label": f"Latency on {network.device.name}",
            "predicted": milliseconds(network.latency_ms),
            "interval": (
                f"{milliseconds(network.latency_low_ms)} to {milliseconds(network.latency_high_ms)}"
            ),
            "measured": milliseconds(model.latency_ms),
        },
    ]


def _model(request: HttpRequest, model_id: UUID) -> TrainedModel:
    rows = TrainedModel.objects.owned_by(request.user).select_related(
        "run",
        "recipe",
        "candidate__search__predictor__space",
        "candidate__search__table__device",
        "candidate__search__timing__device",
        "baseline__study__predictor",
        "baseline__study__asked_table__device",
        "study",
    )
    model: TrainedModel = get_object_or_404(rows, pk=model_id)
    return model
