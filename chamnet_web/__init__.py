"""Composition root: settings, URLs, ASGI and the Celery application. No domain logic."""

from __future__ import annotations

from chamnet_web.celery import app as celery_app

__all__ = ["celery_app"]
