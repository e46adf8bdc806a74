"""What every format is read into, and the checks that every value passes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from devices.tables.measurement import Measurement

SHORTEST_US, LONGEST_US = 1e-3, 6e7  # a nanosecond and a minute: no operator is outside
LONGEST_KEY = 500
WIDEST = 10.0  # relative standard deviation of a learned time
REPORTED = 20
NOT_KEPT = "an infinite number, or half of a character"


class FormatError(ValueError):
    """What is wrong with a file: one sentence a problem, with its line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Entry:
    """One operator. `original` is the foreign record it was read from, None for a format of ours."""

    measurement: Measurement
    samples_us: tuple[float, ...] = ()
    original: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        return self.measurement.key


@dataclass(frozen=True, slots=True)
class TableFile:
    """Entries in the order of their keys, and what the file says of the whole: device, space, calibration."""

    format: str
    entries: tuple[Entry, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


class Collector:
    """Takes entries in, remembers what is wrong with which line, and gives all of them or none."""

    def __init__(self, file_format: str, most_rows: int) -> None:
        self.format, self.most_rows = file_format, most_rows
        self.facts: dict[str, Any] = {}
        self._entries: dict[str, tuple[int, Entry]] = {}
        self._problems: list[str] = []
        self._rows = 0

    def problem(self, line: int, text: str) -> None:
        """Notes what is wrong with a line. Raises FormatError once there are REPORTED of them."""
        self._problems.append(f"Line {line}: {text}.")
        if len(self._problems) == REPORTED:
            raise FormatError([*self._problems, "Reading stopped here."])

    def add(
        self,
        line: int,
        key: str,
        times_us: Mapping[str, Any],
        repeats: Any,
        *,
        samples_us: Any = (),
        deviation: Any = 0.0,
        original: Mapping[str, Any] | None = None,
    ) -> None:
        """Takes one operator in; times_us has minimum_us, p10_us, p50_us and p90_us."""
        self._rows += 1
        if self._rows > self.most_rows:
            raise FormatError([f"The file has more than {self.most_rows} operators, which is too many."])
        try:
            entry = _entry(key, times_us, repeats, samples_us, deviation, original)
        except ValueError as error:
            self.problem(line, str(error))
            return
        known = self._entries.setdefault(key, (line, entry))
        if known[1] != entry:
            self.problem(line, f"“{key[:80]}” stands in line {known[0]} already, with other values")

    def finish(self) -> TableFile:
        """The file. Raises FormatError when anything is wrong with it, or nothing in it."""
        if not self._entries and not self._problems:
            self._problems.append("The file holds no operators.")
        if self._problems:
            raise FormatError(self._problems)
        entries = tuple(entry for _, (_, entry) in sorted(self._entries.items()))
        return TableFile(self.format, entries, self.facts)


def _entry(
    key: str,
    times_us: Mapping[str, Any],
    repeats: Any,
    samples_us: Any,
    deviation: Any,
    original: Mapping[str, Any] | None,
) -> Entry:
    if not key.strip() or not key.isprintable():
        raise ValueError("the operator has no readable name")
    if len(key) > LONGEST_KEY:
        raise ValueError(f"the operator's name has {len(key)} characters, more than {LONGEST_KEY}")
    times = {name: microseconds(name, value) for name, value in times_us.items()}
    if list(times.values()) != sorted(times.values()):
        raise ValueError("minimum, p10, p50 and p90 must not fall")
    spread = number("deviation", deviation)
    if not 0.0 <= spread <= WIDEST:
        raise ValueError(f"deviation is {str(deviation)[:30]}, not a number from 0 to {WIDEST:g}")
    count = number("repeats", repeats)
    fewest = 0 if spread else 1  # what was learned was not measured
    if not math.isfinite(count) or count != int(count) or not fewest <= count <= 1e9:
        raise ValueError(f"repeats is {str(repeats)[:30]}, not a whole number from {fewest} on")
    if not isinstance(samples_us, list | tuple):
        raise ValueError("samples_us is no list")
    samples = tuple(microseconds("a sample", value) for value in samples_us)
    if not can_be_kept(original):
        raise ValueError(f"the record holds {NOT_KEPT}")
    return Entry(Measurement(key, int(count), **times, deviation=spread), samples, original)


def can_be_kept(value: Any) -> bool:
    """Whether databases take it as JSON: numbers are finite, and texts have whole characters only."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return False
    return True


def microseconds(name: str, value: Any) -> float:
    """A time that can be. Raises ValueError that says why not."""
    time = number(name, value)
    if not math.isfinite(time) or time <= 0.0:
        raise ValueError(f"{name} is {str(value)[:30]}; a time is a finite number above 0")
    if not SHORTEST_US <= time <= LONGEST_US:
        raise ValueError(f"{name} is {time:g} µs, which no operator takes ({SHORTEST_US:g}..{LONGEST_US:g})")
    return time


def number(name: str, value: Any) -> float:
    """A number, given as one or as text. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{name} is missing or no number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is “{str(value)[:30]}”, which is no number") from None
