"""Spaces, recipes, samples, and predictors: of accuracy, and of what whole networks cost on a device."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from devices.models import Device, LatencyTable
from devices.runs.models import Run
from search.models.ownership import OwnedQuerySet
from search.spaces import SearchSpace
from search.training.recipes import Recipe


class Space(models.Model):
    """A search space under the id of its content; shared by everyone, never edited."""

    id = models.CharField(primary_key=True, max_length=16)
    name = models.CharField(max_length=80)
    definition = models.JSONField()

    def __str__(self) -> str:
        return self.name

    def load(self) -> SearchSpace:
        return _loaded(json.dumps(self.definition))


@lru_cache(maxsize=64)
def _loaded(definition: str) -> SearchSpace:
    """Checked once: pages load the space of each network that they show."""
    return SearchSpace.from_json(json.loads(definition))


class TrainingRecipe(models.Model):
    """A recipe under the id of its content; shared by everyone, never edited.

    Its name is a preset's or made of the content: what a team calls it is that team's (OwnRecipe).
    """

    id = models.CharField(primary_key=True, max_length=16)
    name = models.CharField(max_length=80)
    definition = models.JSONField()

    def __str__(self) -> str:
        return self.name

    def name_for(self, owner_id: Any) -> str:
        """What this owner calls it."""
        own: str | None = self.names.filter(owner=owner_id).values_list("name", flat=True).first()
        return own or self.name

    def load(self) -> Recipe:
        return Recipe.from_json(self.definition)


class Sample(models.Model):
    """One architecture trained once under (space, data set, recipe, seed), for every predictor of those."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        TRAINING = "training", "Training"
        SUCCEEDED = "succeeded", "Trained"
        FAILED = "failed", "Failed"

    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="samples")
    space = models.ForeignKey(Space, on_delete=models.PROTECT, related_name="samples")
    dataset = models.CharField(max_length=80)
    recipe = models.ForeignKey(TrainingRecipe, on_delete=models.PROTECT, related_name="samples")
    seed = models.PositiveIntegerField()
    architecture_id = models.CharField(max_length=16)
    genes = models.JSONField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.WAITING)
    accuracy = models.FloatField(null=True, help_text="Validation accuracy, 0 to 1.")
    seconds = models.FloatField(null=True)
    losses = models.JSONField(default=list, help_text="Mean training loss of each epoch.")
    reason = models.TextField(default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "space", "dataset", "recipe", "seed", "architecture_id"], name="sample_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.architecture_id} on {self.dataset}: {self.get_status_display()}"

    @property
    def is_finished(self) -> bool:
        return self.status in (self.Status.SUCCEEDED, self.Status.FAILED)


class Predictor(models.Model):
    """A version of an accuracy predictor: which samples, fitted parameters, held-out quality."""

    class Origin(models.TextChoices):
        BUILT = "built", "Built here"
        IMPORTED = "imported", "Imported"
        REFITTED = "refitted", "Fitted anew"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="predictors")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="predictor")
    name = models.CharField(max_length=80)
    space = models.ForeignKey(Space, on_delete=models.PROTECT, related_name="predictors")
    dataset = models.CharField(max_length=80)
    dataset_label = models.CharField(max_length=80, default="", help_text="What it is called for people.")
    dataset_checksum = models.CharField(max_length=64, default="")
    recipe = models.ForeignKey(TrainingRecipe, on_delete=models.PROTECT, related_name="predictors")
    origin = models.CharField(max_length=16, choices=Origin.choices, default=Origin.BUILT)
    source = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.PROTECT,
        related_name="heirs",
        help_text="A predictor of another data set or recipe whose opinion this one learns from.",
    )
    seed = models.PositiveIntegerField()
    budget = models.PositiveIntegerField()
    initial = models.PositiveIntegerField()
    in_flight = models.PositiveIntegerField(
        help_text="A proposal waits for all but this many of the trainings before it, whatever their order: "
        "so the same seed gives the same predictor whichever worker is faster."
    )
    stop_error = models.FloatField(
        null=True, help_text="Stops when the cross-validated mean absolute error, 0 to 1, is at most this."
    )
    stop_minutes = models.PositiveIntegerField(
        null=True, help_text="Stops so long after its start, pauses included."
    )
    fitted = models.JSONField(null=True)
    quality = models.JSONField(null=True)
    genes = models.JSONField(null=True, help_text="What was learned about each hyperparameter.")
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="predictor_name_per_owner")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("predictor", args=[self.pk])

    @cached_property
    def recipe_name(self) -> str:
        """What its owner calls the recipe; lists bring it along (search.queries.recipe_name)."""
        return self.recipe.name_for(self.owner_id)

    @property
    def form_url(self) -> str:
        """The form that begins another, filled in with these settings; empty for one that no build made."""
        if self.origin != self.Origin.BUILT:
            return ""
        return f"{reverse('predictor-new')}?like={self.pk}"


