"""The socket: a page that reloads or reconnects misses no event and sees none twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.db import OperationalError

from chamnet_web.accounts.models import Team, User
from devices.runs import consumers, following
from devices.runs.models import Run
from devices.runs.routing import websocket_urlpatterns
from devices.runs.writing import writing

pytestmark = pytest.mark.django_db(transaction=True)
Begin = Callable[..., Run]


@database_sync_to_async
def write(run: Run, count: int = 1) -> None:
    for _ in range(count):
        with writing(run.pk) as writer:
            writer.event("note")


class Socket:
    """A browser's end of a connection."""

    def __init__(self, run: Run, owner: Any, after: object) -> None:

        async def find_owner() -> Any:
            return None if self.shut_out else owner

        self.shut_out = False
        scope = {
            "type": "websocket",
            "path": f"/ws/runs/{run.pk}/",
            "query_string": f"after={after}".encode(),
            "find_owner": find_owner,
        }
        self._application = ApplicationCommunicator(URLRouter(websocket_urlpatterns), scope)

    async def open(self) -> None:
        await self._application.send_input({"type": "websocket.connect"})
        assert (await self.message())["type"] == "websocket.accept"

    async def message(self) -> dict[str, Any]:
        return dict(await self._application.receive_output(timeout=10))

    async def event(self) -> dict[str, Any]:
        return dict(json.loads((await self.message())["text"]))

    async def numbers(self, count: int) -> list[int]:
        return [(await self.event())["seq"] for _ in range(count)]

    async def is_silent(self) -> bool:
        return bool(await self._application.receive_nothing())

    async def close(self) -> None:
        await self._application.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._application.wait(timeout=10)


@asynccontextmanager
async def watching(run: Run, owner: Any, after: object = 0) -> AsyncIterator[Socket]:
    socket = Socket(run, owner, after)
    await socket.open()
    yield socket
    await socket.close()


async def refusal(run: Run, owner: Any, after: object = 0) -> int:
    async with watching(run, owner, after) as socket:
        message = await socket.message()
        assert message["type"] == "websocket.close"
        return int(message["code"])


async def test_history_comes_first_then_what_happens(begin: Begin, owner: Team) -> None:
    run = await database_sync_to_async(begin)()
    await write(run, 3)
    async with watching(run, owner) as socket:
        assert await socket.numbers(4) == [1, 2, 3, 4]
        await write(run)
        event = await socket.event()
        assert await socket.is_silent()
    assert event == event | {"v": 1, "run": str(run.pk), "seq": 5, "kind": "note", "data": {}}


async def test_reconnecting_while_events_are_written_loses_none_and_doubles_none(
    begin: Begin, owner: Team
) -> None:
    run = await database_sync_to_async(begin)()
    writer = asyncio.create_task(write(run, 120))
    seen: list[int] = []
    while len(seen) < 121:
        async with watching(run, owner, after=seen[-1] if seen else 0) as socket:
            seen += await socket.numbers(min(7, 121 - len(seen)))
    await writer
    assert seen == list(range(1, 122))


async def test_a_history_longer_than_one_read_arrives_whole(
    begin: Begin, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.runs.queries.BATCH", 4)
    monkeypatch.setattr(following, "KEPT", 3)
    run = await database_sync_to_async(begin)()
    await write(run, 12)
    async with watching(run, owner, after=2) as socket:
        assert await socket.numbers(11) == list(range(3, 14))


async def test_a_lost_nudge_costs_a_moment_but_no_event(
    begin: Begin, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr("devices.runs.writing.nudge_watchers", lambda run_id: None)
    run = await database_sync_to_async(begin)()
    async with watching(run, owner, after=1) as socket:
        await write(run)
        assert await socket.numbers(1) == [2]


async def test_many_sockets_share_the_reading_and_one_that_is_behind_catches_up(
    begin: Begin, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await database_sync_to_async(begin)()
    await write(run, 9)
    reads: list[int] = []
    read = following.events_after

    def counted(run_id: str, seq: int) -> Any:
        reads.append(seq)
        return read(run_id, seq)

    monkeypatch.setattr(following, "events_after", counted)
    async with AsyncExitStack() as open_sockets:
        sockets = [await open_sockets.enter_async_context(watching(run, owner, 10)) for _ in range(20)]
        while following.open_sockets() < 20:
            await asyncio.sleep(0)
        late = await open_sockets.enter_async_context(watching(run, owner, 4))
        assert await late.numbers(6) == [5, 6, 7, 8, 9, 10]
        await write(run, 3)
        for socket in [*sockets, late]:
            assert await socket.numbers(3) == [11, 12, 13]
    assert len(reads) < 20
    assert following.open_sockets() == 0


async def test_a_database_that_is_away_delays_events_and_loses_none(
    begin: Begin, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(following, "TRY_AGAIN_SECONDS", 0.01)
    run = await database_sync_to_async(begin)()
    read, failures = following.events_after, iter(range(6))

    def away(run_id: str, seq: int) -> Any:
        if next(failures, None) is not None:
            raise OperationalError("server closed the connection")
        return read(run_id, seq)

    monkeypatch.setattr(following, "events_after", away)
    async with watching(run, owner) as socket:
        assert await socket.numbers(1) == [1]
        await write(run)
        assert await socket.numbers(1) == [2]
    assert next(failures, None) is None


async def test_other_peoples_runs_and_unknown_ones_look_the_same(
    begin: Begin, owner: Team, stranger: User
) -> None:
    run = await database_sync_to_async(begin)()
    assert await refusal(run, await stranger.teams.aget()) == consumers.NOT_FOUND
    assert await refusal(run, None) == consumers.NOT_FOUND
    assert await refusal(Run(), owner) == consumers.NOT_FOUND


async def test_whoever_loses_the_right_is_let_go(
    begin: Begin, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "LOOK_AGAIN_SECONDS", 0.02)
    run = await database_sync_to_async(begin)()
    async with watching(run, owner, 1) as socket:
        assert await socket.is_silent()
        socket.shut_out = True
        assert await socket.message() == {
            "type": "websocket.close",
            "code": consumers.NOT_FOUND,
        }


@pytest.mark.parametrize("after", ["x", "-1", "", "1e3", "99999999999999999999"])
async def test_nonsense_about_where_to_continue_is_refused(begin: Begin, owner: Team, after: str) -> None:
    run = await database_sync_to_async(begin)()
    expected = {consumers.BAD_REQUEST} if after else {consumers.BAD_REQUEST, 0}
    if after == "":
        async with watching(run, owner, after) as socket:  # an empty value is as none: from the start
            assert await socket.numbers(1) == [1]
    else:
        assert await refusal(run, owner, after) in expected
