"""What the machine was like while measuring: the facts that explain a latency later."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")
THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")


def describe_machine(engine: str, threads: int) -> dict[str, object]:
    """Processor, clock governor, temperature where readable, load and versions. None means not readable.

    `engine` is the name and version of what executes the operators, with so many threads.
    """
    temperature = _read(THERMAL)
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "governor": _read(CPU / "scaling_governor"),
        "temperature_celsius": float(temperature) / 1000 if temperature else None,
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "threads": threads,
        "pinned_to_cores": _cores_for(threads),
        "engine": engine,
        "python": platform.python_version(),
    }


@contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Keeps this process to as many cores as it has threads, where the system can; all again afterwards.

    The last cores are taken: the first one serves most interrupts.
    """
    cores = _cores_for(threads)
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _cores_for(threads: int) -> list[int] | None:
    if not hasattr(os, "sched_getaffinity"):
        return None
    return sorted(os.sched_getaffinity(0))[-threads:]


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
