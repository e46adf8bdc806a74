"""Devices."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


class DeviceQuerySet(models.QuerySet["Device"]):
    def owned_by(self, owner: Any) -> DeviceQuerySet:
        return self.filter(owner=owner)


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
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="devices")
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
        return self.is_this_machine and self.engine == self.Engine.TORCHSCRIPT and self.has_kernels

    @property
    def has_kernels(self) -> bool:
        """Whether operators can be built for its engine and data type: then the agent can measure it."""
        return self.engine != self.Engine.EXTERNAL and self.data_type == self.DataType.FLOAT32
