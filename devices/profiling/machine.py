"""What the machine was like while measuring: the facts that explain a latency later."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")
THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")


def describe_machine() -> dict[str, object]:
    """Processor, clock governor, temperature where readable, load and versions. None means not readable."""
    temperature = _read(THERMAL)
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "governor": _read(CPU / "scaling_governor"),
        "temperature_celsius": float(temperature) / 1000 if temperature else None,
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "threads": torch.get_num_threads(),
        "engine": f"TorchScript, torch {torch.__version__}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.lower().startswith(("model name", "hardware")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
