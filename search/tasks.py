"""Celery's door into what is done daily."""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import close_old_connections

from search.services.disk import prune

logger = logging.getLogger(__name__)


@shared_task
def prune_disk() -> None:
    close_old_connections()
    gone = {kind: count for kind, count in prune().items() if count}
    logger.info("removed what the settings let go: %s", gone or "nothing")
