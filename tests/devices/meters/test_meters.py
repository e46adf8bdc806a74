"""Meters, on counters and programs that the test makes: their truth is known."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from devices.meters import CommandMeter, MeterError, NvmlMeter, RaplMeter, available, measure_energy
from devices.meters import measuring as measuring_energy
from devices.meters.sources import POWERCAP

# Ten watts all the time, and forty more for every second that the measuring process computes.
METER_PROGRAM = """
import os, time
fields = open(f"/proc/{os.getppid()}/stat").read().rpartition(")")[2].split()
computed = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
print(f"{10.0 * time.monotonic() + 40.0 * computed:.2f} J")
"""


class Device:
    """Draws ten watts idle, and a third of a joule more with every call, which takes a millisecond."""

    def __init__(self) -> None:
        self.begun, self.calls = time.monotonic(), 0

    def call(self) -> None:
        time.sleep(0.001)
        self.calls += 1

    @property
    def joules(self) -> float:
        return 10.0 * (time.monotonic() - self.begun) + self.calls / 3


class DeviceMeter:
    """Reads the device above, with a resolution."""

    name = "made up"

    def __init__(self, device: Device, resolution_j: float) -> None:
        self.device, self.resolution_j = device, resolution_j

    def _read(self) -> float:
        return self.device.joules // self.resolution_j * self.resolution_j

    def start(self) -> None:
        self.begun, self.first = time.monotonic(), self._read()

    def stop(self) -> tuple[float, float]:
        return self._read() - self.first, time.monotonic() - self.begun

    def describe(self) -> dict[str, object]:
        return {"name": self.name, "resolution_j": self.resolution_j}


def test_idle_power_is_subtracted_and_the_rest_is_the_calls() -> None:
    device = Device()
    found = measure_energy(device.call, DeviceMeter(device, 1e-6), shortest_seconds=0.05)
    assert len(found.joules_a_call) == 3
    assert found.joules_a_call == pytest.approx([1 / 3] * 3, rel=0.05)
    assert found.idle_watts == pytest.approx(10.0, rel=0.1)
    assert found.facts()["meter"] == "made up"


def test_a_coarse_meter_is_given_longer_repeats() -> None:
    device, other = Device(), Device()
    fine = measure_energy(device.call, DeviceMeter(device, 1e-6), shortest_seconds=0.02)
    coarse = measure_energy(other.call, DeviceMeter(other, 0.5), shortest_seconds=0.02)
    assert coarse.seconds > 4 * fine.seconds
    assert coarse.joules_a_call == pytest.approx([1 / 3] * 3, rel=0.1)


def test_a_meter_that_does_not_see_the_network_is_refused() -> None:
    device = Device()
    quiet = DeviceMeter(Device(), 1e-6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring_energy, "LONGEST_SECONDS", 0.1)
        quiet.device.begun += 1e6  # time runs backwards for it: what it shows falls as time passes
        patch.setattr(Device, "joules", property(lambda self: -5.0 * time.monotonic() ** 2))
        with pytest.raises(MeterError, match="no more energy"):
            measure_energy(device.call, quiet, shortest_seconds=0.02)


def zone(folder: Path, name: str, energy: int, most: int = 10**9) -> Path:
    made = folder / name
    made.mkdir()
    (made / "energy_uj").write_text(f"{energy}\n")
    (made / "max_energy_range_uj").write_text(f"{most}\n")
    return made


def test_rapl_adds_packages_up_and_survives_a_counter_that_starts_again(tmp_path: Path) -> None:
    one, two = zone(tmp_path, "intel-rapl:0", 999_000_000), zone(tmp_path, "intel-rapl:1", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", 1)  # a part of the first package, not to be counted twice
    meter = RaplMeter(tmp_path)
    meter.start()
    (one / "energy_uj").write_text("1999999")
    (two / "energy_uj").write_text("6000000")
    joules, seconds = meter.stop()
    assert joules == pytest.approx(3.0 + 1.0)
    assert seconds > 0
    assert "RAPL" in meter.describe()["name"]


def test_a_machine_without_meters_says_so(tmp_path: Path) -> None:
    with pytest.raises(MeterError, match="no RAPL"):
        RaplMeter(tmp_path)
    assert [meter.name for meter in available(powercap=tmp_path) if "NVML" not in meter.name] == []
    (zone(tmp_path, "intel-rapl:0", 1) / "energy_uj").write_text("no number")
    with pytest.raises(MeterError, match="root only"):
        RaplMeter(tmp_path)
    assert POWERCAP.is_absolute()


class FakeNvml:
    """As much of pynvml as is used: a counter of millijoules."""

    class NVMLError(Exception):
        pass

    def __init__(self, *readings: int) -> None:
        self.readings = list(readings)

    def nvmlInit(self) -> None:
        if not self.readings:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> str:
        return "A GPU"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        return self.readings.pop(0)


def test_nvml_counts_millijoules_and_a_machine_without_a_driver_has_no_such_meter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(500, 1000, 3500))
    meter = NvmlMeter()
    meter.start()
    assert meter.stop()[0] == pytest.approx(2.5)
    assert meter.name == "NVML, A GPU"
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    with pytest.raises(MeterError, match="Driver Not Loaded"):
        NvmlMeter()
    assert available(powercap=tmp_path) == []


def program(folder: Path, body: str) -> str:
    path = folder / "read.py"
    path.write_text(f"import pathlib, time\n{body}\n")
    return f"{sys.executable} {path}"


def test_a_program_that_prints_joules_is_read_before_and_after(tmp_path: Path) -> None:
    (tmp_path / "joules").write_text("7.25")
    text = program(tmp_path, f"print(pathlib.Path({str(tmp_path / 'joules')!r}).read_text(), 'J')")
    meter = CommandMeter(text)
    assert meter.resolution_j == pytest.approx(0.01)
    meter.start()
    (tmp_path / "joules").write_text("9.75")
    joules, seconds = meter.stop()
    assert joules == pytest.approx(2.5)
    assert seconds > 0
    (tmp_path / "joules").write_text("1.0")
    with pytest.raises(MeterError, match="went down"):
        meter.stop()


def test_a_program_that_prints_watts_is_sampled_and_integrated(tmp_path: Path) -> None:
    meter = CommandMeter(program(tmp_path, "print('power: 4500 mW')"))
    meter.start()
    time.sleep(0.3)
    joules, seconds = meter.stop()
    assert seconds >= 0.3
    assert joules == pytest.approx(4.5 * seconds)


@pytest.mark.parametrize("printed", ["", "12.3", "minus J", "-3 J", "nan W", "1e999 J", "12 V"])
def test_a_program_that_prints_something_else_is_refused(tmp_path: Path, printed: str) -> None:
    with pytest.raises(MeterError, match="must print joules or watts"):
        CommandMeter(program(tmp_path, f"print({printed!r})"))


def test_a_program_that_fails_or_is_not_there_is_refused(tmp_path: Path) -> None:
    for command in (program(tmp_path, "raise SystemExit(3)"), str(tmp_path / "none"), " "):
        with pytest.raises(MeterError):
            CommandMeter(command)
