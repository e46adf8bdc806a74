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
                    "table.slice": "devices.steps.measure_slice",
                    "table.settle": "devices.steps.measure_unsettled",
                    "table.calibrate": "devices.steps.measure_networks",
                },
                keeps="The operators measured so far stay on the table's page; searches do not use it.",
            )
        )
