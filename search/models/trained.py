"""Candidates trained to the end, and the chain that leads there."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from devices.models import LatencyTable
from devices.runs.models import Run
from search.models.ownership import OwnedQuerySet
from search.models.predictors import Predictor, TrainingRecipe
from search.models.searches import Candidate, Search
from search.models.studies import Baseline, Study


class TrainedModel(models.Model):
    """A candidate, or a study's baseline, trained to the end: measured accuracy, measured latency, files."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="models")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="model")
    candidate = models.ForeignKey(Candidate, null=True, on_delete=models.PROTECT, related_name="models")
    baseline = models.ForeignKey(Baseline, null=True, on_delete=models.PROTECT, related_name="models")
    study = models.ForeignKey(Study, null=True, on_delete=models.SET_NULL, related_name="models")
    recipe = models.ForeignKey(TrainingRecipe, on_delete=models.PROTECT, related_name="models")
    seed = models.PositiveIntegerField()
    checkpoint = models.FileField(upload_to="checkpoints/", null=True)
    validation_accuracy = models.FloatField(null=True)
    test_accuracy = models.FloatField(null=True)
    test_images = models.PositiveIntegerField(null=True)
    latency_ms = models.FloatField(null=True)
    latency_p50_ms = models.FloatField(null=True)
    max_difference = models.FloatField(null=True, help_text="Largest output difference seen in verification.")
    file = models.FileField(upload_to="models/", null=True)
    sha256 = models.CharField(max_length=64, default="")
    size_bytes = models.BigIntegerField(null=True)
    card = models.TextField(default="", help_text="Model card in Markdown.")
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

    @property
    def network(self) -> Candidate | Baseline:
        """What was trained."""
        found = self.candidate or self.baseline
        assert found is not None  # noqa: S101  (the constraint holds it; for the type checker)
        return found

    @property
    def is_verified(self) -> bool:
        return bool(self.file) and self.run.status == Run.Status.SUCCEEDED

    @property
    def download_name(self) -> str:
        """What the file is called on the person's machine: named after its content."""
        return f"chamnet-{self.sha256[:12]}.pt"


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
