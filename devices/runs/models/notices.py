"""Where an owner wants to be told of the ends of runs, and the notices that go there."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class When(models.TextChoices):
    ALWAYS = "always", "Always"
    FAILURE = "failure", "On failure"
    NEVER = "never", "Never"


def new_secret() -> str:
    return f"chamnet_{secrets.token_urlsafe(32)}"


class NoticeSettings(models.Model):
    """An owner's defaults; a run's own `notify` comes before `when`."""

    owner = models.OneToOneField(
        settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="notice_settings"
    )
    when = models.CharField(max_length=8, choices=When.choices, default=When.ALWAYS)
    sends_email = models.BooleanField(default=False)
    email = models.EmailField(default="", blank=True)
    webhook_url = models.URLField(max_length=500, default="", blank=True)
    webhook_secret = models.CharField(
        max_length=64, default=new_secret, help_text="Signs what is posted. Shown once, when it is made."
    )

    def __str__(self) -> str:
        return f"Notices of {self.owner}"

    @property
    def targets(self) -> dict[str, str]:
        """Channel -> where to; only those that can be reached as this installation is set up."""
        found = {}
        if self.sends_email and self.email and settings.EMAIL_IS_SET_UP:
            found[Notice.Channel.EMAIL] = self.email
        if self.webhook_url:
            found[Notice.Channel.WEBHOOK] = self.webhook_url
        return {str(channel): target for channel, target in found.items()}


class Notice(models.Model):
    """One message to one place about one end of a run:

        pending -> sent | failed

    A worker takes a pending notice that is due by a compare-and-swap on `tries` which also moves `due_at`
    into the future: one that is killed in mid-sending leaves a notice that falls due again. What was sent is
    never sent again.
    """

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.OWNER_MODEL, on_delete=models.CASCADE, related_name="notices")
    run = models.ForeignKey("runs.Run", null=True, on_delete=models.CASCADE, related_name="notices")
    end_seq = models.PositiveIntegerField(
        null=True, help_text="Number of the event that ended the run: a run tried again ends again."
    )
    channel = models.CharField(max_length=8, choices=Channel.choices)
    target = models.CharField(max_length=500)
    payload = models.JSONField(help_text="What is told, as a webhook gets it.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    tries = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    answer = models.PositiveIntegerField(null=True, help_text="HTTP status of the last answer.")
    problem = models.CharField(max_length=300, default="")
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["owner", "-created_at"]),
            models.Index(fields=["status", "due_at"]),
        ]
        constraints = [
            models.UniqueConstraint(fields=["run", "end_seq", "channel"], name="notice_once_per_end")
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} of {self.payload.get('title')} ({self.get_status_display()})"

    @property
    def sign(self) -> str:
        """The status of a run whose mark a page shows beside it."""
        return {"pending": "queued", "sent": "succeeded"}.get(self.status, self.status)
