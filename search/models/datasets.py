"""Data sets that people brought, and their files on the way here."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from devices.runs.models import Run
from search.models.ownership import OwnedQuerySet
from search.training.datasets import Dataset


class Upload(models.Model):
    """A file that a browser sends in pieces; what has arrived lies under its id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=200)
    size = models.BigIntegerField(help_text="Bytes of the whole file.")
    received = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name}: {self.received} of {self.size} bytes"

    @property
    def path(self) -> Path:
        return Path(settings.UPLOAD_ROOT) / str(self.pk)

    @property
    def is_whole(self) -> bool:
        return self.received == self.size


class ImageSet(models.Model):
    """A data set of a team's own: what it came in, what was found, and where its images are now."""

    class Source(models.TextChoices):
        UPLOAD = "upload", "Uploaded"
        SERVER = "server", "On the server"
        BUILT_IN = "built-in", "Built in"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="image_sets")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="dataset")
    name = models.CharField(max_length=80)
    source = models.CharField(max_length=8, choices=Source.choices)
    origin = models.CharField(max_length=500, help_text="The file's name, or the folder on the server.")
    upload = models.OneToOneField(Upload, null=True, on_delete=models.SET_NULL, related_name="image_set")
    asked_size = models.PositiveIntegerField(null=True, help_text="Pixels; empty for what suits the images.")
    mirrors = models.BooleanField(default=False, help_text="A mirrored image is still of its class.")
    key = models.CharField(  # noqa: DJ001  (sets that are not read yet have none, and are no doubles)
        max_length=64, null=True, help_text="How predictors name it: by its content."
    )
    facts = models.JSONField(null=True, help_text="Classes, sizes, split, checksum.")
    report = models.JSONField(null=True, help_text="What was found on the way in.")
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="dataset_name_per_owner"),
            models.UniqueConstraint(fields=["owner", "key"], name="dataset_key_per_owner"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("dataset", args=[self.pk])

    @property
    def form_url(self) -> str:
        """The form that begins another, filled in with these settings; empty for a built-in set."""
        return f"{reverse('dataset-new')}?like={self.pk}" if self.source != self.Source.BUILT_IN else ""

    @property
    def place(self) -> Path:
        """Where the images are, once they are taken in."""
        return Path(settings.DATASET_ROOT) / str(self.facts["checksum"] if self.facts else self.pk)

    @property
    def workplace(self) -> Path:
        """Where they are while they are read."""
        return Path(settings.DATASET_ROOT) / f"reading-{self.pk}"

    def load(self) -> Dataset:
        """What trainings know of it. Raises ValueError before it is taken in."""
        facts = self.facts
        if facts is None or self.key is None:
            raise ValueError(f"The data set “{self.name}” is not read yet.")
        return Dataset(
            name=self.key,
            label=self.name,
            classes=tuple(facts["classes"]),
            image_size=facts["size"],
            channels=facts["channels"],
            train_images=facts["train"],
            validation_images=facts["validation"],
            test_images=facts["test"],
            checksum=facts["checksum"],
            origin=self.origin,
            mirrors=self.mirrors,
            place=self.place,
        )
