"""Long jobs as rows.

A `Run` is what a person started. Its life:

    queued -> running <-> paused -> succeeded | failed | cancelled
      ^                                           |        |
      +-------------------------------------------+--------+  tried again, where it is `mendable`

`succeeded`, `failed` and `cancelled` are final: no worker takes a step of such a run. Only a person makes a
failed or cancelled one begin again, with everything it had finished. Every change of status is made by a
`RunWriter` that holds the run's row, and only from a status that leads there; nothing else writes `status`.

A `Step` is one idempotent piece of a run that a worker claims with a lease:

    ready -> leased -> done | failed
      ^        |              |
      +--------+              |  the lease expired, or the worker gave the step back
      +-----------------------+  its run is tried again

A run that fails or is cancelled keeps its ready steps, which nobody takes until it is tried again.

The rows are the truth. A broker message is only a hint that a step is ready, so a lost message costs
time, never work, and a doubled one finds nothing left to claim.

An `Event` is one line of a run's history, numbered without gaps from 1, from which a page that reconnects
continues where it left off.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from devices.runs import registry
from devices.runs.models.notices import When


class RunQuerySet(models.QuerySet["Run"]):
    def owned_by(self, owner: Any) -> RunQuerySet:
        return self.filter(owner=owner)

    def unfinished(self) -> RunQuerySet:
        return self.filter(status__in=set(Run.Status) - Run.FINAL)


class Run(models.Model):
    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    FINAL: ClassVar[frozenset[str]] = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
    RETRIABLE: ClassVar[frozenset[str]] = frozenset({Status.FAILED, Status.CANCELLED})
    ACTIVE: ClassVar[frozenset[str]] = frozenset({Status.QUEUED, Status.RUNNING})
    LONGEST_TITLE = 200

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="runs")
    parent = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="children")
    kind = models.CharField(max_length=32)
    title = models.CharField(max_length=LONGEST_TITLE)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    message = models.CharField(max_length=300, default="", help_text="What is happening now.")
    reason = models.TextField(default="", help_text="Why it failed, in one sentence.")
    mendable = models.BooleanField(
        default=False, help_text="Failed or cancelled, and trying again may help: nothing in it forbids that."
    )
    notify = models.CharField(
        max_length=8,
        choices=When.choices,
        default="",
        blank=True,
        help_text="When its end is told; empty: as its owner has set it.",
    )
    stop_requested = models.BooleanField(default=False, help_text="End early with what is there.")
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(null=True, help_text="Empty while the amount of work is unknown.")
    last_seq = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    pace_at = models.DateTimeField(null=True, help_text="Start of the stretch the pace is taken from.")
    pace_done = models.PositiveIntegerField(default=0)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["owner", "-created_at"]),
            models.Index(fields=["owner", "kind", "-created_at"]),
            models.Index(fields=["owner", "status", "-finished_at"]),
            models.Index(fields=["status"]),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.get_status_display()})"

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @property
    def is_final(self) -> bool:
        return self.status in self.FINAL

    @property
    def keeps(self) -> str:
        """What remains when this run is cancelled: a sentence for the person who is about to."""
        return registry.kind(self.kind).keeps

    @property
    def can_stop_early(self) -> bool:
        return (
            registry.kind(self.kind).can_stop_early and self.status in self.ACTIVE and not self.stop_requested
        )

    @property
    def can_retry(self) -> bool:
        return self.mendable and self.status in self.RETRIABLE

    @property
    def notify_choices(self) -> list[tuple[str, str]]:
        """What `notify` can be, in words."""
        return [
            ("", "as set for all runs"),
            *((str(value), str(label).lower()) for value, label in When.choices),
        ]

    @property
    def form_url(self) -> str:
        """The form that begins such a run, filled in with this one's settings; empty where there is none.

        What a run works on is its attribute named like its kind.
        """
        return str(getattr(getattr(self, self.kind, None), "form_url", ""))

    @property
    def seconds(self) -> float | None:
        """Wall time since the start, until the end or until now."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()

    @property
    def seconds_left(self) -> float | None:
        """About how long is left at the pace since the run last started or resumed. None when unknown."""
        if self.status != self.Status.RUNNING or self.pace_at is None or self.total is None:
            return None
        made = self.done - self.pace_done
        if made <= 0:
            return None
        pace = (timezone.now() - self.pace_at).total_seconds() / made
        return pace * max(self.total - self.done, 0)


class StepQuerySet(models.QuerySet["Step"]):
    def open(self) -> StepQuerySet:
        return self.filter(status__in=[Step.Status.READY, Step.Status.LEASED])

    def expired(self) -> StepQuerySet:
        return self.filter(status=Step.Status.LEASED, lease_expires_at__lt=timezone.now())

    def unannounced(self, older_than: timedelta) -> StepQuerySet:
        """Ready steps of running runs that no broker message has named for a while."""
        stale = models.Q(announced_at=None) | models.Q(announced_at__lt=timezone.now() - older_than)
        return self.filter(stale, status=Step.Status.READY, run__status__in=Run.ACTIVE)


class Step(models.Model):
    class Status(models.TextChoices):
        READY = "ready"
        LEASED = "leased"
        DONE = "done"
        FAILED = "failed"

    class Queue(models.TextChoices):
        TRAIN = "train"
        LIGHT = "light"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=80, help_text="Unique in its run: the same step is never added twice.")
    kind = models.CharField(max_length=48)
    queue = models.CharField(max_length=8, choices=Queue.choices)
    payload = models.JSONField(default=dict)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.READY)
    token = models.UUIDField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    announced_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(default=timezone.now, help_text="Since when it waits for a worker.")
    seconds = models.FloatField(null=True, help_text="What the try took that did it.")
    lost = models.PositiveIntegerField(default=0, help_text="How often its lease expired.")

    objects = StepQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="step_once_per_run")]
        indexes = [models.Index(fields=["status", "lease_expires_at"])]

    def __str__(self) -> str:
        return f"{self.run_id} {self.name} ({self.status})"


class Event(models.Model):
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=48)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="event_seq_per_run")]

    def __str__(self) -> str:
        return f"{self.run_id} #{self.seq} {self.kind}"

    def envelope(self) -> dict[str, object]:
        """The one shape in which events travel to browsers (version 1)."""
        return {
            "v": 1,
            "run": str(self.run_id),
            "seq": self.seq,
            "kind": self.kind,
            "at": self.at.isoformat(),
            "data": self.data,
        }
