"""KILL to anything at any moment changes no result."""

from __future__ import annotations

import pytest

from tests.services import chaos

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("postgres", "redis_server")]


def test_ten_kills_at_random_moments_change_no_result_lose_no_event_and_leave_no_file() -> None:
    report = chaos.run(kills=10, seed=1, between=(1.0, 3.0))
    assert report.wrong == []
    assert sum(report.kills.values()) >= 10
    assert report.rounds == 1
    assert report.samples == 10