class Proposal(models.Model):
    """What the sampler asked for, and why."""

    predictor = models.ForeignKey(Predictor, on_delete=models.CASCADE, related_name="proposals")
    index = models.PositiveIntegerField()
    sample = models.ForeignKey(Sample, on_delete=models.PROTECT, related_name="proposals")
    chosen_for = models.CharField(max_length=16)
    reason = models.TextField()
    predicted = models.FloatField(null=True)
    deviation = models.FloatField(null=True)

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["predictor", "index"], name="proposal_index")]

    def __str__(self) -> str:
        return f"{self.predictor_id} #{self.index}"


class QualityPoint(models.Model):
    """Cross-validated quality of a predictor after so many samples."""

    predictor = models.ForeignKey(Predictor, on_delete=models.CASCADE, related_name="quality_points")
    samples = models.PositiveIntegerField()
    rmse = models.FloatField()
    mae = models.FloatField()
    spearman = models.FloatField()
    kendall = models.FloatField()

    class Meta:
        ordering = ["samples"]
        constraints = [models.UniqueConstraint(fields=["predictor", "samples"], name="quality_once")]

    def __str__(self) -> str:
        return f"{self.samples} samples: MAE {self.mae:.4f}"

    def as_json(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("samples", "rmse", "mae", "spearman", "kendall")}


class CostPredictor(models.Model):
    """A version of a device's predictor of energy or latency: a Gaussian process over whole networks.

    They were measured elsewhere and imported, or are measured here or by an agent, as the sampler asks.
    """

    class Quantity(models.TextChoices):
        ENERGY = "energy", "Energy"
        LATENCY = "latency", "Latency"

    UNITS: ClassVar[Mapping[str, str]] = {Quantity.ENERGY: "mJ", Quantity.LATENCY: "ms"}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="cost_predictors")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="cost_predictor")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="cost_predictors")
    space = models.ForeignKey(Space, on_delete=models.PROTECT, related_name="cost_predictors")
    table = models.ForeignKey(
        LatencyTable,
        null=True,
        on_delete=models.PROTECT,
        related_name="cost_predictors",
        help_text="Gives the latency that it is compared with; without one, multiply-adds stand in.",
    )
    quantity = models.CharField(max_length=8, choices=Quantity.choices, default=Quantity.ENERGY)
    version = models.PositiveIntegerField()
    meter = models.CharField(max_length=120, help_text="What measured it, in the person's words.")
    measurements = models.JSONField(
        default=list, help_text="[genes, value] of every network: mJ an image, or ms a call."
    )
    budget = models.PositiveIntegerField(
        null=True, help_text="Networks the sampler may ask for; null for an import."
    )
    facts = models.JSONField(
        default=dict, help_text="Of the meter: its resolution, idle power, and the repeats' spread."
    )
    fitted = models.JSONField(null=True)
    quality = models.JSONField(null=True, help_text="Held-out quality, and that of the baseline.")
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["device", "quantity", "version"], name="cost_version_per_device")
        ]

    def __str__(self) -> str:
        return f"{self.get_quantity_display()} of {self.device.name} v{self.version} ({self.space.name})"

    def get_absolute_url(self) -> str:
        return reverse("cost", args=[self.pk])

    @property
    def form_url(self) -> str:
        """The form that begins another, filled in with these settings; empty for an imported one."""
        return f"{reverse('cost-new', args=[self.device_id])}?like={self.pk}" if self.budget else ""

    @property
    def unit(self) -> str:
        return self.UNITS[self.quantity]

    @property
    def subject(self) -> str:
        """What is limited, as a search names it."""
        return f"{self.quantity} on {self.device.name}"
