"""Pages about trained models, and their files."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET, require_POST

from devices.exports import Export, export_asked, of_records
from devices.files import is_there, stored_attachment
from devices.listing import list_response
from devices.models import LatencyTable
from devices.runs.ownership import owner_of
from devices.runs.templatetags.runs import duration
from devices.runs.views import run_state
from devices.runs.writing import finite
from search.forms.searches import LicenceForm
from search.lists import models
from search.models import TrainedModel
from search.queries import model_rows, whole_models
from search.services.cards import card_sections, class_results
from search.services.drawing import blocks, drawing
from search.services.inference import MOST_BYTES, TryError, classify
from search.services.timings import start_timing, timeable_devices
from search.training.card import model_card as markdown_card
from search.training.card import usage_snippet

CLASS_COLUMNS = ("name", "images", "recall", "precision", "confused")
EPOCH_COLUMNS = ("number", "loss", "validation_accuracy", "seconds")
COMPARED = ("label", "predicted", "interval", "measured")
FILE_COLUMNS = (
    "format", "sha256", "size_bytes", "accuracy", "max_difference", "latency_ms", "latency_p50_ms", "problem",
)  # fmt: skip


@require_GET
def model_list(request: HttpRequest) -> HttpResponseBase:
    return list_response(
        request, models(owner_of(request)), model_rows(owner_of(request)), "search/models.html"
    )


@require_GET
def model_page(request: HttpRequest, model_id: UUID) -> HttpResponseBase:
    model = _model(request, model_id)
    return export_asked(request, lambda: _tables_of(model)) or _page(request, model)


def _tables_of(model: TrainedModel) -> dict[str, Export]:
    """The tables of a model's page."""
    end = str(model.pk)
    classes = class_results(model) if model.results else []
    epochs = (epoch.as_json() for epoch in model.epochs.all())
    files = ({name: getattr(row, name) for name in FILE_COLUMNS} for row in model.files.all())
    confusion = [[one["name"], *one["row"]] for one in classes]
    return {
        "epochs": of_records(f"epochs-{end}", EPOCH_COLUMNS, epochs),
        "comparison": of_records(f"predicted-and-measured-{end}", COMPARED, comparison(model)),
        "files": of_records(f"files-{end}", FILE_COLUMNS, files),
        "classes": of_records(f"classes-{end}", CLASS_COLUMNS, classes),
        "confusion": Export(
            f"confusion-{end}", ["class", *(one["name"] for one in classes)], lambda: confusion
        ),
    }


def _page(request: HttpRequest, model: TrainedModel, status: int = 200, **tried: Any) -> HttpResponse:
    network = model.network
    context = {
        "object": model,
        "model": model,
        "run": model.run,
        "network": network,
        "comparison": comparison(model),
        "files": model.files.all(),
        "timings": model.timings.select_related("device", "run"),
        "devices": timeable_devices(model, owner_of(request)) if model.preprocessing else [],
        "classes": class_results(model) if model.results else [],
        "licence_form": LicenceForm(initial={"licence": model.licence}),
        "state": finite(
            {
                "run": run_state(model.run),
                "epochs": [epoch.as_json() for epoch in model.epochs.all()],
                "blocks": network_blocks(model),
            }
        ),
    } | tried
    return render(request, "search/model.html", context, status=status)


@require_GET
def model_file(request: HttpRequest, model_id: UUID, file_format: str) -> HttpResponseBase:
    """A verified file, as an attachment named after its content."""
    model = _model(request, model_id)
    row = model.files.filter(format=file_format, problem="").first()
    if row is None or not model.is_verified or not is_there(row.file):
        raise Http404("This model has no such file.")
    response = stored_attachment(request, row.file, row.download_name)
    response.headers["X-Content-SHA256"] = row.sha256
    return response


@require_GET
def model_card(request: HttpRequest, model_id: UUID, ending: str) -> HttpResponse:
    """The model's card, in Markdown or as a page that stands alone."""
    model = _model(request, model_id)
    first = model.torchscript
    if not model.is_verified or first is None:
        raise Http404("This model has no card yet.")
    title = f"{model.network.architecture.space.name} for {model.network.device.name}"
    sections, classes = card_sections(model), class_results(model)
    layers = model.network.architecture.layers
    if ending not in ("md", "html"):
        raise Http404("Cards are Markdown or HTML.")
    if ending == "md":
        text = markdown_card(title, sections, layers=layers, classes=classes, file=first.download_name)
        response = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    else:
        context = {
            "title": title,
            "sections": [(name, facts) for name, facts in sections.items()],
            "classes": classes,
            "layers": layers,
            "drawing": drawing(network_blocks(model)),
            "snippet": usage_snippet(first.download_name),
        }
        response = HttpResponse(render_to_string("search/card.html", context))
    response.headers["Content-Disposition"] = f'attachment; filename="chamnet-{first.sha256[:12]}.{ending}"'
    return response


