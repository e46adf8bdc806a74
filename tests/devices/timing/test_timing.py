from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from devices.timing import describe_machine, pinned, time_call, time_in_rounds


def test_every_call_is_visited_once_a_round_in_changing_order() -> None:
    order: list[str] = []
    calls = [lambda name=name: order.append(name) for name in "abcd"]
    found = time_in_rounds(calls, rounds=3, seed=0)
    assert [len(samples) for samples in found] == [15] * 4
    assert all(us > 0 for samples in found for us in samples)
    assert len(Counter(order)) == 4
    visits = [name for place, name in enumerate(order) if place == 0 or order[place - 1] != name]
    assert len({"".join(visits[start : start + 4]) for start in (0, 4, 8)}) > 1


def test_a_timing_is_of_one_call() -> None:
    import time

    (slow,) = time_in_rounds([lambda: time.sleep(0.002)], rounds=1, seed=0)
    assert all(2000 <= us < 100_000 for us in slow)
    assert max(time_call(lambda: None)) < 2000


def test_a_round_can_be_interrupted() -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        time_in_rounds([lambda: None], rounds=5, seed=0, on_round=stop)


def test_the_machine_says_what_it_is() -> None:
    found = describe_machine("an engine 1.0", 1)
    assert found["processor"]
    assert found["cores"]
    assert found["engine"] == "an engine 1.0"


def test_a_process_is_pinned_only_while_it_measures() -> None:
    before = os.sched_getaffinity(0)
    inside: list[int] = []

    def interrupted() -> None:
        with pinned(1):
            inside.extend(os.sched_getaffinity(0))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    assert len(inside) == 1
    assert os.sched_getaffinity(0) == before


def test_neither_the_clock_nor_the_agent_needs_an_engine_to_be_imported() -> None:
    heavy = "{'torch', 'onnxruntime', 'django', 'numpy'}"
    code = f"import sys, devices.timing, devices.agent; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
