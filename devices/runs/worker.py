"""Which worker this process is."""

from __future__ import annotations

from billiard import current_process


def worker_index() -> int:
    """The number of this process among its worker's children, from 0; 0 outside of workers."""
    return int(getattr(current_process(), "index", 0) or 0)
