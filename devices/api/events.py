"""A run's events as a stream of server-sent events.

What is sent comes from the process's one reader of the run, which sockets share. A stream ends with the run,
and soon after whoever listens has lost the right to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import DatabaseError

from devices.runs.following import Follower, following
from devices.runs.models import Event, Run

MOST_STREAMS = 200
"""Open at once in one process."""
MOST_STREAMS_EACH = 10
"""Of them by one access token or session."""
LONGEST_SECONDS = 3600.0
"""After this a stream ends; whoever listens goes on with the last number they have."""
LOOK_AGAIN_SECONDS = 5.0
ASK_AGAIN_SECONDS = 30.0
"""How long a right that ended lasts, at most."""

FindOwner = Callable[[], Awaitable[Any]]

_open: Counter[str] = Counter()


def has_room(key: str) -> bool:
    """Whether whoever has this key may open another stream."""
    return _open.total() < MOST_STREAMS and _open[key] < MOST_STREAMS_EACH


async def frames(run_id: UUID, after: int, *, key: str, find_owner: FindOwner) -> AsyncIterator[bytes]:
    """Every event after number `after`, as it comes, until the run has ended.

    `find_owner` tells whose runs may be followed, and is asked again and again; `key` is whom the stream
    counts for.
    """
    _open[key] += 1
    try:
        yield b"retry: 2000\n\n"
        async with (
            following(str(run_id)) as follower,
            contextlib.aclosing(_lasting(follower, after, run_id, find_owner)) as events,
        ):
            async for event in events:
                yield _frame(*event) if event else b": still there\n\n"
    finally:
        _open[key] -= 1
        if not _open[key]:
            del _open[key]


async def _lasting(
    follower: Follower, after: int, run_id: UUID, find_owner: FindOwner
) -> AsyncGenerator[tuple[int, str] | None, None]:
    """Number and text of each event while the stream may go on; None where there was none for a while."""
    now = asyncio.get_running_loop().time
    end, ask_at, may_be_over = now() + LONGEST_SECONDS, now() + ASK_AGAIN_SECONDS, True
    coming = follower.after(after)
    awaited = asyncio.create_task(_next(coming))
    try:
        while now() < end:
            if may_be_over and await _is_over(run_id, after):
                return
            if now() >= ask_at:
                if not await _may_follow(run_id, find_owner):
                    return
                ask_at = now() + ASK_AGAIN_SECONDS
            done, _ = await asyncio.wait({awaited}, timeout=LOOK_AGAIN_SECONDS)
            event = awaited.result() if done else None
            if event is not None:
                after = event[0]
                awaited = asyncio.create_task(_next(coming))
            may_be_over = event is None or _ends(event[1])
            yield event
    finally:
        awaited.cancel()
        await asyncio.gather(awaited, return_exceptions=True)


async def _next(coming: AsyncIterator[tuple[int, str]]) -> tuple[int, str]:
    return await anext(coming)


@database_sync_to_async
def _is_over(run_id: UUID, after: int) -> bool:
    """Whether the run has ended and has no event after number `after`; while the database is away, no.

    Like every question of a stream it gives the connection back: a stream has a thread of its own, and a
    connection for each would be more than a database has.
    """
    try:
        status = Run.objects.filter(pk=run_id).values_list("status", flat=True).first()
        more = Event.objects.filter(run_id=run_id, seq__gt=after).exists()
    except DatabaseError:
        return False
    return (status is None or status in Run.FINAL) and not more


async def _may_follow(run_id: UUID, find_owner: FindOwner) -> bool:
    try:
        owner = await find_owner()
        return owner is not None and await _is_owned(run_id, owner)
    except DatabaseError:
        return True


@database_sync_to_async
def _is_owned(run_id: UUID, owner: Any) -> bool:
    return Run.objects.owned_by(owner).filter(pk=run_id).exists()


def _ends(text: str) -> bool:
    event = json.loads(text)
    return event["kind"] == "status" and event["data"].get("status") in Run.FINAL


def _frame(number: int, text: str) -> bytes:
    return f"id: {number}\nevent: {json.loads(text)['kind']}\ndata: {text}\n\n".encode()
