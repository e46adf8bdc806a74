"""One reader in this process for each run that sockets watch, however many watch it.

A reader joins the run's group, then reads what the database holds; a nudge makes it read again, and so does
a timer, because nudges may be lost. What it read lately is kept, so that sockets share one query and one
text an event. A socket that is further behind reads for itself until it has caught up. A database or a broker
that is away delays everything and loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import AsyncIterator

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from devices.runs.announce import group_name
from devices.runs.models import Event, Run
from devices.runs.queries import events_after

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 5.0
TRY_AGAIN_SECONDS = 1.0
KEPT = 500
NOBODY = "nobody"  # a group without members

_followers: dict[tuple[int, str], Follower] = {}


class Follower:
    """The newest events of one run as texts, for as long as somebody watches."""

    def __init__(self, run_id: str) -> None:
        self.run_id, self.watchers = run_id, 0
        self._recent: deque[tuple[int, str]] = deque()
        self._before: int | None = None  # number of the event before the first of `_recent`
        self._last = 0
        self._wake, self._changed = asyncio.Event(), asyncio.Event()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._read())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def after(self, seq: int) -> AsyncIterator[tuple[int, str]]:
        """Number and text of every event after `seq`, in order, each once, without end."""
        while True:
            changed = self._changed
            found = await self._next(seq)
            for number, text in found:
                yield number, text
                seq = number
            if not found:
                await changed.wait()

    async def _next(self, seq: int) -> list[tuple[int, str]]:
        while self._before is None or seq < self._before:
            with _Patience(self.run_id):
                found: list[tuple[int, str]] = await _texts_after(self.run_id, seq)
                return found
            await asyncio.sleep(TRY_AGAIN_SECONDS)
        return [(number, text) for number, text in self._recent if number > seq]

    async def _listen(self) -> None:
        """Turns the group's nudges into wakings; joins anew when the broker went away."""
        layer = get_channel_layer()
        while True:
            with _Patience(self.run_id):
                # A channel that cannot be made leaves its queue behind, so first: is the broker there?
                await layer.group_send(NOBODY, {"type": "nobody"})
                channel = await layer.new_channel()
                await layer.group_add(group_name(self.run_id), channel)
                try:
                    while True:
                        self._wake.set()
                        await layer.receive(channel)
                finally:
                    with contextlib.suppress(RedisError, OSError):
                        await layer.group_discard(group_name(self.run_id), channel)
            await asyncio.sleep(TRY_AGAIN_SECONDS)

    async def _read(self) -> None:
        while True:
            self._wake.clear()
            with _Patience(self.run_id):
                if self._before is None:
                    self._before = self._last = await _last_seq(self.run_id)
                    self._tell()
                while found := await _texts_after(self.run_id, self._last):
                    self._keep(found)
                    self._tell()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN_SECONDS)

    def _keep(self, found: list[tuple[int, str]]) -> None:
        self._recent.extend(found)
        self._last = found[-1][0]
        while len(self._recent) > KEPT:
            self._before = self._recent.popleft()[0]

    def _tell(self) -> None:
        """Everyone who waits looks; who looks from now on waits for the next time."""
        self._changed.set()
        self._changed = asyncio.Event()


@contextlib.asynccontextmanager
async def following(run_id: str) -> AsyncIterator[Follower]:
    """The process's reader of a run, which ends when nobody watches any longer."""
    key = (id(asyncio.get_running_loop()), run_id)
    follower = _followers.get(key)
    if follower is None:
        follower = _followers[key] = Follower(run_id)
    follower.watchers += 1
    try:
        yield follower
    finally:
        follower.watchers -= 1
        if not follower.watchers:
            del _followers[key]
            await follower.stop()


def open_sockets() -> int:
    """How many sockets of this process follow runs."""
    return sum(follower.watchers for follower in list(_followers.values()))


class _Patience:
    """Lets a database or broker that is away be tried again: such an error ends the block and no more."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, DatabaseError | RedisError | OSError):
            return False
        logger.warning("run %s is not followed for a moment: %s", self._run_id, error)
        return True


@database_sync_to_async
def _last_seq(run_id: str) -> int:
    return Run.objects.values_list("last_seq", flat=True).get(pk=run_id)


@database_sync_to_async
def _texts_after(run_id: str, seq: int) -> list[tuple[int, str]]:
    return [(event.seq, _text(event)) for event in events_after(run_id, seq)]


def _text(event: Event) -> str:
    return json.dumps(event.envelope(), separators=(",", ":"))
