"""Who an object belongs to."""

from __future__ import annotations

from typing import Any

from django.db import models

from devices.runs.models import Run


class OwnedQuerySet(models.QuerySet[Any]):
    def owned_by(self, owner: Any) -> OwnedQuerySet:
        return self.filter(owner=owner)

    def usable(self) -> OwnedQuerySet:
        return self.filter(run__status=Run.Status.SUCCEEDED)
