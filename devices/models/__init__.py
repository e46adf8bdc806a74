"""Devices, the versions of their latency tables, their agents, and networks to be measured."""

from __future__ import annotations

from devices.models.agents import DeviceToken, KernelFile
from devices.models.devices import Device
from devices.models.networks import NetworkMeasurement
from devices.models.tables import CalibrationPoint, LatencyTable, TableEntry, TableScope

__all__ = [
    "CalibrationPoint",
    "Device",
    "DeviceToken",
    "KernelFile",
    "LatencyTable",
    "NetworkMeasurement",
    "TableEntry",
    "TableScope",
]
