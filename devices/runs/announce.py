"""Hints to other processes that rows have changed: new events to browsers, ready steps and due
notices to workers.

A hint may be lost, doubled or late without harm: browsers and workers read the rows. So a broker that is
away is logged and otherwise ignored; the sweep repeats what matters.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from asgiref.sync import async_to_sync
from celery import current_app
from channels.layers import get_channel_layer
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import ChannelError, OperationalError
from redis.exceptions import RedisError

from devices.runs.logs import about
from devices.runs.models import Run, Step

logger = logging.getLogger(__name__)

EXECUTE_STEP = "devices.runs.tasks.execute_step"
SEND_NOTICE = "devices.runs.tasks.send_notice"
ANNOUNCED_AT_ONCE = 1000
BROKER_AWAY = (OperationalError, RedisError, OSError)


def group_name(run_id: UUID | str) -> str:
    """The channel-layer group of everyone who watches a run."""
    return f"run.{run_id}"


def nudge_watchers(run_id: UUID) -> None:
    """Tells open sockets that the run has new events."""
    if not _broker_may_be_there():
        return
    try:
        async_to_sync(get_channel_layer().group_send)(group_name(run_id), {"type": "run.nudge"})
    except BROKER_AWAY as error:
        with about(run=run_id):
            logger.warning("watchers were not nudged: %s", error)


def announce_steps(steps: Iterable[Step]) -> None:
    """Tells the workers of each step's queue that it is ready."""
    if not _broker_may_be_there():
        return
    for step in steps:
        try:
            current_app.send_task(EXECUTE_STEP, args=[step.pk], queue=step.queue, retry=False)
        except BROKER_AWAY as error:
            with about(run=step.run_id, step=step.name):
                logger.warning("the step was not announced: %s", error)
            continue
        Step.objects.filter(pk=step.pk).update(announced_at=timezone.now())


def announce_notices(notice_ids: Iterable[UUID]) -> None:
    """Tells the workers that notices are due."""
    if not _broker_may_be_there():
        return
    for notice_id in notice_ids:
        try:
            current_app.send_task(
                SEND_NOTICE, args=[str(notice_id)], queue=settings.HOUSEKEEPING_QUEUE, retry=False, expires=60
            )
        except BROKER_AWAY as error:
            logger.warning("notice %s was not announced: %s", notice_id, error)


def forgotten_steps(older_than: timedelta) -> list[Step]:
    """Ready steps to announce once more: of each queue as many as it holds too few messages, bounded.

    A message stands for any step of its queue, so a step that has waited long behind others is not forgotten.
    """
    found: list[Step] = []
    for queue in Step.Queue:
        ready = Step.objects.filter(queue=queue, status=Step.Status.READY, run__status__in=Run.ACTIVE)
        stale = ready.unannounced(older_than).order_by("pk")
        if stale.exists():
            found += stale[: min(max(ready.count() - messages(queue), 0), ANNOUNCED_AT_ONCE)]
    return found


def messages(queue: str) -> int:
    """How many messages wait in a queue; 0 while the broker is away."""
    if not _broker_may_be_there():
        return 0
    try:
        with current_app.pool.acquire(block=True) as broker:
            return int(broker.default_channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:
        return 0  # an empty queue is none
    except BROKER_AWAY as error:
        logger.warning("the length of the queue “%s” is not known: %s", queue, error)
        return 0


def _broker_may_be_there() -> bool:
    """False while the embedded broker does not run: nobody listens, and asking takes seconds."""
    return not settings.EMBEDDED_REDIS or settings.EMBEDDED_REDIS_SOCKET.exists()
