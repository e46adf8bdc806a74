"""Agents: programs that people run on devices, and what they fetch."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from django.db import models
from django.utils import timezone

from devices.models.devices import Device

PREFIX = "chamnet_"


class DeviceToken(models.Model):
    """Lets whoever has it act as one device's agent. Only a hash is kept: it has the entropy of 32 bytes."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    ending = models.CharField(max_length=4, help_text="Its last characters, to tell tokens apart.")
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    agent = models.JSONField(default=dict, help_text="What the agent said of its machine when last seen.")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"…{self.ending} of {self.device}"

    @classmethod
    def issue(cls, device: Device) -> tuple[DeviceToken, str]:
        """A new token, and its text, which is known only now."""
        text = PREFIX + secrets.token_urlsafe(32)
        return cls.objects.create(device=device, digest=digest(text), ending=text[-4:]), text

    @classmethod
    def find(cls, text: str) -> DeviceToken | None:
        """The token of this text, unless it was revoked."""
        rows = cls.objects.select_related("device__owner").filter(revoked_at=None)
        return rows.filter(digest=digest(text), device__owner__is_active=True).first()

    @property
    def is_connected(self) -> bool:
        return self.seen_at is not None and (timezone.now() - self.seen_at).total_seconds() < 60


class KernelFile(models.Model):
    """An operator or a whole network as a file that an engine runs; shared by all devices."""

    engine = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, help_text="Of what it was built from.")
    sha256 = models.CharField(max_length=64, help_text="Of the file.")
    size = models.PositiveIntegerField()
    file = models.FileField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["engine", "digest"], name="kernel_file_once")]

    def __str__(self) -> str:
        return f"{self.engine} {self.digest[:12]}"


def digest(text: Any) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()
