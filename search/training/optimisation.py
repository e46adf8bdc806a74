"""The optimiser and the moving average of the weights, as a recipe describes them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from search.training.recipes import Recipe


def make_optimiser(network: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimiser. Weights of convolutions and of the classifier decay; norms and biases do not.

    Source: He et al., Bag of Tricks for Image Classification, CVPR 2019, section 3.1.
    """
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimiser == "adamw":
        return AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=True)
    return SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0, fused=True
    )


def set_learning_rate(optimiser: Optimizer, value: float) -> None:
    """Set the rate of every group."""
    for group in optimiser.param_groups:
        group["lr"] = value


class MovingAverage:
    """An exponential moving average of a network's weights and statistics, as a network of its own.

    The decay grows towards its final value, so that the average soon forgets the random start (as
    TensorFlow's ExponentialMovingAverage does with num_updates).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._decay = decay
        self._averages, self._sources = _floats(self.network), _floats(network)
        self._counts = list(zip(_counts(self.network), _counts(network), strict=True))

    def update(self, step: int) -> None:
        """Take in the weights after a step (counted from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(self._averages, self._sources, 1.0 - decay)
            for average, source in self._counts:
                average.copy_(source)


def _floats(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]


def _counts(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in network.state_dict().values() if not tensor.is_floating_point()]
