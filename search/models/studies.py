"""Studies: whether adapting networks beats scaling them, at the same latency on the same device."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from devices.models import Device, LatencyTable
from devices.runs.models import Run
from search.models.ownership import OwnedQuerySet
from search.models.predictors import Predictor, Space, TrainingRecipe
from search.models.searches import Candidate, Search
from search.spaces import Architecture


class Study(models.Model):
    """Latency limits x {searched, scaled} x seeds, trained with one recipe on one data set."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="studies")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="study")
    name = models.CharField(max_length=80)
    predictor = models.ForeignKey(Predictor, on_delete=models.PROTECT, related_name="studies")
    asked_table = models.ForeignKey(LatencyTable, on_delete=models.PROTECT, related_name="+")
    table = models.ForeignKey(
        LatencyTable,
        null=True,
        on_delete=models.PROTECT,
        related_name="studies",
        help_text="Predicts every latency: the table asked for, or its version with the scaled networks too.",
    )
    recipe = models.ForeignKey(TrainingRecipe, on_delete=models.PROTECT, related_name="studies")
    limits = models.JSONField(help_text="Latency limits in milliseconds, tightest first.")
    seeds = models.JSONField(help_text="Seeds that every network is trained with.")
    confidence = models.FloatField(help_text="Probability with which every latency limit is to be met.")
    population = models.PositiveIntegerField()
    generations = models.PositiveIntegerField()
    result = models.JSONField(null=True, help_text="What was found at every limit.")
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="study_name_per_owner")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("study", args=[self.pk])

    @cached_property
    def recipe_name(self) -> str:
        """What its owner calls the recipe; lists bring it along (search.queries.recipe_name)."""
        return self.recipe.name_for(self.owner_id)

    @property
    def form_url(self) -> str:
        """The form that begins another, filled in with these settings."""
        return f"{reverse('study-new')}?like={self.pk}"

    @property
    def device(self) -> Device:
        return self.asked_table.device


class Baseline(models.Model):
    """The reference network of a study's space, scaled uniformly."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="baselines")
    index = models.PositiveIntegerField()
    label = models.CharField(max_length=80)
    space = models.ForeignKey(Space, on_delete=models.PROTECT, related_name="+", help_text="Of one network.")
    architecture_id = models.CharField(max_length=16)
    width = models.FloatField()
    depth = models.FloatField()
    resolution = models.PositiveIntegerField()
    latency_ms = models.FloatField()
    latency_low_ms = models.FloatField()
    latency_high_ms = models.FloatField()
    limited_ms = models.FloatField(help_text="What its latency stays within with the study's confidence.")
    multiply_adds = models.BigIntegerField()
    parameters = models.BigIntegerField()
    accuracy = models.FloatField(null=True, help_text="Validation accuracy of its trial, 0 to 1.")
    reason = models.TextField(default="", help_text="Why its trial failed.")

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["study", "index"], name="baseline_index")]

    def __str__(self) -> str:
        return f"{self.study.name}, {self.label}"

    def get_absolute_url(self) -> str:
        return f"{self.study.get_absolute_url()}#baseline-{self.index}"

    @property
    def architecture(self) -> Architecture:
        space = self.space.load()
        return Architecture(space, (0,) * len(space.genes))

    @property
    def predictor(self) -> Predictor:
        return self.study.predictor

    @property
    def latency_source(self) -> LatencyTable:
        return self.study.table or self.study.asked_table

    @property
    def device(self) -> Device:
        return self.study.device

    @property
    def limit_ms(self) -> float | None:
        """The loosest limit it was chosen for, if any."""
        limit: float | None = self.entries.aggregate(limit=models.Max("limit_ms"))["limit"]
        return limit


class StudyEntry(models.Model):
    """One network of a study at one limit: searched for, or scaled."""

    class Method(models.TextChoices):
        SEARCHED = "searched", "Searched"
        SCALED = "scaled", "Scaled"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="entries")
    limit_ms = models.FloatField()
    method = models.CharField(max_length=8, choices=Method.choices)
    search = models.ForeignKey(Search, null=True, on_delete=models.PROTECT, related_name="+")
    candidate = models.ForeignKey(Candidate, null=True, on_delete=models.PROTECT, related_name="+")
    baseline = models.ForeignKey(Baseline, null=True, on_delete=models.PROTECT, related_name="entries")

    class Meta:
        ordering = ["limit_ms", "method"]
        constraints = [
            models.UniqueConstraint(fields=["study", "limit_ms", "method"], name="study_entry_once")
        ]

    def __str__(self) -> str:
        return f"{self.study}: {self.get_method_display()} at {self.limit_ms:g} ms"

    @property
    def network(self) -> Candidate | Baseline | None:
        """What is trained, once it is chosen."""
        return self.candidate or self.baseline
