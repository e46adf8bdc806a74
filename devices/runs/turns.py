"""Whose turn it is: the order in which a worker takes ready steps.

Everything that one owner started at once – a study with its models, or a single build – is one job. The
next step is one of the owner, then of the job, that has the fewest steps at work in the queue; among equals
the one that this worker served longest ago; then the oldest. So with several workers nobody's jobs wait
for another's queue of long trainings to end, and with one worker owners alternate, and each one's jobs.
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from uuid import UUID

from devices.runs.models import Run, Step

CONSIDERED = 1_000
"""Ready steps, oldest first, that are looked at; more wait until these are fewer."""
REMEMBERED = 1_000

_turn = count(1)
# When this process served which owner or job. Losing it costs one turn.
_served: dict[object, int] = {}


def in_order(queue: str) -> list[int]:
    """Ids of the queue's ready steps in the order in which they are due. Counts as serving the first."""
    columns = ("pk", "run__owner_id", "run__parent_id", "run_id")
    ready = Step.objects.filter(status=Step.Status.READY, queue=queue, run__status__in=Run.ACTIVE)
    rows = [
        (pk, owner, parent or run)
        for pk, owner, parent, run in ready.order_by("pk").values_list(*columns)[:CONSIDERED]
    ]
    at_work = Step.objects.filter(status=Step.Status.LEASED, queue=queue).values_list(*columns[1:])
    owners = Counter(owner for owner, _, _ in at_work)
    jobs = Counter(parent or run for _, parent, run in at_work)

    def due(row: tuple[int, int, UUID]) -> tuple[int, ...]:
        pk, owner, job = row
        return owners[owner], _served.get(owner, 0), jobs[job], _served.get(job, 0), pk

    rows.sort(key=due)
    if rows:
        _remember(*rows[0][1:])
    return [pk for pk, _, _ in rows]


def _remember(*served: object) -> None:
    for one in served:
        _served.pop(one, None)
        _served[one] = next(_turn)
    while len(_served) > REMEMBERED:
        del _served[next(iter(_served))]
