"""Long jobs as rows, and the notices of their ends."""

from __future__ import annotations

from devices.runs.models.notices import Notice, NoticeSettings, When
from devices.runs.models.runs import Event, Run, RunQuerySet, Step

__all__ = ["Event", "Notice", "NoticeSettings", "Run", "RunQuerySet", "Step", "When"]
