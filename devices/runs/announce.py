"""Hints to other processes that rows have changed: new events to browsers, ready steps and due
notices to workers.

A hint may be lost, doubled or late without harm: browsers and workers read the rows. So a broker that is
away is logged and otherwise ignored; the sweep repeats what matters.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from uuid import UUID

from asgiref.sync import async_to_sync
from celery import current_app
from channels.layers import get_channel_layer
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from devices.runs.models import Step

logger = logging.getLogger(__name__)

EXECUTE_STEP = "devices.runs.tasks.execute_step"
SEND_NOTICE = "devices.runs.tasks.send_notice"


def group_name(run_id: UUID | str) -> str:
    """The channel-layer group of everyone who watches a run."""
    return f"run.{run_id}"


def nudge_watchers(run_id: UUID) -> None:
    """Tells open sockets that the run has new events."""
    if not _broker_may_be_there():
        return
    try:
        async_to_sync(get_channel_layer().group_send)(group_name(run_id), {"type": "run.nudge"})
    except (RedisError, OSError) as error:
        logger.warning("run %s: watchers were not nudged: %s", run_id, error)


def announce_steps(steps: Iterable[Step]) -> None:
    """Tells the workers of each step's queue that it is ready."""
    if not _broker_may_be_there():
        return
    for step in steps:
        try:
            current_app.send_task(EXECUTE_STEP, args=[step.pk], queue=step.queue, retry=False)
        except (OperationalError, RedisError, OSError) as error:
            logger.warning("run %s: step %s was not announced: %s", step.run_id, step.name, error)
            continue
        Step.objects.filter(pk=step.pk).update(announced_at=timezone.now())


def announce_notices(notice_ids: Iterable[UUID]) -> None:
    """Tells the workers that notices are due."""
    if not _broker_may_be_there():
        return
    for notice_id in notice_ids:
        try:
            current_app.send_task(
                SEND_NOTICE, args=[str(notice_id)], queue=Step.Queue.LIGHT.value, retry=False, expires=60
            )
        except (OperationalError, RedisError, OSError) as error:
            logger.warning("notice %s was not announced: %s", notice_id, error)


def _broker_may_be_there() -> bool:
    """False while the embedded broker does not run: nobody listens, and asking takes seconds."""
    return not settings.EMBEDDED_REDIS or settings.EMBEDDED_REDIS_SOCKET.exists()
