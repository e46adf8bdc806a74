"""Interleaved rounds in random order, so that no disturbance hits one operator alone.

A timing is the mean of a short loop of calls, long enough for the timer's resolution. Each visit drops the
calls that warm caches and the engine's specialisation up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from time import perf_counter_ns

WARM_UP = 3
TIMINGS = 5
LOOP_NS = 100_000

Timed = Callable[[], object]


def time_call(call: Timed, timings: int = TIMINGS) -> list[float]:
    """Repeated timings of a call in microseconds, after a warm-up; short calls are looped."""
    for _ in range(WARM_UP):
        call()
    begun = perf_counter_ns()
    call()
    loops = max(1, LOOP_NS // max(perf_counter_ns() - begun, 1))
    found = []
    for _ in range(timings):
        begun = perf_counter_ns()
        for _ in range(loops):
            call()
        found.append((perf_counter_ns() - begun) / loops / 1000.0)
    return found


def time_in_rounds(
    calls: Sequence[Timed],
    *,
    rounds: int,
    seed: int,
    on_round: Callable[[], object] | None = None,
) -> list[list[float]]:
    """Timings in microseconds of calls, all of which are visited once a round, in random order.

    on_round is called after each round and may raise to stop.
    """
    random, found = Random(seed), [list[float]() for _ in calls]  # noqa: S311  (an order, no secret)
    for _ in range(rounds):
        for index in random.sample(range(len(calls)), len(calls)):
            found[index] += time_call(calls[index])
        if on_round is not None:
            on_round()
    return found
