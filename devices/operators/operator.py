"""One operator: the unit that a device is measured in and a network is made of.

An operator is one fused kernel on one square image: a convolution together with its folded normalisation and
its activation, a depthwise convolution likewise, a pooling, a linear layer or an addition. Its *key* is its
canonical text; two operators with the same key cost the same on the same device, so tables are indexed by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

Kind = Literal["conv", "depthwise", "maxpool", "avgpool", "linear", "add"]
Activation = Literal["none", "relu", "relu6"]

KINDS: tuple[Kind, ...] = get_args(Kind)
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)

_KEEPS_CHANNELS = frozenset({"depthwise", "maxpool", "avgpool", "add"})
_HAS_NO_WINDOW = frozenset({"avgpool", "linear", "add"})
_HAS_NO_ACTIVATION = frozenset({"maxpool", "avgpool", "linear"})

# The fields of a key in their order, each with the attribute that it spells.
_KEY_FIELDS = {
    "in": "in_channels",
    "out": "out_channels",
    "size": "size",
    "kernel": "kernel",
    "stride": "stride",
}
_EXAMPLE = "conv,in=32,out=64,size=56,kernel=1,stride=1,act=relu6"
_COUNT = re.compile(r"[1-9][0-9]{0,6}")


@dataclass(frozen=True, slots=True)
class Operator:
    """One fused kernel on one square image.

    ``size`` is the height and the width of the input in pixels (1 for linear). ``avgpool`` is the global
    average down to one pixel. An ``add`` may carry an activation, as ResNet's does.

    Raises ValueError for a combination that no network can hold, saying what is expected instead.
    """

    kind: Kind
    in_channels: int
    out_channels: int
    size: int
    kernel: int = 1
    stride: int = 1
    activation: Activation = "none"

    def __post_init__(self) -> None:
        reason = self._contradiction()
        if reason:
            raise ValueError(f'operator "{self.key}": {reason}')

    def _contradiction(self) -> str | None:
        if self.kind not in KINDS:
            return f'kind "{self.kind}" is unknown; expected one of {", ".join(KINDS)}'
        if self.activation not in ACTIVATIONS:
            return f'act "{self.activation}" is unknown; expected one of {", ".join(ACTIVATIONS)}'
        if min(self.in_channels, self.out_channels, self.size, self.kernel, self.stride) < 1:
            return "in, out, size, kernel and stride must be at least 1"
        if self.kernel % 2 == 0:
            return f"kernel must be odd, so that padding kernel // 2 is symmetric; got {self.kernel}"
        if self.kind in _KEEPS_CHANNELS and self.in_channels != self.out_channels:
            return f"{self.kind} keeps its channels, so in and out must be equal"
        if self.kind in _HAS_NO_WINDOW and (self.kernel, self.stride) != (1, 1):
            return f"{self.kind} has no window, so kernel and stride must be 1"
        if self.kind in _HAS_NO_ACTIVATION and self.activation != "none":
            return f"{self.kind} carries no activation, so act must be none"
        if self.kind == "linear" and self.size != 1:
            return "linear reads one pixel, so size must be 1"
        return None

    @property
    def key(self) -> str:
        """Canonical text; the same key means the same cost."""
        return (
            f"{self.kind},in={self.in_channels},out={self.out_channels},size={self.size}"
            f",kernel={self.kernel},stride={self.stride},act={self.activation}"
        )

    @classmethod
    def parse(cls, key: str) -> Operator:
        """The operator with this key; ``Operator.parse(key).key == key``.

        Raises ValueError with what is wrong and what is expected: a key is canonical, so fields that are
        missing, reordered, padded or doubled are refused rather than guessed.
        """
        kind, *fields = key.split(",")
        expected = [*_KEY_FIELDS, "act"]
        if [field.partition("=")[0] for field in fields] != expected:
            raise ValueError(
                f'operator "{key}": expected the fields {", ".join(expected)} after the kind, in this order, '
                f'as in "{_EXAMPLE}"'
            )
        texts = {name: field.partition("=")[2] for name, field in zip(expected, fields, strict=True)}
        for name in _KEY_FIELDS:
            if not _COUNT.fullmatch(texts[name]):
                raise ValueError(
                    f'operator "{key}": {name} is "{texts[name]}"; expected a whole number from 1 to 9999999 '
                    "without leading zeros"
                )
        counts = {attribute: int(texts[name]) for name, attribute in _KEY_FIELDS.items()}
        return cls(kind=cast(Kind, kind), activation=cast(Activation, texts["act"]), **counts)

    @classmethod
    def knows(cls, key: str) -> bool:
        """Whether a text is an operator's key, not one of a foreign vocabulary."""
        try:
            cls.parse(key)
        except ValueError:
            return False
        return True

    @property
    def out_size(self) -> int:
        """Height and width of the output in pixels, with padding ``kernel // 2``, as torch computes it."""
        if self.kind == "avgpool":
            return 1
        return (self.size + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds per image of convolutions and linear layers; pools, adds and norms count nothing."""
        return self.out_size**2 * self._weights

    @property
    def parameters(self) -> int:
        """Trainable numbers: weights, and a scale and a shift per channel of the norm, or linear's bias."""
        if self.kind in ("conv", "depthwise"):
            return self._weights + 2 * self.out_channels
        return self._weights + self._biases

    @property
    def folded_parameters(self) -> int:
        """Numbers that inference needs once the norm is folded in: weights and a bias per channel."""
        return self._weights + self._biases

    @property
    def input_elements(self) -> int:
        """Numbers read per image; an add reads two inputs."""
        inputs = 2 if self.kind == "add" else 1
        return inputs * self.in_channels * self.size**2

    @property
    def output_elements(self) -> int:
        """Numbers written per image."""
        return self.out_channels * self.out_size**2

    @property
    def memory_accesses(self) -> int:
        """Numbers moved per image if each is moved once: inputs, output, folded weights and bias."""
        return self.input_elements + self.output_elements + self.folded_parameters

    @property
    def _weights(self) -> int:
        if self.kind == "conv":
            return self.kernel**2 * self.in_channels * self.out_channels
        if self.kind == "depthwise":
            return self.kernel**2 * self.in_channels
        if self.kind == "linear":
            return self.in_channels * self.out_channels
        return 0

    @property
    def _biases(self) -> int:
        return self.out_channels if self.kind in ("conv", "depthwise", "linear") else 0
