"""Timing a model's file on a device: on this machine, or by the agent there."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from devices.models import Device, LatencyTable
from devices.runs.models import Step
from devices.runs.services import start_run
from devices.runs.writing import RunWriter
from search.models import ModelFile, ModelTiming, TrainedModel
from search.services.tables import calibrate_with

FORMATS = {
    Device.Engine.TORCHSCRIPT: ModelFile.Format.TORCHSCRIPT,
    Device.Engine.ONNX_RUNTIME: ModelFile.Format.ONNX,
}
"""What each engine runs."""


def file_for(model: TrainedModel, device: Device) -> ModelFile | None:
    """The file of a model that a device's engine runs, if it is offered."""
    wanted = FORMATS.get(Device.Engine(device.engine))
    return model.files.filter(format=wanted, problem="").first() if wanted and device.has_kernels else None


def timeable_devices(model: TrainedModel, owner: Any) -> list[Device]:
    """The devices that could time one of the model's files."""
    offered = set(model.files.filter(problem="").values_list("format", flat=True))
    return [
        device
        for device in Device.objects.owned_by(owner)
        if device.has_kernels and FORMATS.get(Device.Engine(device.engine)) in offered
    ]


@transaction.atomic
def start_timing(model: TrainedModel, device: Device) -> ModelTiming:
    """Begins to time a model on a device. Raises ValueError when the device runs none of its files."""
    file = file_for(model, device)
    if file is None:
        raise ValueError(f"“{device.name}” runs none of this model's files.")
    run = start_run(
        owner=model.owner,
        kind="timing",
        title=f"{model} timed on {device.name}",
        first_step="timing.begin",
        queue=Step.Queue.LIGHT,
        total=1,
    )
    return ModelTiming.objects.create(model=model, device=device, run=run, format=file.format)


def record_timing(
    writer: RunWriter, timing: ModelTiming, *, least_ms: float, median_ms: float, preprocessing_ms: float
) -> None:
    """Takes a timing in, beside what was predicted; the device's calibration learns of it."""
    model, network = timing.model, timing.model.network
    timing.latency_ms, timing.latency_p50_ms = least_ms, median_ms
    timing.preprocessing_ms = preprocessing_ms
    timing.predicted_ms = predicted_ms(model, timing.device)
    timing.save()
    if timing.device == network.device and file_for(model, timing.device) is not None:
        model.latency_ms, model.latency_p50_ms = timing.latency_ms, timing.latency_p50_ms
        model.save(update_fields=["latency_ms", "latency_p50_ms"])
    joined = calibrate_with(model, timing.device, 1000.0 * (least_ms - preprocessing_ms))
    if joined is not None:
        text = f"It joined the calibration of {timing.device.name}: latency table {joined.version}."
        writer.event("log", {"level": "info", "text": text})


def predicted_ms(model: TrainedModel, device: Device) -> float | None:
    """What the newest table of a device that has the model's operators says; None without one."""
    rows = LatencyTable.objects.usable().filter(device=device).order_by("-version")
    layers = model.network.architecture.layers
    for table in rows[:5]:
        try:
            return table.load().network_us(layers) / 1000.0
        except LookupError:
            continue
    return None
