"""Networks of others, to stand beside one's own on charts."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from search.models.ownership import OwnedQuerySet


class PublishedSet(models.Model):
    """Published networks with their accuracies and latencies, from a file."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="published")
    name = models.CharField(max_length=80)
    points = models.JSONField(help_text="[label, accuracy from 0 to 1, latency in ms] of every network.")
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="published_name_per_owner")]

    def __str__(self) -> str:
        return self.name
