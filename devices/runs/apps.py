from __future__ import annotations

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """The common life of every long job: runs, their steps, their events."""

    name = "devices.runs"
    label = "runs"
