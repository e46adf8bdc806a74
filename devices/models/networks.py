"""Whole networks that something wants measured on a device."""

from __future__ import annotations

from django.db import models

from devices.models.devices import Device
from devices.runs.models import Run


class NetworkMeasurement(models.Model):
    """One network of a run, to be measured once by a worker or an agent; the run's next step follows."""

    class Quantity(models.TextChoices):
        LATENCY = "latency", "Latency"
        ENERGY = "energy", "Energy"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="network_measurements")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="network_measurements")
    index = models.PositiveIntegerField()
    quantity = models.CharField(max_length=8, choices=Quantity.choices)
    network = models.JSONField(
        help_text="A packed network: [name, key, inputs] of each layer; or files: [name, digest, shapes]."
    )
    next_step = models.CharField(max_length=40, help_text="The kind of step that goes on with the result.")
    values = models.JSONField(null=True, help_text="Microseconds of a call, or millijoules of an image.")
    facts = models.JSONField(default=dict, help_text="Of the meter.")

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="network_once_per_run")]

    def __str__(self) -> str:
        return f"network {self.index} of {self.run}"
