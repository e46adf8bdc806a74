"""Composition root: settings, URLs, ASGI and the Celery application. No domain logic."""
