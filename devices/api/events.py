"""A run's events as a stream of server-sent events.

As the socket does, it joins the run's group before it first reads, and every nudge only makes it read again.
Nothing is kept between reads but the number of the last event sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from devices.runs.announce import group_name
from devices.runs.models import Event, Run
from devices.runs.queries import BATCH, events_after

MOST_STREAMS = 200
"""Open at once in one process."""
LONGEST_SECONDS = 3600.0
"""After this a stream ends; whoever listens goes on with the last number they have."""
LOOK_AGAIN_SECONDS = 5.0

_open: set[int] = set()


def has_room() -> bool:
    """Whether another stream may be opened."""
    return len(_open) < MOST_STREAMS


async def frames(run_id: UUID, after: int) -> AsyncIterator[bytes]:
    """Every event after number `after`, as it comes, until the run has ended."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(group_name(run_id), channel)
    nudge = asyncio.create_task(layer.receive(channel))
    _open.add(id(nudge))
    end = asyncio.get_running_loop().time() + LONGEST_SECONDS
    try:
        yield b"retry: 2000\n\n"
        while asyncio.get_running_loop().time() < end:
            is_final, events = await database_sync_to_async(_read)(run_id, after)
            for event in events:
                after = event.seq
                yield _frame(event)
            if len(events) == BATCH:
                continue
            if is_final:
                return
            done, _ = await asyncio.wait({nudge}, timeout=LOOK_AGAIN_SECONDS)
            if done:
                nudge = _renewed(nudge, asyncio.create_task(layer.receive(channel)))
            else:
                yield b": still there\n\n"
    finally:
        _open.discard(id(nudge))
        nudge.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await nudge
        await layer.group_discard(group_name(run_id), channel)


def _renewed(old: asyncio.Task[object], new: asyncio.Task[object]) -> asyncio.Task[object]:
    _open.discard(id(old))
    _open.add(id(new))
    return new


def _read(run_id: UUID, after: int) -> tuple[bool, list[Event]]:
    """Whether the run has ended, asked first: its last events are then among those read."""
    status = Run.objects.filter(pk=run_id).values_list("status", flat=True).first()
    return status is None or status in Run.FINAL, events_after(run_id, after)


def _frame(event: Event) -> bytes:
    text = json.dumps(event.envelope(), separators=(",", ":"))
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {text}\n\n".encode()
