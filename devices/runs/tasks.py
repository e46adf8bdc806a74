"""Celery's doors into the run machinery. A task's body only calls a service."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

from devices.runs import execution
from devices.runs.notices import sending


@shared_task
def execute_step(step_id: int) -> None:
    """Does one step of that step's queue: the one that is due, which need not be the one announced."""
    close_old_connections()
    execution.execute_due(step_id)


@shared_task
def sweep() -> None:
    close_old_connections()
    execution.sweep()
    sending.sweep()


@shared_task
def send_notice(notice_id: str) -> None:
    close_old_connections()
    sending.send(notice_id)
