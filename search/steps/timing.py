"""The steps that time a model's file on a device."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from devices.kernels import keep_file
from devices.models import KernelFile, NetworkMeasurement
from devices.models.agents import digest
from devices.runs.steps import ClaimedStep, StepFailedError
from devices.runs.writing import RunWriter
from search.models import ModelFile, ModelTiming
from search.services.timings import file_for, record_timing
from search.training.preprocessing import Preprocessing
from search.training.process import prepare_process
from search.training.verification import VerificationError, preprocessing_file, time_file


def begin(step: ClaimedStep) -> None:
    """Times the file in a fresh process here, or puts it where the agent fetches it."""
    timing: ModelTiming = step.run.timing
    file = file_for(timing.model, timing.device)
    if file is None:
        raise StepFailedError("The model's file is gone.")
    if timing.device.can_be_measured_here:
        _time_here(step, timing, file)
    else:
        _hand_out(step, timing, file)


def _time_here(step: ClaimedStep, timing: ModelTiming, file: ModelFile) -> None:
    device = timing.device
    with tempfile.TemporaryDirectory() as directory:
        path = _fetched(file, Path(directory))
        try:
            whole, alone = time_file(
                path,
                file.format,
                _preprocessing(timing),
                threads=device.threads,
                batch_size=device.batch_size,
                on_wait=step.check,
            )
        except VerificationError as error:
            raise StepFailedError(str(error), mendable=True) from error
    with step.commit() as writer:
        _end(writer, timing, whole, min(alone))


def _hand_out(step: ClaimedStep, timing: ModelTiming, file: ModelFile) -> None:
    """Two files for the agent: the model's, and what it does before the network, to be taken off."""
    prepare_process()
    preprocessing, device = _preprocessing(timing), timing.device
    shape = [preprocessing.channels, preprocessing.resolution, preprocessing.resolution]
    with file.file.open("rb") as content:
        contents = {
            "network": content.read(),
            "preprocessing": preprocessing_file(preprocessing, file.format),
        }
    files = []
    for name, data in contents.items():
        known = digest(f"model {hashlib.sha256(data).hexdigest()}")
        if not KernelFile.objects.filter(engine=device.engine, digest=known).exists():
            keep_file(device.engine, known, data)
        files.append([name, known, [shape]])
    with step.commit() as writer:
        NetworkMeasurement.objects.get_or_create(
            run=step.run,
            index=0,
            defaults={
                "device": device,
                "quantity": NetworkMeasurement.Quantity.LATENCY,
                "network": {"files": files},
                "next_step": "timing.finish",
            },
        )
        writer.progress(message=f"Waiting for the agent of {device.name}")


def finish(step: ClaimedStep) -> None:
    """Takes in what the agent measured."""
    timing: ModelTiming = step.run.timing
    row = NetworkMeasurement.objects.get(run=step.run, index=0)
    with step.commit() as writer:
        _end(writer, timing, row.values or [], float(row.facts.get("preprocessing_us", 0.0)))


def _end(
    writer: RunWriter, timing: ModelTiming, timings_us: Sequence[float], preprocessing_us: float
) -> None:
    record_timing(
        writer,
        timing,
        least_ms=min(timings_us) / 1000.0,
        median_ms=median(timings_us) / 1000.0,
        preprocessing_ms=preprocessing_us / 1000.0,
    )
    writer.progress(done=1)
    predicted = f", predicted {timing.predicted_ms:.3g} ms" if timing.predicted_ms is not None else ""
    writer.succeed(f"{timing.latency_ms:.3g} ms on {timing.device.name}{predicted}.")


def _preprocessing(timing: ModelTiming) -> Preprocessing:
    return Preprocessing.from_json(timing.model.preprocessing or {})


def _fetched(file: ModelFile, directory: Path) -> Path:
    path = directory / file.download_name
    with file.file.open("rb") as content:
        path.write_bytes(content.read())
    return path
