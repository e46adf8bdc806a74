"""Candidates trained to the end, and the chain that leads there."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from devices.models import Device, LatencyTable
from devices.runs.models import Run
from search.models.ownership import OwnedQuerySet
from search.models.predictors import Predictor, TrainingRecipe
from search.models.searches import Candidate, Search
from search.models.studies import Baseline, Study


class TrainedModel(models.Model):
    """A candidate, or a study's baseline, trained to the end: measured accuracy, measured latency, files."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="trained_models")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="model")
    candidate = models.ForeignKey(
        Candidate, null=True, on_delete=models.PROTECT, related_name="trained_models"
    )
    baseline = models.ForeignKey(Baseline, null=True, on_delete=models.PROTECT, related_name="trained_models")
    study = models.ForeignKey(Study, null=True, on_delete=models.SET_NULL, related_name="trained_models")
    recipe = models.ForeignKey(TrainingRecipe, on_delete=models.PROTECT, related_name="trained_models")
    seed = models.PositiveIntegerField()
    expected_seconds = models.FloatField(
        null=True, help_text="Of all its epochs, as foretold when it began; none where nothing was known."
    )
    checkpoint = models.FileField(upload_to="checkpoints/", null=True)
    validation_accuracy = models.FloatField(null=True)
    test_accuracy = models.FloatField(null=True)
    test_images = models.PositiveIntegerField(null=True)
    results = models.JSONField(
        null=True, help_text="On test images: how often each class (rows) was taken for each (columns)."
    )
    licence = models.CharField(
        max_length=40, default="", blank=True, help_text="Of the model; empty: not stated."
    )
    latency_ms = models.FloatField(null=True, help_text="Least of a call, measured on the network's device.")
    latency_p50_ms = models.FloatField(null=True)
    versions = models.JSONField(null=True, help_text="Of the software that trained it.")
    preprocessing = models.JSONField(null=True, help_text="What images go through before the network.")
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(candidate__isnull=False, baseline__isnull=True)
                | models.Q(candidate__isnull=True, baseline__isnull=False),
                name="model_of_one_network",
            )
        ]

    def __str__(self) -> str:
        return f"Model of {self.network}"

    def get_absolute_url(self) -> str:
        return reverse("model", args=[self.pk])

    @cached_property
    def recipe_name(self) -> str:
        """What its owner calls the recipe; lists bring it along (search.queries.recipe_name)."""
        return self.recipe.name_for(self.owner_id)

    @property
    def form_url(self) -> str:
        """The form that begins another, filled in with these settings; empty for a study's baseline."""
        if self.candidate_id is None:
            return ""
        return f"{reverse('candidate', args=[self.candidate_id])}?like={self.pk}#train-title"

    @property
    def network(self) -> Candidate | Baseline:
        """What was trained."""
        found = self.candidate or self.baseline
        assert found is not None  # noqa: S101  (the constraint holds it; for the type checker)
        return found

    @property
    def torchscript(self) -> ModelFile | None:
        """The first file of every model."""
        return self.files.filter(format=ModelFile.Format.TORCHSCRIPT, problem="").first()

    @property
    def is_verified(self) -> bool:
        """Whether there are files: a training whose TorchScript fails does not succeed."""
        return self.run.status == Run.Status.SUCCEEDED


class ModelFile(models.Model):
    """A model in one format, checked in a fresh process; or why it is not offered."""

    class Format(models.TextChoices):
        TORCHSCRIPT = "torchscript", "TorchScript"
        PT2 = "pt2", "torch.export"
        ONNX = "onnx", "ONNX"
        INT8 = "onnx-int8", "ONNX, 8 bits"
        SAFETENSORS = "safetensors", "Weights (safetensors)"

    ENDINGS: ClassVar[Mapping[str, str]] = {
        Format.TORCHSCRIPT: "pt",
        Format.PT2: "pt2",
        Format.ONNX: "onnx",
        Format.INT8: "int8.onnx",
        Format.SAFETENSORS: "safetensors",
    }

    model = models.ForeignKey(TrainedModel, on_delete=models.CASCADE, related_name="files")
    format = models.CharField(max_length=12, choices=Format.choices)
    file = models.FileField(upload_to="models/", null=True, max_length=200)
    sha256 = models.CharField(max_length=64, default="")
    size_bytes = models.BigIntegerField(null=True)
    max_difference = models.FloatField(null=True, help_text="Largest output difference seen in verification.")
    accuracy = models.FloatField(null=True, help_text="On test images, in a fresh process.")
    latency_ms = models.FloatField(null=True, help_text="Least of a call, on the machine that checked it.")
    latency_p50_ms = models.FloatField(null=True)
    preprocessing_ms = models.FloatField(null=True, help_text="Of normalising alone, part of latency_ms.")
    problem = models.TextField(default="", help_text="Why it is not offered.")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["model", "format"], name="model_file_once")]

    def __str__(self) -> str:
        return f"{self.model} as {self.get_format_display()}"

    @property
    def download_name(self) -> str:
        """What the file is called on the person's machine: named after its content."""
        return f"chamnet-{self.sha256[:12]}.{self.ENDINGS[self.format]}"


class ModelTiming(models.Model):
    """A model's file timed on a device: here, or by an agent there."""

    model = models.ForeignKey(TrainedModel, on_delete=models.CASCADE, related_name="timings")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="model_timings")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="timing")
    format = models.CharField(max_length=12, choices=ModelFile.Format.choices)
    latency_ms = models.FloatField(
        null=True, help_text="Least of a call, images at the network's resolution."
    )
    latency_p50_ms = models.FloatField(null=True)
    preprocessing_ms = models.FloatField(null=True)
    predicted_ms = models.FloatField(
        null=True, help_text="By the device's newest table, before this joined it."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.model} on {self.device}"

    def get_absolute_url(self) -> str:
        return self.model.get_absolute_url()

    @property
    def network_ms(self) -> float | None:
        """Least time of the network alone, which is what is predicted: without normalising the images."""
        if self.latency_ms is None or self.preprocessing_ms is None:
            return None
        return self.latency_ms - self.preprocessing_ms


class Epoch(models.Model):
    """One epoch of a final training."""

    model = models.ForeignKey(TrainedModel, on_delete=models.CASCADE, related_name="epochs")
    number = models.PositiveIntegerField()
    loss = models.FloatField()
    validation_accuracy = models.FloatField(null=True)
    seconds = models.FloatField()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["model", "number"], name="epoch_once")]

    def __str__(self) -> str:
        return f"{self.model_id} epoch {self.number}"

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("number", "loss", "validation_accuracy", "seconds")}


class QuickStart(models.Model):
    """The whole chain on this machine, step after step."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="quickstart")
    settings = models.JSONField()
    table = models.ForeignKey(LatencyTable, null=True, on_delete=models.SET_NULL)
    predictor = models.ForeignKey(Predictor, null=True, on_delete=models.SET_NULL)
    search = models.ForeignKey(Search, null=True, on_delete=models.SET_NULL)
    model = models.ForeignKey(TrainedModel, null=True, on_delete=models.SET_NULL)

    def __str__(self) -> str:
        return self.run.title
