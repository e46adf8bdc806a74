"""Operators and whole networks as files that an agent fetches: which there are, and which are wanted.

They are built once for all devices of an engine (devices.building).
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.files.base import ContentFile

from devices.models import Device, KernelFile, LatencyTable
from devices.models.agents import digest
from devices.operators import Operator

Packed = Sequence[Sequence[Any]]


def as_network(operator: Operator) -> list[list[Any]]:
    """An operator as a packed network of itself; an add takes two images."""
    return [["operator", operator.key, [-1, -2] if operator.kind == "add" else [-1]]]


def packed_of(table: LatencyTable, kind: str, name: str) -> Packed:
    """What the name of an assignment stands for, as a packed network."""
    if kind == "networks":
        network: Packed = table.networks[int(name)]
        return network
    return as_network(Operator.parse(name))


def identity(packed: Packed) -> str:
    """The digest under which the file of a packed network is known. Names of layers do not matter."""
    return digest(json.dumps([[key, list(inputs)] for _, key, inputs in packed]))


def input_shapes(packed: Packed) -> list[list[int]]:
    """Shapes of the images a file takes, without the batch: [[channels, size, size]] or [[features]]."""
    first = Operator.parse(packed[0][1])
    if first.kind == "linear":
        return [[first.in_channels]]
    images = 2 if min(packed[0][2]) == -2 else 1
    return [[first.in_channels, first.size, first.size]] * images


def known_files(device: Device, wanted: Iterable[Packed]) -> dict[str, KernelFile]:
    """The files there are, by identity."""
    digests = [identity(packed) for packed in wanted]
    rows = KernelFile.objects.filter(engine=device.engine, digest__in=digests)
    return {row.digest: row for row in rows}


def keep_file(engine: str, name: str, content: bytes) -> KernelFile:
    """Stores a file, compressed, under the digest that agents' work names it by."""
    packed = gzip.compress(content, compresslevel=6, mtime=0)
    sha256 = hashlib.sha256(packed).hexdigest()
    row = KernelFile(engine=engine, digest=name, sha256=sha256, size=len(packed))
    storage = KernelFile._meta.get_field("file").storage
    path = f"kernels/{engine}/{sha256}.gz"
    row.file.name = path if storage.exists(path) else storage.save(path, ContentFile(packed))
    KernelFile.objects.bulk_create([row], ignore_conflicts=True)
    return row
