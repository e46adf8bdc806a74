"""Two browsers press at the same moment: the run ends up as if one had come second."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from chamnet_web.accounts.models import User
from devices.runs.models import Run
from devices.runs.services import cancel, pause

pytestmark = pytest.mark.django_db(transaction=True)
Begin = Callable[..., Run]


def press(ada: User, run: Run, actions: tuple[str, str]) -> None:
    """Each action from a browser of its own, as near to each other as threads come."""
    browsers = [Client(), Client()]
    for browser in browsers:
        browser.force_login(ada)
    ready = Barrier(2)

    def act(browser: Client, action: str) -> int:
        try:
            ready.wait(timeout=10)
            return browser.post(reverse("run-action", args=[run.pk, action])).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(act, browsers, actions)) == [302, 302]


@pytest.mark.parametrize(
    ("before", "actions", "outcomes"),
    [
        ("queued", ("pause", "pause"), {"queued paused"}),
        ("queued", ("pause", "cancel"), {"queued cancelled", "queued paused cancelled"}),
        ("queued", ("cancel", "cancel"), {"queued cancelled"}),
        ("queued", ("pause", "resume"), {"queued paused", "queued paused queued"}),
        ("queued", ("stop", "stop"), {"queued"}),
        ("queued", ("stop", "cancel"), {"queued cancelled"}),
        ("paused", ("resume", "resume"), {"queued paused queued"}),
        ("paused", ("resume", "cancel"), {"queued paused cancelled", "queued paused queued cancelled"}),
        ("cancelled", ("retry", "retry"), {"queued cancelled queued"}),
        ("cancelled", ("retry", "cancel"), {"queued cancelled queued", "queued cancelled queued cancelled"}),
        ("cancelled", ("retry", "pause"), {"queued cancelled queued", "queued cancelled queued paused"}),
    ],
)
def test_of_two_presses_one_comes_second(
    ada: User, begin: Begin, before: str, actions: tuple[str, str], outcomes: set[str]
) -> None:
    run = begin()
    if before != "queued":
        {"paused": pause, "cancelled": cancel}[before](run)
    press(ada, run, actions)
    run.refresh_from_db()
    events = list(run.events.order_by("seq"))
    statuses = [event.data["status"] for event in events if event.kind == "status"]
    assert " ".join(statuses) in outcomes
    assert run.status == statuses[-1]
    assert [event.seq for event in events] == list(range(1, run.last_seq + 1))
    assert sum(event.kind == "stop-requested" for event in events) <= 1
    assert run.steps.count() == 1
