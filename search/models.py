"""Spaces, samples, predictors, searches, candidates and trained models."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from devices.models import Device, LatencyTable
from devices.runs.models import Run
from search.spaces import Architecture, SearchSpace
from search.training.datasets import DATASETS
from search.training.recipes import Recipe


class OwnedQuerySet(models.QuerySet[Any]):
    def owned_by(self, user: Any) -> OwnedQuerySet:
        return self.filter(owner=user)

    def usable(self) -> OwnedQuerySet:
        return self.filter(run__status=Run.Status.SUCCEEDED)


class Space(models.Model):
    """A search space under the id of its content; shared by everyone, never edited."""

    id = models.CharField(primary_key=True, max_length=16)
    name = models.CharField(max_length=80)
    definition = models.JSONField()

    def __str__(self) -> str:
        return self.name

    def load(self) -> SearchSpace:
        return SearchSpace.from_json(self.definition)


class TrainingRecipe(models.Model):
    """A recipe under the id of its content; shared by everyone, never edited."""

    id = models.CharField(primary_key=True, max_length=16)
    name = models.CharField(max_length=80)
    definition = models.JSONField()

    def __str__(self) -> str:
        return self.name

    def load(self) -> Recipe:
        return Recipe.from_json(self.definition)


class Sample(models.Model):
    """One architecture trained once under (space, data set, recipe, seed), for every predictor of those."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        TRAINING = "training", "Training"
        SUCCEEDED = "succeeded", "Trained"
        FAILED = "failed", "Failed"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="samples")
    space = models.ForeignKey(Space, on_delete=models.PROTECT, related_name="samples")
    dataset = models.CharField(max_length=80)
    recipe = models.ForeignKey(TrainingRecipe, on_delete=models.PROTECT, related_name="samples")
    seed = models.PositiveIntegerField()
    architecture_id = models.CharField(max_length=16)
    genes = models.JSONField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.WAITING)
    accuracy = models.FloatField(null=True, help_text="Validation accuracy, 0 to 1.")
    seconds = models.FloatField(null=True)
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
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="predictors")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="predictor")
    name = models.CharField(max_length=80)
    space = models.ForeignKey(Space, on_delete=models.PROTECT, related_name="predictors")
    dataset = models.CharField(max_length=80)
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

    @property
    def dataset_label(self) -> str:
        return DATASETS[self.dataset].label


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


class Search(models.Model):
    """A constrained genetic search over one predictor and one table version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="searches")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="search")
    name = models.CharField(max_length=80)
    predictor = models.ForeignKey(Predictor, on_delete=models.PROTECT, related_name="searches")
    table = models.ForeignKey(LatencyTable, on_delete=models.PROTECT, related_name="searches")
    latency_limit_ms = models.FloatField()
    population = models.PositiveIntegerField()
    generations = models.PositiveIntegerField()
    seed = models.PositiveIntegerField()
    confidence = models.FloatField(
        default=0.5,
        help_text="Probability with which every latency limit is to be met; 0.5 trusts the prediction.",
    )
    cautious = models.BooleanField(
        default=False, help_text="Rank by the lower end of the 90 % interval of the predicted accuracy."
    )
    max_multiply_adds = models.BigIntegerField(null=True)
    max_parameters = models.BigIntegerField(null=True)
    max_file_bytes = models.BigIntegerField(null=True)
    group = models.UUIDField(
        null=True, db_index=True, help_text="Shared by the searches of one form, to be compared."
    )
    state = models.JSONField(null=True, help_text="Where the next step continues.")
    front = models.JSONField(
        null=True, help_text="The most accurate network for every latency within the limits, fastest first."
    )
    neighbours = models.PositiveIntegerField(
        null=True, help_text="Networks one change away from the winner; none within the limits is better."
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="search_name_per_owner")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("search", args=[self.pk])


class EnergyPredictor(models.Model):
    """A version of a device's energy predictor: a Gaussian process over measured whole networks."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="energy_predictors"
    )
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="energy_predictor")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="energy_predictors")
    space = models.ForeignKey(Space, on_delete=models.PROTECT, related_name="energy_predictors")
    table = models.ForeignKey(
        LatencyTable,
        null=True,
        on_delete=models.PROTECT,
        related_name="energy_predictors",
        help_text="Gives the latency that energy is compared with; without one, multiply-adds stand in.",
    )
    version = models.PositiveIntegerField()
    meter = models.CharField(max_length=120, help_text="What measured the energy, in the person's words.")
    measurements = models.JSONField(help_text="[genes, energy of one image in mJ] of every network.")
    fitted = models.JSONField(null=True)
    quality = models.JSONField(null=True, help_text="Held-out quality, and that of the baseline.")
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["device", "version"], name="energy_version_per_device")
        ]

    def __str__(self) -> str:
        return f"Energy of {self.device.name} v{self.version} ({self.space.name})"

    def get_absolute_url(self) -> str:
        return reverse("energy", args=[self.pk])


