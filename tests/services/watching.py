"""A browser's socket that comes back whenever it is cut off, as the pages do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Sequence

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException


class Watchers:
    """Follows runs in a thread of its own; `seen` holds the numbers of every run's events as they came."""

    def __init__(self, port: int, cookie: str) -> None:
        self.seen: dict[str, list[int]] = {}
        self.reconnected = 0
        self._port, self._cookie = port, cookie
        self._loop = asyncio.new_event_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def watch(self, runs: Sequence[str]) -> None:
        for run in runs:
            self.seen[run] = []
            self._loop.call_soon_threadsafe(self._begin, run)

    def _begin(self, run: str) -> None:
        self._tasks.append(self._loop.create_task(self._follow(run)))

    def stop(self) -> None:
        async def end() -> None:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _follow(self, run: str) -> None:
        seen = self.seen[run]
        headers = {"Cookie": f"sessionid={self._cookie}"}
        while True:
            after = seen[-1] if seen else 0
            address = f"ws://127.0.0.1:{self._port}/ws/runs/{run}/?after={after}"
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                async with connect(
                    address,
                    origin=f"http://127.0.0.1:{self._port}",  # type: ignore[arg-type]
                    additional_headers=headers,
                    open_timeout=5,
                    ping_interval=5,
                    ping_timeout=10,
                ) as socket:
                    async for text in socket:
                        seen.append(int(json.loads(text)["seq"]))
            self.reconnected += 1
            await asyncio.sleep(0.5)
