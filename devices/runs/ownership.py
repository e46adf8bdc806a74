"""Whom things belong to: a team, of which this room knows only that requests have one."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.http import HttpRequest


def owner_of(request: HttpRequest) -> Any:
    """The owner of what a request reads and makes: views and the API ask for nobody else's objects."""
    return request.team  # type: ignore[attr-defined]  # set by the middleware of accounts


def owner_called(username: str) -> Any:
    """The oldest active owner that an account belongs to; None where there is none."""
    owners = apps.get_model(settings.OWNER_MODEL)._default_manager.filter(is_active=True)
    return owners.filter(memberships__user__username=username).order_by("memberships__pk").first()
