"""The steps of a final model: training epoch by epoch, then export and verification."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from django.core.files.base import ContentFile, File

from devices.runs.models import Run, Step
from devices.runs.steps import ClaimedStep, LeaseLostError, RunCancelledError, StepFailedError
from devices.runs.worker import worker_index
from search.models import Epoch, ModelFile, ModelTiming, TrainedModel
from search.services.datasets import dataset_of
from search.services.timings import record_timing
from search.steps import images
from search.training import datasets
from search.training.export import (
    Exported,
    export_int8,
    export_onnx,
    export_program,
    export_torchscript,
    export_weights,
    versions,
)
from search.training.networks import build_network, fold
from search.training.process import prepare_process, training_device
from search.training.trainer import DivergedError, EpochResult, Trainer, TrainingResult, predict_logits
from search.training.verification import VerificationError, VerifierKilledError, verify

logger = logging.getLogger(__name__)
Logits = npt.NDArray[np.float32]

MOST_CHECKED = 10_000
"""Test images that a file is compared on."""


@images.needed()
def train_model(step: ClaimedStep) -> None:
    """Trains from the last checkpoint to the end, saving each epoch; gives the step back when paused."""
    model: TrainedModel = step.run.model
    _forget_other_checkpoints(model)
    trainer = _trainer(model)
    if model.checkpoint:
        with model.checkpoint.open("rb") as file:
            trainer.restore(torch.load(file, weights_only=True))
    while not trainer.done:
        try:
            result = trainer.epoch(step.check)
        except DivergedError as error:
            raise StepFailedError(str(error)) from error
        _save_epoch(step, model, trainer, result)
        if step.run.status == Run.Status.PAUSED:
            step.release()
            return
    with step.commit() as writer:
        model.validation_accuracy = trainer.best_accuracy
        model.save(update_fields=["validation_accuracy"])
        writer.then("model.export", "model.export", Step.Queue.TRAIN, again=True)


@images.needed()
def export_model(step: ClaimedStep) -> None:
    """Exports the trained network in every format and verifies each file in a fresh process.

    The model fails without TorchScript; a file of another format that fails is not offered, and says why.
    One that is tried again so late that its checkpoint was pruned is trained again.
    """
    model: TrainedModel = step.run.model
    if not model.checkpoint:
        with step.commit() as writer:
            writer.then("model.train", "model.train", Step.Queue.TRAIN, again=True)
        return
    with step.report() as writer:
        writer.progress(message="Judging it on the test images")
    _forget_other_checkpoints(model)
    trainer = _trainer(model)
    with model.checkpoint.open("rb") as file:
        trainer.restore(torch.load(file, weights_only=True))
    trained = trainer.result()
    known = dataset_of(model.owner, model.network.predictor.dataset)
    test = datasets.load_test(known)
    logits = predict_logits(fold(trained.network), trained.preprocessing, test, step.check).numpy()
    _judge(model, trained, test, logits)
    exported = _exported(model, trained, known)
    with tempfile.TemporaryDirectory() as directory:
        checker = _Checker(
            model,
            exported,
            _checked_part(test, logits),
            Path(directory),
            trainer.calibration_images(),
            step.check,
        )
        for file_format in ModelFile.Format:
            step.check(every_seconds=0)
            with step.report() as writer:
                writer.progress(message=f"{file_format.label}: exporting, and verifying in a fresh process")
            row = checker.check(file_format)
            if row.problem and file_format == ModelFile.Format.TORCHSCRIPT:
                raise StepFailedError(row.problem)
        _offer(step, model, checker.found)


def _judge(model: TrainedModel, trained: TrainingResult, test: datasets.Arrays, logits: Logits) -> None:
    """Accuracy and confusions on all test images."""
    classes, taken = logits.shape[1], logits.argmax(axis=1)
    counts = np.bincount(classes * test.labels + taken, minlength=classes * classes)
    model.results = counts.reshape(classes, classes).tolist()
    model.test_accuracy, model.test_images = float((taken == test.labels).mean()), len(test)
    model.versions, model.preprocessing = versions(), trained.preprocessing.to_json()


def _checked_part(test: datasets.Arrays, logits: Logits) -> tuple[datasets.Arrays, Logits]:
    """The test images that files are checked on: all, or as many spread over a large set."""
    if len(test) <= MOST_CHECKED:
        return test, logits
    rows = np.linspace(0, len(test) - 1, MOST_CHECKED).astype(np.int64)
    return test[rows], logits[rows]


def _exported(model: TrainedModel, trained: TrainingResult, known: datasets.Dataset) -> Exported:
    architecture = model.network.architecture
    return Exported(
        network=trained.network,
        preprocessing=trained.preprocessing,
        dataset=known,
        architecture={
            "space": architecture.space.to_json(),
            "values": architecture.values,
            "id": architecture.id,
        },
        metrics={"test_accuracy": model.test_accuracy, "validation_accuracy": trained.validation_accuracy},
    )


class _Checker:
    """Writes one file after the other into a directory and has each checked."""

    def __init__(
        self,
        model: TrainedModel,
        exported: Exported,
        expected: tuple[datasets.Arrays, Logits],
        directory: Path,
        calibration: list[Logits],
        on_wait: Callable[[], object],
    ) -> None:
        self.found: list[tuple[ModelFile, Path]] = []
        self._model, self._exported, self._directory = model, exported, directory
        (test, self._logits), self._calibration = expected, calibration
        self._images, self._labels = test.pixels(), test.labels
        self._on_wait = on_wait

    def check(self, file_format: ModelFile.Format) -> ModelFile:
        """The row of a file, with what is wrong with it where it is not to be offered."""
        path = self._directory / f"model.{ModelFile.ENDINGS[file_format]}"
        row = ModelFile(model=self._model, format=file_format)
        device = self._model.network.device
        try:
            self._write(file_format, path)
            found = verify(
                path,
                images=self._images,
                labels=self._labels,
                logits=self._logits,
                threads=device.threads,
                batch_size=device.batch_size,
                scratch=self._directory,
                file_format=file_format,
                on_wait=self._on_wait,
            )
        except (LeaseLostError, RunCancelledError, VerifierKilledError):
            raise
        except VerificationError as error:
            row.problem = str(error)
        except Exception as error:
            logger.exception("export as %s", file_format)
            row.problem = f"It could not be written: {type(error).__name__}: {str(error)[:300]}"
        else:
            row.sha256, row.size_bytes, row.accuracy = found.sha256, path.stat().st_size, found.accuracy
            row.max_difference, row.preprocessing_ms = found.max_difference, found.preprocessing_ms
            row.latency_ms, row.latency_p50_ms = found.latency_ms, found.latency_p50_ms
        self.found.append((row, path))
        return row

    def _write(self, file_format: ModelFile.Format, path: Path) -> None:
        if file_format == ModelFile.Format.INT8:
            source = next((made for row, made in self.found if row.format == ModelFile.Format.ONNX), None)
            if source is None or any(made == source and row.problem for row, made in self.found):
                raise VerificationError("It is made from the ONNX file, which is not offered.")
            export_int8(source, self._exported, path, self._calibration)
        else:
            _WRITERS[file_format](self._exported, path)


_WRITERS: dict[str, Callable[[Exported, Path], None]] = {
    ModelFile.Format.TORCHSCRIPT: export_torchscript,
    ModelFile.Format.PT2: export_program,
    ModelFile.Format.ONNX: export_onnx,
    ModelFile.Format.SAFETENSORS: export_weights,
}


def _trainer(model: TrainedModel) -> Trainer:
    """The training as it was at its start: everything in it follows from the model's row."""
    prepare_process()
    torch.manual_seed(model.seed)
    recipe = model.recipe.load()
    architecture = model.network.architecture
    predictor = model.network.predictor
    return Trainer(
        build_network(architecture.layers, dropout=recipe.dropout),
        datasets.load_training(
            dataset_of(model.owner, predictor.dataset), predictor.seed, limit=recipe.train_images
        ),
        recipe,
        size=architecture.values["resolution"],
        seed=model.seed,
        device=training_device(worker_index()),
    )


