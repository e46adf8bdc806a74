"""SQLite that somebody holds for too long."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection

from devices.runs.execution import execute
from devices.runs.models import Run, Step
from devices.runs.steps import ClaimedStep

Begin = Callable[..., Run]


@pytest.mark.django_db(transaction=True)
def test_a_locked_database_costs_a_step_a_moment_and_no_try(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(to=1)
    other = sqlite3.connect(connection.settings_dict["NAME"], check_same_thread=False)
    seen: list[str] = []

    def locked(step: ClaimedStep) -> None:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout=50")
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.3, other.rollback).start()
        step.check(every_seconds=0)
        try:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout=50")
            with step.commit():
                raise AssertionError("it was not locked")
        except OperationalError as error:
            seen.append(str(error))
            raise

    monkeypatch.setattr("tests.devices.runs.toy.count", locked)
    execute(run.steps.get().pk)
    assert seen == ["database is locked"]
    step = run.steps.get()
    assert (step.status, step.attempts) == (Step.Status.READY, 0)
    monkeypatch.undo()
    other.close()
