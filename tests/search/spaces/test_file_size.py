"""The predicted size of the exported file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from search.spaces import FILE_BASE, FILE_SLACK, Architecture, file_bytes, preset
from search.training import datasets
from search.training.export import Exported, export_torchscript
from search.training.networks import build_network
from search.training.preprocessing import Preprocessing


@pytest.mark.parametrize("name", ["chamnet-mobile-small", "chamnet-res-small"])
def test_a_file_stays_below_its_prediction_and_near_it(name: str, tmp_path: Path) -> None:
    space = preset(name, classes=10, in_channels=1)
    for row in space.sample(np.random.default_rng(5), 3).tolist():
        architecture = Architecture(space, tuple(row))
        network = build_network(architecture.layers)
        with torch.no_grad():  # equal tensors, such as norms at their start, are stored once
            for tensor in [*network.parameters(), *network.buffers()]:
                if tensor.is_floating_point():
                    tensor.add_(0.1 * torch.rand_like(tensor))
        exported = Exported(
            network=network,
            preprocessing=Preprocessing(8, architecture.values["resolution"], 1, (0.5,), (0.25,)),
            dataset=datasets.dataset("digits"),
            architecture={"space": space.to_json(), "values": architecture.values, "id": architecture.id},
        )
        export_torchscript(exported, tmp_path / "model.pt")
        predicted = FILE_BASE + sum(file_bytes(layer.operator) for layer in architecture.layers)
        assert (1.0 - FILE_SLACK) * predicted < (tmp_path / "model.pt").stat().st_size <= predicted
