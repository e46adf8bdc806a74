"""A database that somebody holds for too long: SQLite as a whole, of PostgreSQL what is written to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from django.db import OperationalError, connection

from devices.runs.execution import execute
from devices.runs.models import Run, Step
from devices.runs.steps import ClaimedStep

Begin = Callable[..., Run]

# Of each database: to wait for 50 ms at most, to hold it, and how it then answers others.
DATABASES = {
    "sqlite": ("PRAGMA busy_timeout=50", "BEGIN IMMEDIATE", "database is locked"),
    "postgresql": (
        "SET lock_timeout=50",
        "BEGIN; LOCK TABLE runs_run, runs_step IN EXCLUSIVE MODE",
        "canceling statement due to lock timeout",
    ),
}


def ask(database: Any, statement: str) -> None:
    with database.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
def test_a_locked_database_costs_a_step_a_moment_and_no_try(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_impatient, hold, answer = DATABASES[connection.vendor]
    run = begin(to=1)
    seen: list[str] = []

    def locked(step: ClaimedStep) -> None:
        ask(connection, be_impatient)
        ask(other, hold)
        release.start()
        step.check(every_seconds=0)
        try:
            ask(connection, be_impatient)  # once more: the check took a new connection
            with step.commit():
                raise AssertionError("it was not locked")
        except OperationalError as error:
            seen.append(str(error))
            raise

    monkeypatch.setattr("tests.devices.runs.toy.count", locked)
    with closing(connection.copy("other")) as other:
        other.inc_thread_sharing()
        release = threading.Timer(0.3, ask, (other, "ROLLBACK"))
        execute(run.steps.get().pk)
        release.join()
    assert [said.splitlines()[0] for said in seen] == [answer]
    step = run.steps.get()
    assert (step.status, step.attempts) == (Step.Status.READY, 0)
