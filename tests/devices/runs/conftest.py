from __future__ import annotations

from collections.abc import Callable

import pytest

from chamnet_web.accounts.models import Team
from devices.runs import clock, registry, turns
from devices.runs.models import Run, Step
from devices.runs.services import start_run
from tests.devices.runs import toy


@pytest.fixture(autouse=True)
def _toy_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._kinds, "toy", toy.KIND)


@pytest.fixture(autouse=True)
def _fresh_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has served nobody and has not looked at the clock yet."""
    monkeypatch.setattr(turns, "_served", {})
    monkeypatch.setattr(clock, "_offset", None)


@pytest.fixture
def begin(owner: Team) -> Callable[..., Run]:
    """Starts a toy run whose first step is of the given kind."""

    def start(first_step: str = "toy.count", to: int = 3, parent: Run | None = None) -> Run:
        return start_run(
            owner=owner,
            kind="toy",
            title="Toy",
            first_step=first_step,
            queue=Step.Queue.LIGHT,
            payload={"number": 0, "to": to},
            total=to,
            parent=parent,
        )

    return start
