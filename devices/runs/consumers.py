"""The socket that follows one run."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from devices.runs.following import following
from devices.runs.models import Run

LOOK_AGAIN_SECONDS = 30.0
NOT_FOUND = 4404
BAD_REQUEST = 4400


class RunConsumer(AsyncWebsocketConsumer):
    """Sends every event of a run after `?after=SEQ`, in order, each once, and goes on as more are written.

    `scope["find_owner"]` tells whose runs may be followed; who loses that right meanwhile is let go.
    """

    _sender: asyncio.Task[None] | None = None
    _guard: asyncio.Task[None] | None = None

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
        self._sender = asyncio.create_task(self._send_after(int(after)))
        self._guard = asyncio.create_task(self._look_again())

    async def disconnect(self, code: int) -> None:
        for task in (self._guard, self._sender):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _send_after(self, seq: int) -> None:
        async with following(self.run_id) as follower:
            async for _, text in follower.after(seq):
                await self.send(text_data=text)

    async def _look_again(self) -> None:
        """Ends the connection when its session or membership has ended."""
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            with contextlib.suppress(DatabaseError):
                if not await self._is_visible():
                    await self.close(NOT_FOUND)
                    return

    async def _is_visible(self) -> bool:
        owner = await self.scope["find_owner"]()
        return owner is not None and await Run.objects.owned_by(owner).filter(pk=self.run_id).aexists()
