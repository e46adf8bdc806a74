"""The clock: interleaved rounds in random order, so that no disturbance hits one operator alone.

A timing is the mean of a short loop of calls, long enough for the timer's resolution. Each visit drops the
calls that warm caches and the engine's specialisation up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns

import numpy as np
import torch
from torch import Tensor

from devices.operators import Operator
from devices.profiling.kernels import build_kernel, channels_last, example_inputs
from devices.profiling.torchscript import freeze

WARM_UP = 3
TIMINGS = 5
LOOP_NS = 100_000

Timed = Callable[[], object]


class OperatorBench:
    """Frozen kernels of a set of operators, measured round by round.

    threads: torch's threads while measuring; batch_size: images a call. Kernels are built at their first
    visit and kept.
    """

    def __init__(self, operators: Sequence[Operator], *, threads: int, batch_size: int, seed: int) -> None:
        self.operators = tuple(operators)
        self.threads, self.batch_size = threads, batch_size
        self._generator = torch.Generator().manual_seed(seed)
        self._inputs: dict[tuple[str, int, int], tuple[Tensor, ...]] = {}
        self._calls: dict[str, Timed] = {}

    def round(self, rng: np.random.Generator) -> dict[str, list[float]]:
        """Visits every operator once in random order: key -> timings in microseconds."""
        torch.set_num_threads(self.threads)
        timings: dict[str, list[float]] = {}
        with torch.inference_mode():
            for index in rng.permutation(len(self.operators)):
                operator = self.operators[int(index)]
                timings[operator.key] = time_call(self._call(operator))
        return timings

    def _call(self, operator: Operator) -> Timed:
        if operator.key not in self._calls:
            shape = (operator.kind, operator.in_channels, operator.size)
            if shape not in self._inputs:
                self._inputs[shape] = example_inputs(operator, self.batch_size, self._generator)
            inputs = self._inputs[shape]
            kernel = channels_last(build_kernel(operator).eval())
            self._calls[operator.key] = bind(freeze(kernel, *inputs), inputs)
        return self._calls[operator.key]


def bind(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> Timed:
    """A call without arguments."""
    return lambda: module(*inputs)


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


def time_networks(
    networks: Sequence[Timed],
    *,
    rounds: int,
    rng: np.random.Generator,
    on_round: Callable[[], object] | None = None,
) -> list[list[float]]:
    """Timings in microseconds of whole networks, each a call without arguments, in interleaved rounds.

    on_round is called after each round and may raise to stop.
    """
    found: list[list[float]] = [[] for _ in networks]
    with torch.inference_mode():
        for _ in range(rounds):
            for index in rng.permutation(len(networks)):
                found[int(index)] += time_call(networks[int(index)])
            if on_round is not None:
                on_round()
    return found
