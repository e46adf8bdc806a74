"""Reads of runs and their history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from devices.runs.models import Event, Run

BATCH = 500
TAIL = 100


def events_after(run_id: UUID | str, seq: int) -> list[Event]:
    """The next events of a run after number `seq`, at most BATCH of them, in order."""
    return list(Event.objects.filter(run_id=run_id, seq__gt=seq).order_by("seq")[:BATCH])


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a run's log as its page shows it."""

    at: datetime
    text: str
    level: str = ""


def log_tail(run: Run) -> list[LogLine]:
    """The last lines that tell of something, oldest first, up to what the page knows of the run."""
    told = run.events.filter(kind__in=("log", "status"), seq__lte=run.last_seq)
    return [_log_line(event) for event in reversed(told.order_by("-seq")[:TAIL])]


def _log_line(event: Event) -> LogLine:
    data = event.data
    if event.kind == "log":
        return LogLine(event.at, str(data.get("text", "")), str(data.get("level", "")))
    reason = f". {data['reason']}" if data.get("reason") else ""
    return LogLine(event.at, f"Status: {data.get('status')}{reason}")


def log_lines(run: Run) -> list[str]:
    """The run's history as text, a line an event. Facts go by name: not every database keeps their order."""
    return [
        f"{event.at:%Y-%m-%d %H:%M:%S} {event.kind} "
        + " ".join(
            f"{key}={value}"
            for key, value in sorted(event.data.items())
            if value != "" and not isinstance(value, list | dict)
        )
        for event in run.events.order_by("seq").iterator()
    ]