class SearchLimit(models.Model):
    """A further limit of a search: latency or energy, there or on another device."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="further_limits")
    table = models.ForeignKey(LatencyTable, null=True, on_delete=models.PROTECT, related_name="+")
    energy = models.ForeignKey(EnergyPredictor, null=True, on_delete=models.PROTECT, related_name="+")
    maximum = models.FloatField(help_text="Milliseconds of latency, millijoules of energy.")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["search", "table"], name="limit_once_per_table"),
            models.UniqueConstraint(fields=["search", "energy"], name="limit_once_per_energy"),
            models.CheckConstraint(
                condition=models.Q(table__isnull=False, energy__isnull=True)
                | models.Q(table__isnull=True, energy__isnull=False),
                name="limit_on_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} at most {self.maximum:.4g} {self.unit}"

    @property
    def quantity(self) -> str:
        """What is limited, as a search names it."""
        if self.table is not None:
            return f"latency on {self.table.device.name}"
        assert self.energy is not None  # noqa: S101  (the constraint holds it; for the type checker)
        return f"energy on {self.energy.device.name}"

    @property
    def unit(self) -> str:
        return "ms" if self.table_id is not None else "mJ"


class Generation(models.Model):
    """One generation: its summary and where its population stood."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="generation_rows")
    number = models.PositiveIntegerField()
    summary = models.JSONField()
    points = models.JSONField(help_text="[latency in ms, predicted accuracy] of every individual.")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["search", "number"], name="generation_once")]

    def __str__(self) -> str:
        return f"{self.search_id} generation {self.number}"


class Candidate(models.Model):
    """An architecture a search proposes, with its predicted values and intervals."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="candidates")
    rank = models.PositiveIntegerField()
    architecture_id = models.CharField(max_length=16)
    genes = models.JSONField()
    accuracy = models.FloatField()
    accuracy_low = models.FloatField()
    accuracy_high = models.FloatField()
    latency_ms = models.FloatField()
    latency_low_ms = models.FloatField()
    latency_high_ms = models.FloatField()
    meets_limit = models.FloatField(help_text="Probability of meeting the latency limit.")
    multiply_adds = models.BigIntegerField()
    parameters = models.BigIntegerField()
    file_bytes = models.BigIntegerField(default=0, help_text="Predicted size of the exported file.")
    limits = models.JSONField(
        default=list, help_text="Of every limit: name, unit, maximum, predicted value, interval, chance."
    )
    on_front = models.BooleanField()

    class Meta:
        ordering = ["rank"]
        constraints = [models.UniqueConstraint(fields=["search", "rank"], name="candidate_rank")]

    def __str__(self) -> str:
        return f"{self.search.name} #{self.rank}"

    def get_absolute_url(self) -> str:
        return reverse("candidate", args=[self.pk])

    @property
    def architecture(self) -> Architecture:
        return Architecture(self.search.predictor.space.load(), tuple(self.genes))


class TrainedModel(models.Model):
    """A candidate trained to the end: measured accuracy, measured latency, a verified file."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="models")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="model")
    candidate = models.ForeignKey(Candidate, on_delete=models.PROTECT, related_name="models")
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

    def __str__(self) -> str:
        return f"Model of {self.candidate}"

    def get_absolute_url(self) -> str:
        return reverse("model", args=[self.pk])

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
