"""The steps of a final model: training epoch by epoch, then export and verification."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import torch
from django.core.files.base import ContentFile, File

from devices.runs.models import Run, Step
from devices.runs.steps import ClaimedStep, StepFailedError
from search.models import Epoch, TrainedModel
from search.services.datasets import dataset_of
from search.services.tables import calibrate_with
from search.training import datasets
from search.training.card import model_card, wilson_interval
from search.training.export import export_torchscript
from search.training.networks import Network, build_network, fold
from search.training.process import prepare_process
from search.training.trainer import DivergedError, EpochResult, Trainer, TrainingResult, predict_logits
from search.training.verification import Verification, VerificationError, verify


def train_model(step: ClaimedStep) -> None:
    """Trains from the last checkpoint to the end, saving each epoch; gives the step back when paused."""
    model: TrainedModel = step.run.model
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
        writer.then("model.export", "model.export", Step.Queue.TRAIN)


def export_model(step: ClaimedStep) -> None:
    """Exports the trained network, verifies the file in a fresh process and offers it with its card."""
    model: TrainedModel = step.run.model
    device = model.network.device
    with step.report() as writer:
        writer.progress(message="Exporting and verifying in a fresh process")
    trainer = _trainer(model)
    with model.checkpoint.open("rb") as file:
        trainer.restore(torch.load(file, weights_only=True))
    trained = trainer.result()
    network = trained.network
    assert isinstance(network, Network)  # noqa: S101  (built above; for the type checker)
    known = dataset_of(model.owner, model.network.predictor.dataset)
    test = datasets.load_test(known)
    logits = predict_logits(fold(network), trained.preprocessing, test).numpy()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.pt"
        architecture = model.network.architecture
        export_torchscript(
            network,
            path,
            preprocessing=trained.preprocessing,
            dataset=known,
            architecture={
                "space": architecture.space.to_json(),
                "values": architecture.values,
                "id": architecture.id,
            },
        )
        try:
            found = verify(
                path,
                images=test.pixels(),
                labels=test.labels,
                logits=logits,
                threads=device.threads,
                batch_size=device.batch_size,
                scratch=Path(directory),
            )
        except VerificationError as error:
            raise StepFailedError(str(error)) from error
        _offer(step, model, path, found, trained, len(test))


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
    )


def _save_epoch(step: ClaimedStep, model: TrainedModel, trainer: Trainer, result: EpochResult) -> None:
    """The checkpoint first, under a name of its own: a file without a row is harmless, the reverse is not."""
    buffer = io.BytesIO()
    torch.save(trainer.checkpoint(), buffer)
    previous = model.checkpoint.name if model.checkpoint else None
    storage = TrainedModel._meta.get_field("checkpoint").storage
    name = storage.save(f"checkpoints/{model.pk}/{result.number}.pt", ContentFile(buffer.getvalue()))
    with step.report() as writer:
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
    if previous:
        storage.delete(previous)


def _offer(
    step: ClaimedStep,
    model: TrainedModel,
    path: Path,
    found: Verification,
    trained: TrainingResult,
    count: int,
) -> None:
    """Stores the verified file under its SHA-256 and ends the run."""
    model.test_accuracy, model.test_images = found.accuracy, count
    model.latency_ms, model.latency_p50_ms = found.latency_ms, found.latency_p50_ms
    model.max_difference, model.sha256, model.size_bytes = (
        found.max_difference,
        found.sha256,
        path.stat().st_size,
    )
    model.card = _card(model, trained)
    with path.open("rb") as file:
        model.file.save(f"{found.sha256}.pt", File(file), save=False)
    with step.commit() as writer:
        model.save()
        writer.event(
            "verified",
            {
                "accuracy": found.accuracy,
                "latency_ms": found.latency_ms,
                "max_difference": found.max_difference,
            },
        )
        if joined := calibrate_with(model, 1000.0 * (found.latency_ms - found.preprocessing_ms)):
            text = f"Its latency joined the calibration: latency table {joined.version}."
            writer.event("log", {"level": "info", "text": text})
        writer.progress(done=writer.run.total)
        writer.succeed(f"{100 * found.accuracy:.2f} % on test images, {found.latency_ms:.3g} ms.")


def _card(model: TrainedModel, trained: TrainingResult) -> str:
    network, architecture = model.network, model.network.architecture
    device, known = network.device, dataset_of(model.owner, network.predictor.dataset)
    low, high = wilson_interval(model.test_accuracy or 0.0, model.test_images or 1)
    return model_card(
        f"{architecture.space.name} for {device.name}",
        {
            "Measured": [
                (
                    "Test accuracy",
                    f"{100 * (model.test_accuracy or 0):.2f} % (95 %: {100 * low:.2f} to {100 * high:.2f})",
                ),
                ("Test images", model.test_images),
                ("Validation accuracy", f"{100 * trained.validation_accuracy:.2f} %"),
                ("Latency", f"{model.latency_ms:.3f} ms minimum, {model.latency_p50_ms:.3f} ms median"),
                ("Largest difference to the trained network", f"{model.max_difference:.2g}"),
            ],
            "Predicted": [
                *_predicted_accuracy(model),
                (
                    "Latency",
                    f"{network.latency_ms:.3f} ms "
                    f"({network.latency_low_ms:.3f} to {network.latency_high_ms:.3f})",
                ),
                *([] if network.limit_ms is None else [("Limit", f"{network.limit_ms:g} ms")]),
            ],
            "Device": [
                ("Name", device.name),
                (
                    "Engine",
                    f"{device.get_engine_display()}, {device.data_type}, "
                    f"{device.threads} threads, batch {device.batch_size}",
                ),
                ("Latency from", str(network.latency_source)),
            ],
            "Training": [
                ("Data set", f"{known.label}, {len(known.classes)} classes, SHA-256 {known.checksum[:16]}…"),
                ("Recipe", f"{model.recipe.name} ({model.recipe.pk})"),
                ("Seed", model.seed),
                ("torch", torch.__version__),
            ],
            "Architecture": [
                *architecture.values.items(),
                ("Parameters", architecture.parameters),
                ("Multiply-adds", architecture.multiply_adds),
            ],
            "File": [("SHA-256", model.sha256), ("Bytes", model.size_bytes)],
        },
        layers=architecture.layers,
        file=model.download_name,
    )


def _predicted_accuracy(model: TrainedModel) -> list[tuple[str, str]]:
    """What the search predicted; of a scaled network nothing was."""
    candidate = model.candidate
    if candidate is None:
        return []
    ends = f"{100 * candidate.accuracy_low:.2f} to {100 * candidate.accuracy_high:.2f}"
    return [("Accuracy", f"{100 * candidate.accuracy:.2f} % ({ends})")]
