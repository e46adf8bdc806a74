"""What open streams hold on to, at a real server."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from django.db import connection

from chamnet_web.accounts.models import Team
from devices.runs import following
from tests.api.conftest import token_of
from tests.api.live import served
from tests.api.test_events import begun, log
from tests.serving import wait_until

STREAMS = 8


def open_connections() -> int:
    """To the tests' database."""
    if connection.vendor == "sqlite":
        found = (os.path.realpath(f"/proc/self/fd/{fd.name}") for fd in Path("/proc/self/fd").iterdir())
        return sum(path == os.path.realpath(connection.settings_dict["NAME"]) for path in found)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_streams_hold_no_connection_to_the_database_each(
    owner: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.runs.writing.nudge_watchers", lambda run_id: None)
    monkeypatch.setattr(following, "LOOK_AGAIN_SECONDS", 0.05)
    run, token = begun(owner), token_of(owner.members.get())
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    before = open_connections()  # those of tests that came first among them
    with served() as address, ExitStack() as streams:
        asked = Request(f"{address}/api/v1/runs/{run.pk}/events", headers=headers)
        answers = [streams.enter_context(urlopen(asked, timeout=20)) for _ in range(STREAMS)]
        for answer in answers:
            assert answer.readline().startswith(b"retry")
        assert wait_until(lambda: open_connections() <= before + STREAMS // 2, 10), open_connections()
        log(run, "All of them are still open.")
        for answer in answers:
            assert any(b"still open" in line for line in iter(answer.readline, b""))
