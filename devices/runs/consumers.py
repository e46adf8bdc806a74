"""The socket that follows one run."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from devices.runs.following import following
from devices.runs.models import Run

NOT_FOUND = 4404
BAD_REQUEST = 4400


class RunConsumer(AsyncWebsocketConsumer):
    """Sends every event of a run after `?after=SEQ`, in order, each once, and goes on as more are written."""

    _sender: asyncio.Task[None] | None = None

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

    async def disconnect(self, code: int) -> None:
        if self._sender is not None:
            self._sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sender

    async def _send_after(self, seq: int) -> None:
        async with following(self.run_id) as follower:
            async for _, text in follower.after(seq):
                await self.send(text_data=text)

    @database_sync_to_async
    def _is_visible(self) -> bool:
        user = self.scope["user"]
        return bool(user.is_authenticated) and Run.objects.owned_by(user).filter(pk=self.run_id).exists()
