"""Data sets made up for tests."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, size: tuple[int, int] = (16, 12), *, grey: bool = False, kind: str = "PNG") -> bytes:
    """An image file of random pixels (width, height), the same for the same seed."""
    rng = np.random.default_rng(seed)
    shape = (size[1], size[0]) if grey else (size[1], size[0], 3)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def files(
    classes: int = 3, each: int = 10, *, parts: tuple[str, ...] = ("",), grey: bool = False
) -> dict[str, bytes]:
    """Image files by path: class folders, within the folders of `parts`."""
    found = {}
    for place, part in enumerate(parts):
        for one in range(classes):
            for number in range(each):
                seed = 10_000 * place + 100 * one + number
                found[f"{part}class{one}/{number}.png"] = picture(seed, grey=grey)
    return found


def zip_of(path: Path, content: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def folder_of(path: Path, content: Mapping[str, bytes]) -> Path:
    for name, data in content.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return path
