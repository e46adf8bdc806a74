from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class CompositionConfig(AppConfig):
    """Whatever sends tasks sends them by this installation's Celery application.

    It is loaded here and not with the package, so that the client, which lies in it, needs neither.
    """

    name = "chamnet_web"
    label = "composition"

    def ready(self) -> None:
        import_module("chamnet_web.celery")
