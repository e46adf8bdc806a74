"""What every meter can do."""

from __future__ import annotations

from typing import Any, Protocol


class MeterError(Exception):
    """A meter cannot be read, or says what cannot be."""


class Meter(Protocol):
    """Counts the energy that something has used."""

    @property
    def name(self) -> str:
        """What is read, for people."""

    @property
    def resolution_j(self) -> float:
        """The smallest difference that it shows, in joules."""

    def start(self) -> None:
        """Begins to count."""

    def stop(self) -> tuple[float, float]:
        """Ends counting: joules used since `start`, and in how many seconds. Raises MeterError."""

    def describe(self) -> dict[str, Any]:
        """Name and resolution, as JSON."""
