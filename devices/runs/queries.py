"""Reads of runs and their history."""

from __future__ import annotations

from uuid import UUID

from devices.runs.models import Event, Run

BATCH = 500


def events_after(run_id: UUID | str, seq: int) -> list[Event]:
    """The next events of a run after number `seq`, at most BATCH of them, in order."""
    return list(Event.objects.filter(run_id=run_id, seq__gt=seq).order_by("seq")[:BATCH])


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
