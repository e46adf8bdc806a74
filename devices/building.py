"""Building the files that agents fetch. In a worker's child only: torch is imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devices.kernels import Packed, as_network, identity, keep_file, known_files
from devices.measuring import network_layers
from devices.models import Device, LatencyTable
from devices.operators import Layer, Operator
from devices.profiling import torchscript_network
from devices.profiling.onnx_files import onnx_network


def prepare_files(table: LatencyTable, on_file: Callable[[], object] = lambda: None) -> None:
    """Builds every file of the table that does not exist yet. `on_file` may raise to stop between files."""
    first = table.position.get("first", 0)
    wanted = [as_network(Operator.parse(key)) for key in table.operator_keys[first:]]
    ensure_files(table.device, [*wanted, *table.networks], on_file)


def ensure_files(device: Device, wanted: Sequence[Packed], on_file: Callable[[], object]) -> None:
    """Builds those of these packed networks' files that do not exist yet."""
    known = known_files(device, wanted)
    for packed in wanted:
        name = identity(packed)
        if name in known:
            continue
        known[name] = keep_file(device.engine, name, _build(device.engine, network_layers(packed)))
        on_file()


def _build(engine: str, layers: Sequence[Layer]) -> bytes:
    return onnx_network(layers) if engine == Device.Engine.ONNX_RUNTIME else torchscript_network(layers)
