"""Operators, and networks of them, as inference modules: norms are folded, weights are random.

What a kernel computes does not matter for its speed, so weights are drawn once and never trained.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from devices.operators import Layer, Operator
from devices.profiling.weights import patterned

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "relu6": nn.ReLU6}


class Add(nn.Module):
    """The sum of two tensors of one shape."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first + second


class GlobalAveragePool(nn.Module):
    """The mean over height and width: (n, c, h, w) -> (n, c)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


class ActivatedAdd(nn.Module):
    """A sum followed by an activation."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        activated: Tensor = self.activation(first + second)
        return activated


def build_kernel(operator: Operator) -> nn.Module:
    """The fused inference module of an operator: convolutions carry their folded norm as a bias."""
    core = _core(operator)
    if operator.activation == "none":
        return core
    activation = ACTIVATIONS[operator.activation]()
    return ActivatedAdd(activation) if operator.kind == "add" else nn.Sequential(core, activation)


def _core(operator: Operator) -> nn.Module:
    if operator.kind in ("conv", "depthwise"):
        return nn.Conv2d(
            operator.in_channels,
            operator.out_channels,
            operator.kernel,
            stride=operator.stride,
            padding=operator.kernel // 2,
            groups=operator.in_channels if operator.kind == "depthwise" else 1,
        )
    if operator.kind == "maxpool":
        return nn.MaxPool2d(operator.kernel, operator.stride, padding=operator.kernel // 2)
    if operator.kind == "avgpool":
        return GlobalAveragePool()
    if operator.kind == "linear":
        return nn.Linear(operator.in_channels, operator.out_channels)
    return Add()


def example_inputs(operator: Operator, batch_size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Random inputs of an operator, images in channels_last."""
    if operator.kind == "linear":
        return (torch.rand(batch_size, operator.in_channels, generator=generator),)
    shape = (batch_size, operator.in_channels, operator.size, operator.size)
    return tuple(
        torch.rand(shape, generator=generator).to(memory_format=torch.channels_last)
        for _ in range(2 if operator.kind == "add" else 1)
    )


def channels_last(module: nn.Module) -> nn.Module:
    """The module with its weights laid out for images in channels_last."""
    laid_out: nn.Module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return laid_out


class InferenceNetwork(nn.Module):
    """A whole lowered network of kernels. A layer's input -1 is the first image, -2 the second."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.kernels = nn.ModuleList(build_kernel(layer.operator) for layer in layers)
        self.sources = [layer.inputs for layer in layers]

    def forward(self, *images: Tensor) -> Tensor:
        outputs: list[Tensor] = []
        for kernel, sources in zip(self.kernels, self.sources, strict=True):
            inputs = (images[-index - 1] if index < 0 else outputs[index] for index in sources)
            outputs.append(kernel(*inputs))
        return outputs[-1]


def build_inference_network(layers: Sequence[Layer], seed: int = 0) -> nn.Module:
    """A network with random weights for timing. Takes images (n, channels, size, size) in channels_last."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return channels_last(InferenceNetwork(layers).eval())


def with_pattern(module: nn.Module) -> nn.Module:
    """The module with weights that repeat a short random pattern, so that its file compresses well."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(patterned(tuple(parameter.shape))))
    return module
