"""Searches, their limits, generations and candidates."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from devices.models import Device, LatencyTable
from devices.runs.models import Run
from search.models.ownership import OwnedQuerySet
from search.models.predictors import CostPredictor, Predictor
from search.spaces import Architecture


class Search(models.Model):
    """A constrained genetic search over one predictor and one table version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="searches")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="search")
    name = models.CharField(max_length=80)
    predictor = models.ForeignKey(Predictor, on_delete=models.PROTECT, related_name="searches")
    table = models.ForeignKey(LatencyTable, null=True, on_delete=models.PROTECT, related_name="searches")
    timing = models.ForeignKey(
        CostPredictor,
        null=True,
        on_delete=models.PROTECT,
        related_name="searches",
        help_text="Predicts the latency of a device that has no table, only whole networks measured.",
    )
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
        indexes = [models.Index(fields=["owner", "-created_at"], name="search_newest_of_owner")]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="search_name_per_owner"),
            models.CheckConstraint(
                condition=models.Q(table__isnull=False, timing__isnull=True)
                | models.Q(table__isnull=True, timing__isnull=False),
                name="latency_from_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("search", args=[self.pk])

    @property
    def form_url(self) -> str:
        """The form that begins another, filled in with these settings."""
        return f"{reverse('search-new')}?like={self.pk}"

    @property
    def latency_source(self) -> LatencyTable | CostPredictor:
        """What predicts the latency that is limited first."""
        found = self.table or self.timing
        assert found is not None  # noqa: S101  (the constraint holds it; for the type checker)
        return found

    @property
    def device(self) -> Device:
        """The device whose latency is limited first."""
        return self.latency_source.device


class SearchLimit(models.Model):
    """A further limit of a search: latency or energy, there or on another device."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="further_limits")
    table = models.ForeignKey(LatencyTable, null=True, on_delete=models.PROTECT, related_name="+")
    cost = models.ForeignKey(CostPredictor, null=True, on_delete=models.PROTECT, related_name="+")
    maximum = models.FloatField(help_text="Milliseconds of latency, millijoules of energy.")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["search", "table"], name="limit_once_per_table"),
            models.UniqueConstraint(fields=["search", "cost"], name="limit_once_per_cost"),
            models.CheckConstraint(
                condition=models.Q(table__isnull=False, cost__isnull=True)
                | models.Q(table__isnull=True, cost__isnull=False),
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
        assert self.cost is not None  # noqa: S101  (the constraint holds it; for the type checker)
        return self.cost.subject

    @property
    def unit(self) -> str:
        return "ms" if self.cost is None else self.cost.unit


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
        indexes = [models.Index(fields=["search", "on_front", "rank"], name="candidate_front")]
        constraints = [models.UniqueConstraint(fields=["search", "rank"], name="candidate_rank")]

    def __str__(self) -> str:
        return f"{self.search.name} #{self.rank}"

    def get_absolute_url(self) -> str:
        return reverse("candidate", args=[self.pk])

    @property
    def label(self) -> str:
        return f"candidate {self.rank}"

    @property
    def architecture(self) -> Architecture:
        return Architecture(self.search.predictor.space.load(), tuple(self.genes))

    @property
    def predictor(self) -> Predictor:
        return self.search.predictor

    @property
    def latency_source(self) -> LatencyTable | CostPredictor:
        return self.search.latency_source

    @property
    def device(self) -> Device:
        return self.search.device

    @property
    def limit_ms(self) -> float | None:
        return self.search.latency_limit_ms
