"""What programs come with: access tokens instead of a session, and keys that make a request happen once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

if TYPE_CHECKING:
    from chamnet_web.accounts.models import Team, User

PREFIX = "chamnet_pat_"
USE_IS_NOTED_EVERY = timedelta(minutes=1)
KEYS_ARE_KEPT = timedelta(days=1)


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    def active(self) -> AccessTokenQuerySet:
        """Those that open something still, as far as they themselves say."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)


class AccessToken(models.Model):
    """Lets whoever has it act as one person in one team. Only a hash is kept: it has the entropy of 32 bytes.

    It never allows more than the person's role in that team does, and nothing once they have left it.
    """

    class Scope(models.TextChoices):
        READ = "read", "Read"
        WRITE = "write", "Read and write"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_tokens")
    team = models.ForeignKey("accounts.Team", on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=80)
    scope = models.CharField(max_length=5, choices=Scope.choices, default=Scope.WRITE)
    digest = models.CharField(max_length=64, unique=True)
    ending = models.CharField(max_length=4, help_text="Its last characters, to tell tokens apart.")
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} (…{self.ending})"

    @classmethod
    def issue(
        cls, *, user: User, team: Team, name: str, scope: str, expires_at: datetime | None = None
    ) -> tuple[AccessToken, str]:
        """A new token, and its text, which is known only now."""
        text = PREFIX + secrets.token_urlsafe(32)
        made = cls.objects.create(
            user=user,
            team=team,
            name=name,
            scope=scope,
            digest=_digest(text),
            ending=text[-4:],
            expires_at=expires_at,
        )
        return made, text

    @classmethod
    def find(cls, text: str) -> AccessToken | None:
        """The token of this text, unless it, its person or its team is no longer active."""
        rows = cls.objects.active().filter(user__is_active=True, team__is_active=True)
        return rows.select_related("user", "team").filter(digest=_digest(text)).first()

    def note_use(self) -> None:
        """Writes down that it was used, at most once a minute."""
        now = timezone.now()
        if self.used_at is None or now - self.used_at > USE_IS_NOTED_EVERY:
            AccessToken.objects.filter(pk=self.pk).update(used_at=now)

    def revoke(self) -> None:
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])


class OnceKeyQuerySet(models.QuerySet["OnceKey"]):
    def forgotten(self) -> OnceKeyQuerySet:
        """Those whose request would be a new one."""
        return self.filter(created_at__lt=timezone.now() - KEYS_ARE_KEPT)


class OnceKey(models.Model):
    """A request that happens once however often it is sent: the key its sender chose, and its answer.

    Without an answer the request is being worked on, or the process that did was killed before anything of it
    was stored: the answer and what the request made are stored together.
    """

    team = models.ForeignKey("accounts.Team", on_delete=models.CASCADE, related_name="+")
    holder = models.CharField(max_length=40, help_text="The person or the device's token that chose it.")
    key = models.CharField(max_length=100)
    fingerprint = models.CharField(max_length=64, help_text="Of the method, address and content.")
    status = models.PositiveIntegerField(null=True)
    content = models.TextField(default="")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = OnceKeyQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "holder", "key"], name="once_per_key")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status or 'under way'}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
