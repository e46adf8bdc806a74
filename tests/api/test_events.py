"""A run's events: asked for, and as a stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from chamnet_web.accounts.models import AccessToken, Team, User
from chamnet_web.accounts.teams import end_sessions
from devices.api import events
from devices.runs import following
from devices.runs.models import Run
from devices.runs.services import start_run
from devices.runs.writing import writing
from tests.api.conftest import Caller, token_of


def begun(owner: Team) -> Run:
    run = start_run(owner=owner, kind="table", title="A run", first_step="table.measure", queue="light")
    run.steps.all().delete()
    return run


def log(run: Run, text: str) -> None:
    with writing(run.pk) as writer:
        writer.event("log", {"level": "info", "text": text})


def end(run: Run) -> None:
    with writing(run.pk) as writer:
        writer.start()
        writer.succeed("Done.")


@pytest.mark.django_db
def test_events_are_asked_for_piece_by_piece_until_the_run_is_over(caller: Caller, owner: Team) -> None:
    run = begun(owner)
    log(run, "first")
    page = caller.get(f"/runs/{run.pk}/events?limit=1")
    assert [one["seq"] for one in page["items"]] == [1]
    assert not page["is_final"]
    end(run)
    rest = caller.get(f"/runs/{run.pk}/events?after={page['last_seq']}")
    assert [one["seq"] for one in rest["items"]] == list(range(2, rest["last_seq"] + 1))
    assert rest["is_final"]
    assert rest["items"][-1]["data"]["status"] == "succeeded"
    assert caller.get(f"/runs/{run.pk}/events?after=1000")["items"] == []


@pytest.mark.django_db(transaction=True)
async def test_a_stream_sends_what_is_written_and_ends_with_the_run(owner: Team) -> None:
    run = await sync_to_async(begun)(owner)
    seen = await opened(owner, run)
    first = await anext(seen)
    await sync_to_async(log)(run, "second")
    second = await anext(seen)
    await sync_to_async(end)(run)
    rest = [one async for one in seen]
    numbers = [one["seq"] for one in (first, second, *rest)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert second["data"]["text"] == "second"
    assert rest[-1]["data"]["status"] == "succeeded"


@pytest.mark.django_db(transaction=True)
async def test_a_stream_goes_on_after_the_last_event_that_was_seen(owner: Team) -> None:
    run = await sync_to_async(begun)(owner)
    await sync_to_async(log)(run, "seen")
    await sync_to_async(log)(run, "missed")
    await sync_to_async(end)(run)
    again = [one async for one in await opened(owner, run, last="2")]
    assert again[0]["data"]["text"] == "missed"
    assert again[0]["seq"] == 3


@pytest.mark.django_db(transaction=True)
async def test_a_lost_nudge_delays_an_event_and_no_more(owner: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.runs.writing.nudge_watchers", lambda run_id: None)
    monkeypatch.setattr(following, "LOOK_AGAIN_SECONDS", 0.05)
    run = await sync_to_async(begun)(owner)
    seen = await opened(owner, run)
    await anext(seen)
    await sync_to_async(end)(run)
    assert [one async for one in seen][-1]["data"]["status"] == "succeeded"


@pytest.mark.django_db(transaction=True)
async def test_a_broker_that_is_away_delays_an_event_and_no_more(
    owner: Team, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHANNEL_LAYERS = {"default": redis_at("redis://127.0.0.1:1")}
    monkeypatch.setattr(following, "LOOK_AGAIN_SECONDS", 0.05)
    run = await sync_to_async(begun)(owner)
    seen = await opened(owner, run)
    await anext(seen)
    await sync_to_async(end)(run)
    assert [one async for one in seen][-1]["data"]["status"] == "succeeded"


def redis_at(address: str) -> dict[str, Any]:
    return {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [address]}}


def revoke(owner: Team) -> None:
    AccessToken.objects.get(team=owner).revoke()


def leave(owner: Team) -> None:
    owner.memberships.all().delete()


def close(owner: Team) -> None:
    Team.objects.filter(pk=owner.pk).update(is_active=False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lose", [revoke, leave, close])
async def test_a_stream_ends_with_the_right_to_read_it(
    owner: Team, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Team], None]
) -> None:
    monkeypatch.setattr(events, "ASK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(events, "LOOK_AGAIN_SECONDS", 0.05)
    run = await sync_to_async(begun)(owner)
    seen = await opened(owner, run)
    await anext(seen)
    await sync_to_async(log)(run, "may be read")
    assert (await anext(seen))["data"]["text"] == "may be read"
    await sync_to_async(lose)(owner)
    assert await asyncio.wait_for(anext(seen, None), 10) is None


@pytest.mark.django_db(transaction=True)
async def test_a_stream_of_a_session_ends_with_the_session(
    ada: User, owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ASK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(events, "LOOK_AGAIN_SECONDS", 0.05)
    run, browser = await sync_to_async(begun)(owner), AsyncClient()
    await browser.aforce_login(ada)
    headers = {"accept": "text/event-stream"}
    answer = await browser.get(f"/api/v1/runs/{run.pk}/events", headers=headers)
    seen = told(answer.streaming_content)
    await anext(seen)
    await sync_to_async(log)(run, "may be read")
    assert (await anext(seen))["data"]["text"] == "may be read"
    await sync_to_async(end_sessions)(ada)
    assert await asyncio.wait_for(anext(seen, None), 10) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("bound", ["MOST_STREAMS", "MOST_STREAMS_EACH"])
async def test_streams_are_counted_while_they_are_open_and_bounded(
    owner: Team, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(events, bound, 1)
    run = await sync_to_async(begun)(owner)
    ada = await sync_to_async(owner.members.get)()
    token, another = await sync_to_async(token_of)(ada), await sync_to_async(token_of)(ada)
    first = asyncio.Event()

    async def listen() -> None:
        answer = await asked(token, run)
        async for _ in told(answer.streaming_content):
            first.set()

    listening = asyncio.create_task(listen())
    await asyncio.wait_for(first.wait(), 10)
    assert (await asked(token, run)).status_code == 429
    assert (await asked(another, run)).status_code == (429 if bound == "MOST_STREAMS" else 200)
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    assert (await asked(token, run)).status_code == 200


async def opened(owner: Team, run: Run, last: str = "") -> Any:
    token = await sync_to_async(token_of)(await sync_to_async(owner.members.get)())
    answer = await asked(token, run, last)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    return told(answer.streaming_content)


async def asked(token: str, run: Run, last: str = "") -> Any:
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    return await AsyncClient().get(
        f"/api/v1/runs/{run.pk}/events", headers=headers | ({"last-event-id": last} if last else {})
    )


async def told(frames: Any) -> Any:
    """The events of a stream, whose ids are their numbers."""
    async for frame in frames:
        lines = dict(line.split(": ", 1) for line in frame.decode().splitlines() if ": " in line[1:])
        if "data" in lines:
            event = json.loads(lines["data"])
            assert lines["id"] == str(event["seq"])
            yield event
