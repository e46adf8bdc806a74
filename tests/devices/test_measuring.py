"""Measuring a table: operators whose timings spread are visited again, a bounded number of times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from chamnet_web.accounts.models import User
from devices import steps
from devices.profiling import OperatorBench
from devices.runs.models import Run
from devices.services import ROUNDS, SETTLING_TURNS
from tests.search.world import table_of

pytestmark = pytest.mark.django_db
Work = Callable[..., int]
TIMINGS = 5


@pytest.mark.parametrize("steady_after", [ROUNDS, ROUNDS + 1, 10**6])
def test_unsteady_operators_are_visited_again_until_they_are_steady(
    owner: User, work: Work, monkeypatch: pytest.MonkeyPatch, steady_after: int
) -> None:
    """One operator's timings scatter until it was visited so often; from then on its low ones agree."""
    visits: dict[str, int] = {}
    unsteady: list[str] = []

    def made_up(self: OperatorBench, rng: np.random.Generator) -> dict[str, list[float]]:
        found = {}
        for operator in self.operators:
            unsteady[:] = unsteady or [operator.key]
            visits[operator.key] = visits.get(operator.key, 0) + 1
            scattered = operator.key == unsteady[0] and visits[operator.key] <= steady_after
            found[operator.key] = [13.0 + n if scattered else 10.0 for n in range(TIMINGS)]
            if visits[operator.key] == 1:
                found[operator.key][0] = 10.0
            if operator.key == unsteady[0] and not scattered:
                found[operator.key] *= 20
        return found

    monkeypatch.setattr(OperatorBench, "round", made_up)
    table = table_of(owner, work=work)
    assert table.run.status == Run.Status.SUCCEEDED, table.run.reason
    assert table.run.done == table.run.total
    others = {key: count for key, count in visits.items() if key != unsteady[0]}
    assert set(others.values()) == {ROUNDS}
    assert visits[unsteady[0]] == min(max(steady_after + 1, ROUNDS + 1), ROUNDS + SETTLING_TURNS)
    assert (steps.unsettled(table) == ()) == (steady_after < 10**6)
