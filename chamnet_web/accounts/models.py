"""Accounts, the teams that everything belongs to, and who did what.

A person sees and does what their role in a team allows: a viewer looks, a member also starts, changes and
ends things, an owner also decides who belongs to the team. Nobody sees anything of other teams. Accounts are
made by invitation only.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

from chamnet_web.accounts.tokens import AccessToken, OnceKey

__all__ = ["AccessToken", "AuditEntry", "Invitation", "Membership", "OnceKey", "Team", "User"]

INVITATION_LASTS = timedelta(days=7)


class AccountManager(UserManager["User"]):
    """Every account begins with a team of its own, unless it was invited to one."""

    use_in_migrations = False

    def create_user(
        self, username: str, email: str | None = None, password: str | None = None, **fields: Any
    ) -> User:
        """A new account; with `invited=True` it gets no team of its own."""
        invited = fields.pop("invited", False)
        with transaction.atomic():
            user = super().create_user(username, email, password, **fields)
            if not invited:
                Team.begin(user=user, name=f"{username}’s team")
        return user

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **fields: Any
    ) -> User:
        with transaction.atomic():
            user = super().create_superuser(username, email, password, **fields)
            Team.begin(user=user, name=f"{username}’s team")
        return user


class User(AbstractUser):
    """A person who can sign in. `password_is_one_time` holds until they choose a password of their own."""

    password_is_one_time = models.BooleanField(default=False)
    session_epoch = models.PositiveIntegerField(
        default=0, help_text="Counting it up ends every session of this account."
    )

    objects: ClassVar[AccountManager] = AccountManager()

    def get_session_auth_hash(self) -> str:
        return f"{super().get_session_auth_hash()}.{self.session_epoch}"

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        for found in super().get_session_auth_fallback_hash():
            yield f"{found}.{self.session_epoch}"


class Team(models.Model):
    """What devices, runs, predictors, searches and models belong to."""

    name = models.CharField(max_length=80)
    is_active = models.BooleanField(
        default=True, help_text="Tokens of an inactive team's devices are refused."
    )
    created_at = models.DateTimeField(default=timezone.now)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="teams")

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def begin(cls, *, user: User, name: str) -> Team:
        """A new team that `user` owns."""
        team = cls.objects.create(name=name[:80])
        Membership.objects.create(team=team, user=user, role=Membership.Role.OWNER)
        return team


class Membership(models.Model):
    class Role(models.TextChoices):
        VIEWER = "viewer", "Viewer"
        MEMBER = "member", "Member"
        OWNER = "owner", "Owner"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["since", "pk"]
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="member_once_per_team")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team} ({self.role})"

    @property
    def may_change(self) -> bool:
        return self.role in (self.Role.MEMBER, self.Role.OWNER)

    @property
    def may_invite(self) -> bool:
        return self.role == self.Role.OWNER


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> InvitationQuerySet:
        return self.filter(accepted_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """Lets whoever has its link join a team once. Only a hash of the link's secret is kept."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=8, choices=Membership.Role.choices, default=Membership.Role.MEMBER)
    note = models.CharField(max_length=80, blank=True, help_text="Whom it is for.")
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.role} of {self.team} for {self.note or 'somebody'}"

    @classmethod
    def issue(cls, *, team: Team, role: str, note: str, invited_by: User) -> tuple[Invitation, str]:
        """A new invitation, and the path of its link, which is known only now."""
        secret = secrets.token_urlsafe(32)
        made = cls.objects.create(
            team=team,
            role=role,
            note=note,
            digest=_digest(secret),
            invited_by=invited_by,
            expires_at=timezone.now() + INVITATION_LASTS,
        )
        return made, reverse("join", args=[secret])

    @classmethod
    def find(cls, secret: str) -> Invitation | None:
        """The invitation of this secret, unless it was used, revoked or is too old."""
        return cls.objects.open().select_related("team").filter(digest=_digest(secret)).first()


class AuditEntry(models.Model):
    """One thing that a person did in a team."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="audit")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    username = models.CharField(max_length=150, help_text="Stays when the account is gone.")
    action = models.CharField(max_length=60, help_text="The name of the address that was asked.")
    path = models.CharField(max_length=300, help_text="What it was done to, or what came of it.")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["team", "-id"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.username} {self.action} {self.path}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
