"""The clock, and what the machine is like while it runs. Nothing here needs an engine, Django or NumPy."""

from __future__ import annotations

from devices.timing.clock import Timed, time_call, time_in_rounds
from devices.timing.machine import describe_machine, pinned

__all__ = ["Timed", "describe_machine", "pinned", "time_call", "time_in_rounds"]
