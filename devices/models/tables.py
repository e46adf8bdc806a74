"""The versions of devices' latency tables."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterable
from typing import Any

from django.db import models
from django.urls import reverse
from django.utils import timezone

from devices.models.devices import Device
from devices.operators import Operator
from devices.runs.models import Run
from devices.tables import Calibration, Measurement, OperatorTable


class LatencyTableQuerySet(models.QuerySet["LatencyTable"]):
    def owned_by(self, owner: Any) -> LatencyTableQuerySet:
        return self.filter(device__owner=owner)

    def usable(self) -> LatencyTableQuerySet:
        return self.filter(run__status=Run.Status.SUCCEEDED)


class LatencyTable(models.Model):
    """One version of a device's measurements. Never edited: measuring again makes the next version."""

    class Source(models.TextChoices):
        WORKER = "worker", "This installation's workers"
        AGENT = "agent", "An agent on the device"
        FILE = "file", "An imported file"
        TABLE = "table", "Another version"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="tables")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="table")
    version = models.PositiveIntegerField()
    space_id = models.CharField(max_length=16)
    space_name = models.CharField(max_length=80)
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.WORKER)
    basis = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.RESTRICT,
        related_name="heirs",
        help_text="The version whose operators it shares: only its calibration is newer.",
    )
    operator_keys = models.JSONField(help_text="What is timed, in the order in which it was chosen.")
    operator_count = models.PositiveIntegerField(default=0, help_text="How many the space needs.")
    networks = models.JSONField(help_text="Whole networks to calibrate on: lists of [name, key, inputs].")
    network_samples_us = models.JSONField(default=list, help_text="Their timings so far, a list a network.")
    position = models.JSONField(default=dict, help_text="What is measured now: see devices.measuring.")
    number = models.PositiveIntegerField(default=0, help_text="Of what is measured now; it only grows.")
    quality = models.JSONField(null=True, help_text="Of learned operators: label, measured, error a family.")
    provenance = models.JSONField(default=dict, help_text="The machine and software as found when measuring.")
    calibration = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = LatencyTableQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["device", "version"], name="table_version_per_device")]

    def __str__(self) -> str:
        return f"{self.device.name} v{self.version} ({self.space_name})"

    def get_absolute_url(self) -> str:
        return reverse("table", args=[self.pk])

    @property
    def form_url(self) -> str:
        """The form that begins another with these settings; empty for one that nobody here measured."""
        if not self.space_id or self.source not in (self.Source.WORKER, self.Source.AGENT):
            return ""
        return f"{reverse('device', args=[self.device_id])}?like={self.pk}#measure-title"

    def load(self) -> OperatorTable:
        """The measurements with their calibration, ready for look-ups."""
        calibration = Calibration.from_json(self.calibration) if self.calibration else None
        return OperatorTable(self.measurements(), calibration)

    def measurements(self) -> list[Measurement]:
        fields = ("key", "repeats", "minimum_us", "p10_us", "p50_us", "p90_us", "deviation")
        return [Measurement(*row) for row in self.rows.values_list(*fields)]

    @property
    def rows(self) -> models.QuerySet[TableEntry]:
        """The operators, its own or those of the version it is based on."""
        return (self.basis or self).entries.all()


class TableScope(models.Model):
    """Every operator that a table's space needs, where it is more than is timed."""

    table = models.OneToOneField(LatencyTable, on_delete=models.CASCADE, related_name="scope")
    packed = models.BinaryField()

    def __str__(self) -> str:
        return f"operators of {self.table}"

    @staticmethod
    def pack(keys: Iterable[str]) -> bytes:
        return zlib.compress("\n".join(keys).encode())

    @property
    def operators(self) -> list[Operator]:
        return [Operator.parse(key) for key in zlib.decompress(self.packed).decode().split("\n")]


class TableEntry(models.Model):
    """One operator's measurements, in microseconds."""

    table = models.ForeignKey(LatencyTable, on_delete=models.CASCADE, related_name="entries")
    key = models.CharField(max_length=500)
    samples_us = models.JSONField(
        help_text="Every timing, grouped by nothing: the order is the order measured."
    )
    repeats = models.PositiveIntegerField()
    minimum_us = models.FloatField()
    p10_us = models.FloatField()
    p50_us = models.FloatField()
    p90_us = models.FloatField()
    deviation = models.FloatField(
        default=0.0, help_text="Relative standard deviation of a time that was learned; 0 when measured."
    )
    original = models.JSONField(null=True, help_text="The record of a foreign format it was read from.")

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["table", "key"], name="entry_per_key")]
        indexes = [
            models.Index(fields=["table", "deviation"], name="entry_learned"),
            models.Index(
                fields=["table", "key"], condition=models.Q(original__isnull=False), name="entry_foreign"
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def operator(self) -> Operator:
        """Raises ValueError for a foreign key."""
        return Operator.parse(self.key)

    @property
    def is_foreign(self) -> bool:
        """Whether no space of ours can use it: its key is of another vocabulary."""
        return not Operator.knows(self.key)

    @property
    def measurement(self) -> Measurement:
        return Measurement(
            key=self.key,
            repeats=self.repeats,
            minimum_us=self.minimum_us,
            p10_us=self.p10_us,
            p50_us=self.p50_us,
            p90_us=self.p90_us,
            deviation=self.deviation,
        )

    def add(self, samples_us: list[float]) -> None:
        """Takes further timings in and works the statistics out anew. Does not save."""
        self.samples_us = [*self.samples_us, *(round(sample, 4) for sample in samples_us)]
        summary = Measurement.from_samples(self.key, self.samples_us)
        self.repeats, self.minimum_us = summary.repeats, summary.minimum_us
        self.p10_us, self.p50_us, self.p90_us = summary.p10_us, summary.p50_us, summary.p90_us


class CalibrationPoint(models.Model):
    """A whole network timed on the device, beside the sum of its operators."""

    table = models.ForeignKey(LatencyTable, on_delete=models.CASCADE, related_name="points")
    label = models.CharField(max_length=80)
    summed_us = models.FloatField()
    measured_us = models.FloatField()
    expected_us = models.FloatField(
        null=True, help_text="Of a model that joined later: what the calibration before predicted."
    )
    learned_us = models.FloatField(default=0.0, help_text="How much of the sum is uncertain, being learned.")

    class Meta:
        ordering = ["measured_us"]

    def __str__(self) -> str:
        return f"{self.label}: {self.measured_us:.0f} µs"

    def as_json(self) -> dict[str, Any]:
        names = ("label", "summed_us", "measured_us", "learned_us", "expected_us")
        return {name: getattr(self, name) for name in names}
