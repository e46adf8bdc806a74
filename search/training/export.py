"""A trained network as files that carry what their user needs, each in a format of its own.

Every file but the weights takes images (n, channels, height, width) float32 in 0..1, of any size, and gives
logits (n, classes): resizing and normalising are part of it, so that nobody can get them wrong. Every file
holds EXTRA_FILES as texts.
"""

from __future__ import annotations

import hashlib
import json
import platform
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import nn

from devices.operators import Layer
from devices.profiling.torchscript import freeze, save
from search.training.batches import Preprocess
from search.training.datasets import Dataset
from search.training.networks import Network, fold
from search.training.onnx_export import quantise, write_onnx
from search.training.preprocessing import Preprocessing

WEIGHTS_TEXTS = "chamnet"
"""Where a file of weights holds its texts, as one JSON object."""

EXTRA_FILES = (
    "classes.json",
    "preprocessing.json",
    "architecture.json",
    "versions.json",
    "metrics.json",
)


@dataclass(frozen=True)
class Exported:
    """A trained network, and what its files say of it. `architecture` and `metrics` are JSON types."""

    network: Network
    preprocessing: Preprocessing
    dataset: Dataset
    architecture: Mapping[str, Any]
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def folded(self) -> nn.Module:
        """The network for inference, norms folded in."""
        return fold(self.network)

    def whole(self) -> nn.Sequential:
        """The network for inference, with what comes before it."""
        return nn.Sequential(Preprocess(self.preprocessing), self.folded()).eval()

    def example(self, count: int = 1) -> torch.Tensor:
        size = self.dataset.image_size
        return torch.rand(count, self.dataset.channels, size, size)

    def extra(self) -> dict[str, str]:
        """EXTRA_FILES by name."""
        contents: dict[str, Any] = {
            "classes.json": self.dataset.classes,
            "preprocessing.json": self.preprocessing.to_json(),
            "architecture.json": dict(self.architecture),
            "versions.json": versions(),
            "metrics.json": dict(self.metrics),
        }
        return {name: json.dumps(contents[name]) for name in EXTRA_FILES}


def export_torchscript(exported: Exported, path: Path) -> None:
    """Frozen TorchScript."""
    save(freeze(exported.whole(), exported.example()), path, exported.extra())


def export_program(exported: Exported, path: Path) -> None:
    """A program of torch.export (.pt2), for batches and images of any size."""
    batch = torch.export.Dim("batch", min=1, max=65_536)
    height, width = (torch.export.Dim(name, min=2, max=16_384) for name in ("height", "width"))
    with warnings.catch_warnings():
        # torch warns of its own deprecated parts, and that no weight is on a graphics card.
        warnings.simplefilter("ignore")
        program = torch.export.export(
            exported.whole(), (exported.example(2),), dynamic_shapes=({0: batch, 2: height, 3: width},)
        )
        torch.export.save(program, path, extra_files=dict(exported.extra()))


def export_onnx(exported: Exported, path: Path) -> None:
    """ONNX, in float32."""
    write_onnx(
        exported.network.layers, _weights(exported.folded()), path, exported.preprocessing, exported.extra()
    )


def export_int8(
    source: Path, exported: Exported, path: Path, images: Sequence[npt.NDArray[np.float32]]
) -> None:
    """An ONNX file in 8 bits, from the one in float and batches of training images in 0..1."""
    quantise(source, path, images, exported.extra())


def export_weights(exported: Exported, path: Path) -> None:
    """The trained weights as safetensors, norms not folded, with the architecture beside them."""
    tensors = {name: tensor.contiguous() for name, tensor in exported.network.state_dict().items()}
    texts = exported.extra() | {"layers.json": layers_json(exported.network.layers)}
    # One entry only: the library writes several in an order that changes from run to run.
    save_file(tensors, path, metadata={WEIGHTS_TEXTS: json.dumps(texts)})


def layers_json(layers: Sequence[Layer]) -> str:
    """A lowered network as text: name, key and inputs of every layer."""
    return json.dumps([[layer.name, layer.operator.key, list(layer.inputs)] for layer in layers])


def _weights(folded: nn.Module) -> Any:
    kernels = list(folded.get_submodule("kernels").children())
    return lambda number: [
        np.ascontiguousarray(parameter.detach().numpy()) for parameter in kernels[number].parameters()
    ]


def versions() -> dict[str, str]:
    """Versions of what made a file."""
    return {"python": platform.python_version(), "torch": str(torch.__version__), "numpy": np.__version__}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
