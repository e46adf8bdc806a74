from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from devices.operators import Operator
from devices.profiling import (
    OperatorBench,
    bind,
    build_inference_network,
    example_inputs,
    freeze,
    time_networks,
)
from devices.profiling.kernels import build_kernel
from devices.profiling.torchscript import load, save
from search.spaces import preset

SPACE = preset("chamnet-mobile-small", classes=10, in_channels=1)
RES = preset("chamnet-res-small", classes=10, in_channels=1)
OPERATORS = {operator.kind: operator for space in (SPACE, RES) for operator in space.operators()}


@pytest.mark.parametrize("kind", sorted(OPERATORS))
def test_a_kernel_turns_its_input_into_its_output_shape(kind: str) -> None:
    operator = OPERATORS[kind]
    kernel = build_kernel(operator).eval()
    inputs = example_inputs(operator, 2, torch.Generator().manual_seed(0))
    output = kernel(*inputs)
    expected: tuple[int, ...] = (2, operator.out_channels)
    if kind not in ("linear", "avgpool"):
        expected += (operator.out_size, operator.out_size)
    assert output.shape == expected
    assert sum(weight.numel() for weight in kernel.parameters()) <= operator.parameters


def test_each_operator_is_visited_once_a_round_and_timed_above_zero() -> None:
    operators = sorted(OPERATORS.values(), key=lambda operator: operator.key)
    bench = OperatorBench(operators, threads=1, batch_size=1, seed=0)
    timings = bench.round(np.random.default_rng(0))
    assert set(timings) == {operator.key for operator in operators}
    assert all(len(samples) == 5 and min(samples) > 0 for samples in timings.values())


def test_more_work_takes_longer() -> None:
    """Sixteen times the multiply-adds: a factor that no disturbance hides from the minimum."""
    wide = [op for op in SPACE.operators() if op.kind == "conv" and op.kernel == 1]
    wide.sort(key=lambda op: op.multiply_adds)
    small, large = wide[0], wide[-1]
    assert large.multiply_adds > 16 * small.multiply_adds
    bench = OperatorBench([small, large], threads=1, batch_size=1, seed=0)
    rounds = [bench.round(np.random.default_rng(number)) for number in range(4)]
    fastest = {op.key: min(min(timings[op.key]) for timings in rounds) for op in (small, large)}
    assert fastest[large.key] > fastest[small.key]


def test_a_frozen_network_computes_what_the_module_does() -> None:
    layers = SPACE.lower([len(gene.choices) - 1 for gene in SPACE.genes])
    network = build_inference_network(layers, seed=3)
    images = example_inputs(layers[0].operator, 2, torch.Generator().manual_seed(1))
    frozen = freeze(network, *images)
    with torch.inference_mode():
        assert torch.allclose(frozen(*images), network(*images), atol=1e-5)
    (timings,) = time_networks([bind(frozen, images)], rounds=2, seed=0)
    assert len(timings) == 10


def test_a_file_keeps_its_extra_files_and_anything_else_is_no_file(tmp_path: Path) -> None:
    module = freeze(torch.nn.Linear(2, 3), torch.zeros(1, 2))
    save(module, tmp_path / "m.pt", {"classes.json": "[]"})
    again, extra = load(tmp_path / "m.pt", ("classes.json",))
    assert extra == {"classes.json": "[]"}
    assert torch.equal(again(torch.ones(1, 2)), module(torch.ones(1, 2)))
    (tmp_path / "no.pt").write_bytes(b"not a module")
    with pytest.raises(RuntimeError):
        load(tmp_path / "no.pt")


def test_unknown_operators_cannot_be_parsed() -> None:
    with pytest.raises(ValueError, match="teleport"):
        Operator.parse("teleport-3x3")
