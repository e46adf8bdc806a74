"""Frozen kernels of operators and of whole networks, ready for the clock (devices.timing)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from devices.operators import Layer, Operator
from devices.profiling.kernels import build_inference_network, build_kernel, channels_last, example_inputs
from devices.profiling.torchscript import freeze
from devices.timing import Timed, time_call, time_in_rounds


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
            self._calls[operator.key] = bind(freeze(kernel, *inputs, check=False), inputs)
        return self._calls[operator.key]


def bind(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> Timed:
    """A call without arguments."""
    return lambda: module(*inputs)


def network_calls(networks: Sequence[Sequence[Layer]], batch_size: int) -> list[Timed]:
    """Frozen whole networks with random weights and images, each a call without arguments."""
    calls = []
    for index, layers in enumerate(networks):
        images = example_inputs(layers[0].operator, batch_size, torch.Generator().manual_seed(index))
        network = freeze(build_inference_network(layers, seed=index), *images, check=False)
        calls.append(bind(network, images))
    return calls


def time_networks(
    networks: Sequence[Timed], *, rounds: int, seed: int, on_round: Callable[[], object] | None = None
) -> list[list[float]]:
    """`time_in_rounds` without torch's bookkeeping for gradients."""
    with torch.inference_mode():
        return time_in_rounds(networks, rounds=rounds, seed=seed, on_round=on_round)
