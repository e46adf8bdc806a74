"""Hints may fail; nothing else may because of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from celery import current_app
from redis.exceptions import ConnectionError as RedisConnectionError

from chamnet_web.celery import app
from devices.runs.announce import announce_steps, nudge_watchers
from devices.runs.management.commands import serve
from devices.runs.models import Run, Step

pytestmark = pytest.mark.django_db
Begin = Callable[..., Run]


def test_a_ready_step_is_announced_to_its_queue(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[object, ...]] = []
    monkeypatch.setattr(
        current_app, "send_task", lambda name, args, queue, **options: sent.append((name, args, queue))
    )
    step = begin().steps.get()
    announce_steps([step])
    step.refresh_from_db()
    assert sent == [("devices.runs.tasks.execute_step", [step.pk], "light")]
    assert step.announced_at is not None


def test_a_broker_that_is_away_is_logged_and_the_step_stays_to_be_announced(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*args: object, **options: object) -> None:
        raise RedisConnectionError("nobody there")

    monkeypatch.setattr(current_app, "send_task", away)
    monkeypatch.setattr("devices.runs.announce.async_to_sync", lambda send: away)
    run = begin()
    with caplog.at_level(logging.WARNING, "devices.runs.announce"):
        announce_steps([run.steps.get()])
        nudge_watchers(run.pk)
    assert run.steps.get().announced_at is None
    assert [record.message for record in caplog.records] == [
        "the step was not announced: nobody there",
        "watchers were not nudged: nobody there",
    ]


def test_without_the_embedded_broker_nobody_is_asked(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, settings, tmp_path: Path
) -> None:
    settings.EMBEDDED_REDIS, settings.EMBEDDED_REDIS_SOCKET = True, tmp_path / "none.sock"

    def never(*args: object, **options: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(current_app, "send_task", never)
    monkeypatch.setattr("devices.runs.announce.get_channel_layer", never)
    run = begin()
    announce_steps([run.steps.get()])
    nudge_watchers(run.pk)


def test_what_looks_for_lost_steps_does_not_wait_behind_long_ones() -> None:
    served = {words[words.index("-Q") + 1] for _, _, words in serve._celery_commands() if "-Q" in words}
    kept = app.conf.beat_schedule["sweep"]["options"]["queue"]
    assert kept in served - set(Step.Queue.values)
