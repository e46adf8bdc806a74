"""The meters there are: RAPL, NVML, and a program of the person's own."""

from __future__ import annotations

import math
import re
import shlex
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from devices.meters.meter import Meter, MeterError

POWERCAP = Path("/sys/class/powercap")
SAMPLED_EVERY_SECONDS = 0.05  # power, where a program prints watts
COMMAND_SECONDS = 10.0
READING = re.compile(r"([-+0-9.eE]+)\s*(mJ|J|mW|W)\b")
UNITS = {"mJ": 1e-3, "J": 1.0, "mW": 1e-3, "W": 1.0}


def available(command: str | None = None, powercap: Path = POWERCAP) -> list[Meter]:
    """The meters that can be read here, the person's own program first."""
    found: list[Meter] = []
    if command:
        found.append(CommandMeter(command))
    for made in (lambda: RaplMeter(powercap), NvmlMeter):
        try:
            found.append(made())
        except MeterError:
            continue
    return found


class _Described:
    name: str
    resolution_j: float

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "resolution_j": self.resolution_j}


class _Counter(_Described, ABC):
    """A meter that reads a counter which only grows."""

    def start(self) -> None:
        self._from, self._began = self._read(), time.monotonic()

    def stop(self) -> tuple[float, float]:
        used, ended = self._read() - self._from, time.monotonic()
        if used < 0:
            raise MeterError(f"{self.name} went down by {-used:g} J while it was read.")
        return used, ended - self._began

    @abstractmethod
    def _read(self) -> float:
        """Joules so far. Raises MeterError."""


class RaplMeter(_Counter):
    """Intel's and AMD's running average power limit, as Linux shows it: whole processor packages.

    Source: the kernel's documentation of powercap. Counters are in microjoules and start again from 0 above
    max_energy_range_uj.
    """

    def __init__(self, powercap: Path = POWERCAP) -> None:
        zones = sorted(powercap.glob("intel-rapl:[0-9]*"))
        self._zones = [zone for zone in zones if zone.name.count(":") == 1 and (zone / "energy_uj").exists()]
        self._last: dict[Path, int] = {}
        self._turned: dict[Path, int] = {}
        self.resolution_j = 61e-6  # the usual energy unit; counters advance about once a millisecond
        self.name = "RAPL, processor package"
        if not self._zones:
            raise MeterError("This machine has no RAPL counters.")
        self._read()

    def _read(self) -> float:
        total = 0
        for zone in self._zones:
            try:
                value = int((zone / "energy_uj").read_text())
                if value < self._last.get(zone, 0):
                    turn = int((zone / "max_energy_range_uj").read_text()) + 1
                    self._turned[zone] = self._turned.get(zone, 0) + turn
            except (OSError, ValueError) as error:
                raise MeterError(f"RAPL cannot be read: {error}. It is usually for root only.") from error
            self._last[zone] = value
            total += value + self._turned.get(zone, 0)
        return total / 1e6


class NvmlMeter(_Counter):
    """The energy counter of the first Nvidia GPU, in millijoules (nvidia-ml-py)."""

    def __init__(self) -> None:
        try:
            import pynvml

            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(0)
            self._nvml = pynvml
            self.name = f"NVML, {pynvml.nvmlDeviceGetName(self._handle)}"
        except ImportError as error:
            raise MeterError("nvidia-ml-py is not installed.") from error
        except pynvml.NVMLError as error:
            raise MeterError(f"This machine has no GPU that NVML can read: {error}.") from error
        self.resolution_j = 1e-3
        self._read()

    def _read(self) -> float:
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1000.0
        except self._nvml.NVMLError as error:
            raise MeterError(f"NVML does not count this GPU's energy: {error}.") from error


class CommandMeter(_Counter):
    """A program of the person's own, run anew for each reading.

    It prints joules used so far ("12.3 J"), of which differences are taken, or power now ("4.5 W"), which is
    sampled while something runs and integrated. mJ and mW are known too.
    """

    def __init__(self, command: str) -> None:
        self._command = shlex.split(command)
        if not self._command:
            raise MeterError("The reading program's command is empty.")
        self.name = f"program {Path(self._command[0]).name}"
        value, self._unit, text = self._reading()
        digits = len(text.partition(".")[2]) if "e" not in text.lower() else 3
        scale = UNITS[self._unit]
        self._counts = self._unit.endswith("J")
        step = scale * 10.0**-digits
        self.resolution_j = step if self._counts else step * SAMPLED_EVERY_SECONDS
        self._from = value

    def _read(self) -> float:
        return self._reading()[0]

    def start(self) -> None:
        if self._counts:
            super().start()
            return
        self._samples: list[tuple[float, float]] = []
        self._failed: MeterError | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> tuple[float, float]:
        if self._counts:
            return super().stop()
        ended = time.monotonic()
        self._done.set()
        self._thread.join()
        if self._failed is not None:
            raise self._failed
        begun = self._samples[0][0]
        inside = [watts for at, watts in self._samples if at <= ended] or [self._samples[0][1]]
        took = max(ended - begun, 1e-9)
        return took * sum(inside) / len(inside), took

    def _sample(self) -> None:
        begun = time.monotonic()
        while not self._samples or not self._done.wait(SAMPLED_EVERY_SECONDS):
            try:
                watts = self._reading()[0]
            except MeterError as error:
                self._failed = error
                return
            self._samples.append((begun if not self._samples else time.monotonic(), watts))

    def _reading(self) -> tuple[float, str, str]:
        """Joules or watts, the unit, and the number as printed. Raises MeterError."""
        try:
            answer = subprocess.run(  # noqa: S603  (the person's own program)
                self._command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise MeterError(f"The reading program failed: {error}") from error
        found = READING.search(answer)
        try:
            value = float(found.group(1)) * UNITS[found.group(2)] if found else math.nan
        except ValueError:
            value = math.nan
        if found is None or not math.isfinite(value) or value < 0:
            raise MeterError(
                f"The reading program must print joules or watts, “12.3 J”, not “{answer[:60].strip()}”."
            )
        if hasattr(self, "_unit") and found.group(2)[-1] != self._unit[-1]:
            raise MeterError("The reading program changed from energy to power.")
        return value, found.group(2), found.group(1)
