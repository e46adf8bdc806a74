"""Noticing that the machine's clock was set.

Leases end at a time of day, because workers of several machines share them. A clock that is set makes all of
them end at once, or not for a long time; the steps at work are neither lost nor done.
"""

from __future__ import annotations

import time

from django.utils import timezone

TOLERANCE_SECONDS = 2.0
"""By which time of day and uptime may drift apart between two looks: NTP slews slower than this."""

_offset: float | None = None


def jumped() -> bool:
    """Whether the time of day was set since this process last asked. False on the first time."""
    global _offset
    now = timezone.now().timestamp() - time.monotonic()
    before, _offset = _offset, now
    return before is not None and abs(now - before) > TOLERANCE_SECONDS
