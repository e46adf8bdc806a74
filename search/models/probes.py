"""How long trainings will take, from timed steps."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse

from devices.runs.models import Run
from search.models.ownership import OwnedQuerySet
from search.models.predictors import Space, TrainingRecipe


class Probe(models.Model):
    """A few timed steps of a typical network's training; what a whole sample would take follows from them."""

    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="probes")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="probe")
    space = models.ForeignKey(Space, on_delete=models.PROTECT, related_name="+")
    dataset = models.CharField(max_length=80)
    recipe = models.ForeignKey(TrainingRecipe, on_delete=models.PROTECT, related_name="+")
    seconds = models.FloatField(null=True, help_text="Of a sample, the middle of a few networks.")
    least_seconds = models.FloatField(null=True)
    most_seconds = models.FloatField(null=True)

    objects = OwnedQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.space} on {self.dataset}: {self.seconds} s"

    def get_absolute_url(self) -> str:
        return reverse("predictor-new")