@require_POST
def model_timing(request: HttpRequest, model_id: UUID) -> HttpResponse:
    """Begins to time the model on a device."""
    model = _model(request, model_id)
    chosen = request.POST.get("device", "")
    device = next((one for one in timeable_devices(model, owner_of(request)) if str(one.pk) == chosen), None)
    if device is None or not model.is_verified or model.preprocessing is None:
        raise Http404("This device runs none of the model's files.")
    start_timing(model, device)
    messages.success(request, f"The model is being timed on {device.name}.")
    return redirect(model)


@require_POST
def model_licence(request: HttpRequest, model_id: UUID) -> HttpResponse:
    """States the model's licence on its card."""
    model = _model(request, model_id)
    form = LicenceForm(request.POST)
    if form.is_valid():
        model.licence = form.cleaned_data["licence"]
        model.save(update_fields=["licence"])
        messages.success(request, "The licence is on the card.")
    else:
        messages.error(request, "Name the licence in up to 40 characters.")
    return redirect(model)


@require_POST
def model_try(request: HttpRequest, model_id: UUID) -> HttpResponse:
    """What the model takes an image for: as JSON for the page's script, else on the page."""
    model = _model(request, model_id)
    file = request.FILES.get("image")
    try:
        if file is None:
            raise TryError("Choose an image.")
        if (file.size or 0) > MOST_BYTES:
            raise TryError(f"The image is larger than {MOST_BYTES // 10**6} MB.")
        answer = classify(model, file.read())
    except TryError as error:
        if _wants_json(request):
            return JsonResponse({"problem": str(error)}, status=422)
        return _page(request, model, status=422, try_problem=str(error))
    if _wants_json(request):
        return JsonResponse(asdict(answer))
    return _page(request, model, answer=answer)


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def network_blocks(model: TrainedModel) -> list[list[Any]]:
    """The network's blocks, with their shares of the latency where a table knows them."""
    source = model.network.latency_source
    cost = source.load().cost_us if isinstance(source, LatencyTable) else lambda operator: math.nan
    return blocks(model.network.architecture.layers, cost)


def comparison(model: TrainedModel) -> list[dict[str, Any]]:
    """Predicted beside measured, as text; the two are never mixed."""
    network, candidate = model.network, model.candidate

    def share(value: float | None) -> str | None:
        return None if value is None else f"{100 * value:.2f} %"

    def milliseconds(value: float | None) -> str | None:
        return None if value is None else f"{value:.3f} ms"

    timing = model.timings.filter(device=network.device).exclude(latency_ms=None).first()
    measured_ms, latency_note = model.latency_ms, "predicted for the network; measured with normalisation"
    if timing is not None and timing.network_ms is not None:
        measured_ms = timing.network_ms
        whole = milliseconds(timing.latency_ms)
        latency_note = f"of the network alone; {whole} with normalisation"
    interval = candidate and f"{share(candidate.accuracy_low)} to {share(candidate.accuracy_high)}"
    rows: list[dict[str, Any]] = [
        {
            "label": "Accuracy (predicted for samples' validation; measured on test)",
            "predicted": share(candidate.accuracy if candidate else None),
            "interval": interval,
            "measured": share(model.test_accuracy),
        },
        {
            "label": f"Latency on {network.device.name} ({latency_note})",
            "predicted": milliseconds(network.latency_ms),
            "interval": (
                f"{milliseconds(network.latency_low_ms)} to {milliseconds(network.latency_high_ms)}"
            ),
            "measured": milliseconds(measured_ms),
        },
    ]
    return rows if model.expected_seconds is None else [*rows, _training_time(model, model.expected_seconds)]


def _training_time(model: TrainedModel, expected_s: float) -> dict[str, Any]:
    """What all epochs took beside what was expected of them; they were measured when all are done."""
    taken = list(model.epochs.values_list("seconds", flat=True))
    measured = None
    if len(taken) == model.recipe.load().epochs:
        measured = f"{duration(sum(taken))}, {sum(taken) / expected_s:.2f} times that"
    return {
        "label": "Time of training",
        "predicted": duration(expected_s),
        "interval": None,
        "measured": measured,
    }


def _model(request: HttpRequest, model_id: UUID) -> TrainedModel:
    model: TrainedModel = get_object_or_404(whole_models(owner_of(request)), pk=model_id)
    return model
