"""Whom the objects of a request belong to."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def owner_of(request: HttpRequest) -> Any:
    """The owner of what a request reads and makes: views and the API ask for nobody else's objects."""
    return request.user
