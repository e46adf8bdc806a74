"""The socket that follows one run."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from devices.runs.announce import group_name
from devices.runs.models import Run
from devices.runs.queries import BATCH, events_after

LOOK_AGAIN_SECONDS = 5.0
NOT_FOUND = 4404
BAD_REQUEST = 4400


class RunConsumer(AsyncJsonWebsocketConsumer):
    """Sends every event of a run after `?after=SEQ`, in order, each once, and goes on as more are written.

    It joins the run's group before it first reads, and every nudge only makes it read again: an event is
    in the database before its nudge is sent, so none can fall between. A timer reads as well, for nudges
    that were lost.
    """

    seq: int
    _wake: asyncio.Event
    _follower: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        self.run_id = str(self.scope["url_route"]["kwargs"]["run_id"])
        await self.accept()
        after = parse_qs(self.scope["query_string"].decode()).get("after", ["0"])[0]
        if not after.isdecimal() or len(after) > 9:
            await self.close(BAD_REQUEST)
            return
        if not await self._is_visible():
            await self.close(NOT_FOUND)
            return
        self.seq = int(after)
        self._wake = asyncio.Event()
        await self.channel_layer.group_add(group_name(self.run_id), self.channel_name)
        self._follower = asyncio.create_task(self._follow())

    async def disconnect(self, code: int) -> None:
        if self._follower is None:
            return
        self._follower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._follower
        await self.channel_layer.group_discard(group_name(self.run_id), self.channel_name)

    async def run_nudge(self, message: dict[str, Any]) -> None:
        """Channel-layer handler of `run.nudge`."""
        self._wake.set()

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            await self._send_new()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN_SECONDS)

    async def _send_new(self) -> None:
        while True:
            events = await database_sync_to_async(events_after)(self.run_id, self.seq)
            for event in events:
                await self.send_json(event.envelope())
                self.seq = event.seq
            if len(events) < BATCH:
                return

    @database_sync_to_async
    def _is_visible(self) -> bool:
        user = self.scope["user"]
        return bool(user.is_authenticated) and Run.objects.owned_by(user).filter(pk=self.run_id).exists()
