"""Building the files that agents fetch. In a worker's child only: torch is imported."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Sequence

from django.core.files.base import ContentFile

from devices.kernels import Packed, as_network, identity, known_files
from devices.measuring import network_layers
from devices.models import Device, KernelFile, LatencyTable
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
        content = gzip.compress(_build(device.engine, network_layers(packed)), compresslevel=6, mtime=0)
        sha256 = hashlib.sha256(content).hexdigest()
        row = KernelFile(engine=device.engine, digest=name, sha256=sha256, size=len(content))
        storage = KernelFile._meta.get_field("file").storage
        path = f"kernels/{device.engine}/{sha256}.gz"
        row.file.name = path if storage.exists(path) else storage.save(path, ContentFile(content))
        KernelFile.objects.bulk_create([row], ignore_conflicts=True)
        known[name] = row
        on_file()


def _build(engine: str, layers: Sequence[Layer]) -> bytes:
    return onnx_network(layers) if engine == Device.Engine.ONNX_RUNTIME else torchscript_network(layers)