def _save_epoch(step: ClaimedStep, model: TrainedModel, trainer: Trainer, result: EpochResult) -> None:
    """The checkpoint first, under a name of its own: a file without a row is harmless, the reverse is not."""
    buffer = io.BytesIO()
    torch.save(trainer.checkpoint(), buffer)
    previous = model.checkpoint.name if model.checkpoint else None
    storage = TrainedModel._meta.get_field("checkpoint").storage
    name = storage.save(f"checkpoints/{model.pk}/{result.number}.pt", ContentFile(buffer.getvalue()))
    try:
        with step.report(saved=True) as writer:
            model.checkpoint = name
            model.save(update_fields=["checkpoint"])
            facts = {
                "loss": result.loss,
                "validation_accuracy": result.validation_accuracy,
                "seconds": result.seconds,
            }
            Epoch.objects.update_or_create(model=model, number=result.number, defaults=facts)
            writer.event("epoch", {"number": result.number, "epochs": trainer.recipe.epochs, **facts})
            writer.progress(done=result.number, message=f"Epoch {result.number} of {trainer.recipe.epochs}")
    except LeaseLostError:
        storage.delete(name)
        raise
    if previous:
        storage.delete(previous)


def _forget_other_checkpoints(model: TrainedModel) -> None:
    """Removes what a killed try wrote and did not note, or noted without removing the one before."""
    field = TrainedModel._meta.get_field("checkpoint")
    directory = f"checkpoints/{model.pk}"
    try:
        _, names = field.storage.listdir(directory)
    except FileNotFoundError:
        return
    for name in names:
        if (path := f"{directory}/{name}") != model.checkpoint.name:
            field.storage.delete(path)


def _offer(step: ClaimedStep, model: TrainedModel, found: list[tuple[ModelFile, Path]]) -> None:
    """Stores the verified files under their SHA-256 and ends the run."""
    storage = ModelFile._meta.get_field("file").storage
    for row, path in found:
        if not row.problem:
            name = f"models/{row.sha256}.{ModelFile.ENDINGS[row.format]}"
            with path.open("rb") as content:
                row.file.name = name if storage.exists(name) else storage.save(name, File(content))
    rows = [row for row, _ in found]
    first, device = rows[0], model.network.device
    with step.commit() as writer:
        model.save()
        ModelFile.objects.filter(model=model).delete()
        ModelFile.objects.bulk_create(rows)
        for row in rows:
            if row.problem:
                text = f"{row.get_format_display()} is not offered. {row.problem}"
                writer.event("log", {"level": "warning", "text": text})
        writer.event("verified", {"accuracy": first.accuracy, "max_difference": first.max_difference})
        said = f"{100 * (model.test_accuracy or 0.0):.2f} % on test images"
        if device.can_be_measured_here:
            timing = ModelTiming(model=model, device=device, run=writer.run, format=first.format)
            record_timing(
                writer,
                timing,
                least_ms=first.latency_ms or 0.0,
                median_ms=first.latency_p50_ms or 0.0,
                preprocessing_ms=first.preprocessing_ms or 0.0,
            )
            said = f"{said}, {first.latency_ms:.3g} ms"
        writer.progress(done=writer.run.total)
        writer.succeed(f"{said}.")
