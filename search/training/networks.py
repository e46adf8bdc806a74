"""Trainable networks, built from the same layers that a table is summed over.

A layer becomes one module: a convolution without bias, its batch norm and its activation; a pool; an
addition; the classifier. `fold` turns a trained network into the fused kernels that devices measure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from devices.operators import Layer, Operator
from devices.profiling import build_inference_network

M = TypeVar("M", bound=nn.Module)


class Network(nn.Module):
    """A network of layers: images (n, channels, size, size) -> logits (n, classes).

    Parameters are named after the layers, dots written as underscores.
    """

    def __init__(self, layers: Sequence[Layer], dropout: float) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.modules_by_layer = nn.ModuleDict(
            {_module_name(layer): _build(layer.operator, dropout) for layer in self.layers}
        )
        # What a later layer than the next one still needs; everything else is dropped as soon as it was used.
        self._kept = {
            source
            for index, layer in enumerate(self.layers)
            for source in layer.inputs
            if source != index - 1
        }

    @property
    def resolution(self) -> int:
        """Height and width of the images, pixels."""
        return self.layers[0].operator.size

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.layers[0].operator.in_channels

    @property
    def classes(self) -> int:
        """Number of logits."""
        return self.layers[-1].operator.out_channels

    def forward(self, images: Tensor) -> Tensor:
        kept = {-1: images}
        value = images
        for index, (layer, module) in enumerate(self.by_layer()):
            value = module(*(value if source == index - 1 else kept[source] for source in layer.inputs))
            if index in self._kept:
                kept[index] = value
        return value

    def by_layer(self) -> Iterator[tuple[Layer, nn.Module]]:
        """Each layer with its module."""
        return zip(self.layers, self.modules_by_layer.values(), strict=True)


class _ReLU6InPlace(torch.autograd.Function):
    """min(max(x, 0), 6) that overwrites its input and remembers its output.

    torch's in-place ReLU6 remembers a copy of its input instead, which costs a pass over memory; the gradient
    is the same from either, since both are clipped at the same places.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        clipped = values.clamp_(0.0, 6.0)
        ctx.mark_dirty(values)
        ctx.save_for_backward(clipped)
        return clipped

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (clipped,) = ctx.saved_tensors
        gradient: Tensor = torch.ops.aten.hardtanh_backward(gradients[0], clipped, 0.0, 6.0)
        return gradient


class _ReLU6(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        clipped: Tensor = _ReLU6InPlace.apply(values)  # type: ignore[no-untyped-call]
        return clipped


class _Add(nn.Module):
    """The sum of two feature maps, with its activation."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        activated: Tensor = self.activation(first + second)
        return activated


class _GlobalAverage(nn.Module):
    """(n, channels, height, width) -> (n, channels).

    Averaged over pixels as they lie in memory, so that the gradient lies likewise: that of `mean((2, 3))`
    comes in NCHW, and the norm before it then takes ten times as long.
    """

    def forward(self, features: Tensor) -> Tensor:
        return features.permute(0, 2, 3, 1).flatten(1, 2).mean(1)


def build_network(layers: Sequence[Layer], dropout: float = 0.0, *, seed: int | None = None) -> Network:
    """A trainable network in channels_last, initialised from `seed`, or else from torch's global generator.

    Its parameters are the operators' sum. `dropout` is the share of the classifier's inputs dropped in
    training.

    Convolutions start from He et al. (2015), equation 10, over the fan out; the classifier from a normal of
    deviation 0.01; the norm that ends a residual branch from 0, so that each block starts as the identity
    (Goyal et al., 2017, section 5.1).

    Raises ValueError when the layers do not end in a linear classifier.
    """
    if not layers or layers[-1].operator.kind != "linear":
        raise ValueError("A network's last layer must be its linear classifier.")
    network = Network(layers, dropout)
    _initialise(network, None if seed is None else torch.Generator().manual_seed(seed))
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def fold(network: Network) -> nn.Module:
    """The inference network with every norm folded into its convolution: same logits up to rounding.

    Source: Jacob et al., Quantization and Training of Neural Networks, CVPR 2018, section 3.2.
    """
    network.eval()
    folded = build_inference_network(network.layers)
    for (layer, trained), kernel in zip(
        network.by_layer(), folded.get_submodule("kernels").children(), strict=True
    ):
        if layer.operator.kind in ("conv", "depthwise"):
            fused = nn.utils.fuse_conv_bn_eval(_one(trained, nn.Conv2d), _one(trained, nn.BatchNorm2d))
            _copy(_one(kernel, nn.Conv2d), fused)
        elif layer.operator.kind == "linear":
            _copy(_one(kernel, nn.Linear), _one(trained, nn.Linear))
    return folded.eval().requires_grad_(False)


def _module_name(layer: Layer) -> str:
    return layer.name.replace(".", "_")


def _build(operator: Operator, dropout: float) -> nn.Module:
    """The trainable module of one layer."""
    if operator.kind in ("conv", "depthwise"):
        return _convolution(operator)
    if operator.kind == "maxpool":
        return nn.MaxPool2d(operator.kernel, operator.stride, padding=operator.kernel // 2)
    if operator.kind == "avgpool":
        return _GlobalAverage()
    if operator.kind == "linear":
        classifier = _uninitialised(nn.Linear, operator.in_channels, operator.out_channels)
        return nn.Sequential(nn.Dropout(dropout), classifier) if dropout else nn.Sequential(classifier)
    return _Add(_activation(operator))


def _convolution(operator: Operator) -> nn.Module:
    convolution = _uninitialised(
        nn.Conv2d,
        operator.in_channels,
        operator.out_channels,
        operator.kernel,
        stride=operator.stride,
        padding=operator.kernel // 2,
        groups=operator.in_channels if operator.kind == "depthwise" else 1,
        bias=False,
    )
    return nn.Sequential(convolution, nn.BatchNorm2d(operator.out_channels), _activation(operator))


def _uninitialised(kind: type[nn.Module], *sizes: int, **options: Any) -> nn.Module:
    """A module whose weights are drawn later; drawing them here too would use torch's global generator."""
    device = torch.get_default_device()
    module: nn.Module = nn.utils.skip_init(kind, *sizes, **options, device=device)  # type: ignore[no-untyped-call]
    return module


def _activation(operator: Operator) -> nn.Module:
    if operator.activation == "none":
        return nn.Identity()
    return _ReLU6() if operator.activation == "relu6" else nn.ReLU(inplace=True)


def _initialise(network: Network, generator: torch.Generator | None) -> None:
    ends_of_branches = {layer.inputs[0] for layer in network.layers if layer.operator.kind == "add"}
    for index, (layer, module) in enumerate(network.by_layer()):
        if layer.operator.kind in ("conv", "depthwise"):
            convolution = _one(module, nn.Conv2d)
            fan_out = convolution.weight[:, 0].numel() // convolution.groups
            nn.init.normal_(convolution.weight, std=math.sqrt(2.0 / fan_out), generator=generator)
            if index in ends_of_branches:
                nn.init.zeros_(_one(module, nn.BatchNorm2d).weight)
        elif layer.operator.kind == "linear":
            classifier = _one(module, nn.Linear)
            nn.init.normal_(classifier.weight, std=0.01, generator=generator)
            nn.init.zeros_(classifier.bias)


def _one(module: nn.Module, kind: type[M]) -> M:
    """The only submodule of a kind."""
    (found,) = (part for part in module.modules() if isinstance(part, kind))
    return found


def _copy(target: nn.Module, source: nn.Module) -> None:
    """Take over weights, keeping the target's layout in memory."""
    target.load_state_dict(source.state_dict())
