"""Energy meters, and what one call of a network takes. Nothing here needs an engine, Django or NumPy."""

from __future__ import annotations

from devices.meters.measuring import EnergyFound, measure_energy
from devices.meters.meter import Meter, MeterError
from devices.meters.sources import CommandMeter, NvmlMeter, RaplMeter, available

__all__ = [
    "CommandMeter",
    "EnergyFound",
    "Meter",
    "MeterError",
    "NvmlMeter",
    "RaplMeter",
    "available",
    "measure_energy",
]
