"""The energy of one call: long runs, idle power subtracted, repeated."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devices.meters.meter import Meter, MeterError

Timed = Callable[[], object]

REPEATS = 3
SHORTEST_SECONDS = 0.5  # of one repeat
STEPS = 100  # of the meter's resolution that a repeat must be long enough for
LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class EnergyFound:
    """Energy of one call, idle power subtracted, once per repeat."""

    joules_a_call: list[float]
    idle_watts: float
    seconds: float  # of one repeat
    meter: str
    resolution_j: float

    def facts(self) -> dict[str, Any]:
        """How it was measured, as JSON."""
        return {
            "meter": self.meter,
            "resolution_j": self.resolution_j,
            "idle_watts": self.idle_watts,
            "seconds": self.seconds,
        }


def measure_energy(
    call: Timed,
    meter: Meter,
    *,
    shortest_seconds: float = SHORTEST_SECONDS,
    check: Callable[[], object] = lambda: None,
) -> EnergyFound:
    """Runs a call over and over, as long as the meter's resolution asks for, and again.

    Idle power is measured before and after, as the mean of both, so that a slow drift does not count. `check`
    is called between parts and may raise to stop. Raises MeterError when the meter fails, or when the call
    takes no more than idling does: then the meter does not see it.
    """
    call()
    before = _idle_watts(meter, shortest_seconds)
    check()
    seconds = _long_enough(call, meter, before, shortest_seconds)
    found = []
    for _ in range(REPEATS):
        joules, calls, took = _run(call, meter, seconds)
        check()
        found.append((joules, calls, took))
    idle = (before + _idle_watts(meter, shortest_seconds)) / 2.0
    net = [(joules - idle * took) / calls for joules, calls, took in found]
    if min(net) <= 0:
        raise MeterError(
            f"{meter.name} shows no more energy while the network runs than while the device idles "
            f"({idle:.3g} W): it does not see this engine, or something else was running."
        )
    return EnergyFound(net, idle, seconds, meter.name, meter.resolution_j)


def _idle_watts(meter: Meter, seconds: float) -> float:
    meter.start()
    time.sleep(seconds)
    joules, took = meter.stop()
    return joules / took


def _long_enough(call: Timed, meter: Meter, idle: float, seconds: float) -> float:
    """Seconds of a repeat in which the net energy is many times the meter's resolution."""
    while True:
        joules, _, took = _run(call, meter, seconds)
        net = joules - idle * took
        if net >= STEPS * meter.resolution_j or seconds >= LONGEST_SECONDS:
            return seconds
        seconds = min(2.0 * seconds, LONGEST_SECONDS)


def _run(call: Timed, meter: Meter, seconds: float) -> tuple[float, int, float]:
    """Joules, calls and seconds of running a call for about so long."""
    meter.start()
    calls, begun = 0, time.monotonic()
    while time.monotonic() - begun < seconds:
        call()
        calls += 1
    joules, took = meter.stop()
    return joules, calls, took
