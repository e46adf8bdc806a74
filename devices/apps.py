from __future__ import annotations

from django.apps import AppConfig

from devices.runs.registry import RunKind, register


class DevicesConfig(AppConfig):
    """Devices and how fast their operators are."""

    name = "devices"

    def ready(self) -> None:
        register(
            RunKind(
                name="table",
                steps={
                    "table.prepare": "devices.steps.prepare",
                    "table.measure": "devices.steps.measure",
                    "table.learn": "devices.steps.learn",
                    "table.finish": "devices.steps.finish",
                    "table.interpolate": "devices.steps.interpolate",
                },
                keeps="The operators measured so far stay on the table's page; searches do not use it.",
            )
        )
