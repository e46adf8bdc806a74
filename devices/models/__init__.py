"""Devices, the versions of their latency tables, and their agents."""

from __future__ import annotations

from devices.models.agents import DeviceToken, KernelFile
from devices.models.devices import Device
from devices.models.tables import CalibrationPoint, LatencyTable, TableEntry, TableScope

__all__ = [
    "CalibrationPoint",
    "Device",
    "DeviceToken",
    "KernelFile",
    "LatencyTable",
    "TableEntry",
    "TableScope",
]
