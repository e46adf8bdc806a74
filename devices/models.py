"""Devices, and the versions of their latency tables."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from devices.operators import Operator
from devices.runs.models import Run
from devices.tables import Calibration, Measurement, OperatorTable


class DeviceQuerySet(models.QuerySet["Device"]):
    def owned_by(self, user: Any) -> DeviceQuerySet:
        return self.filter(owner=user)


class Device(models.Model):
    """Hardware together with what runs on it: the same network is another device under another engine."""

    class Kind(models.TextChoices):
        MOBILE_CPU = "mobile-cpu", "Mobile CPU"
        DSP = "dsp", "DSP"
        GPU = "gpu", "GPU"
        SERVER_CPU = "server-cpu", "Server CPU"
        MICROCONTROLLER = "microcontroller", "Microcontroller"
        OTHER = "other", "Other"

    class Engine(models.TextChoices):
        TORCHSCRIPT = "torchscript", "TorchScript"
        ONNX_RUNTIME = "onnxruntime", "ONNX Runtime"
        EXTERNAL = "external", "External"

    class DataType(models.TextChoices):
        FLOAT32 = "float32", "float32"
        FLOAT16 = "float16", "float16"
        INT8 = "int8", "int8"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="devices")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    engine = models.CharField(max_length=16, choices=Engine.choices)
    data_type = models.CharField(max_length=8, choices=DataType.choices)
    threads = models.PositiveIntegerField()
    batch_size = models.PositiveIntegerField()
    note = models.TextField(blank=True, default="")
    is_this_machine = models.BooleanField(
        default=False, help_text="Its workers run on the device itself, so they can measure it."
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="device_name_per_owner")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("device", args=[self.pk])

    @property
    def can_be_measured_here(self) -> bool:
        return (
            self.is_this_machine
            and self.engine == self.Engine.TORCHSCRIPT
            and self.data_type == self.DataType.FLOAT32
        )


class LatencyTableQuerySet(models.QuerySet["LatencyTable"]):
    def owned_by(self, user: Any) -> LatencyTableQuerySet:
        return self.filter(device__owner=user)

    def usable(self) -> LatencyTableQuerySet:
        return self.filter(run__status=Run.Status.SUCCEEDED)


class LatencyTable(models.Model):
    """One version of a device's measurements. Never edited: measuring again makes the next version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="tables")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="table")
    version = models.PositiveIntegerField()
    space_id = models.CharField(max_length=16)
    space_name = models.CharField(max_length=80)
    operator_keys = models.JSONField(help_text="What the space needs, sorted.")
    networks = models.JSONField(help_text="Whole networks to calibrate on: lists of [name, key, inputs].")
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

    def load(self) -> OperatorTable:
        """The measurements with their calibration, ready for look-ups."""
        calibration = Calibration(**self.calibration) if self.calibration else None
        return OperatorTable((entry.measurement for entry in self.entries.all()), calibration)


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
    original = models.JSONField(null=True, help_text="The record of a foreign format it was read from.")

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["table", "key"], name="entry_per_key")]

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

    class Meta:
        ordering = ["measured_us"]

    def __str__(self) -> str:
        return f"{self.label}: {self.measured_us:.0f} µs"

    def as_json(self) -> dict[str, Any]:
        return {"label": self.label, "summed_us": self.summed_us, "measured_us": self.measured_us}
