"""What happens to an image before the network sees it. Imports no torch: the web process shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Images in 0..1 are resized to `resolution`; `mean` is taken off each channel, `std` divides it."""

    image_size: int  # height = width of the images trained on, pixels
    resolution: int  # height = width of what the network sees, pixels
    channels: int
    mean: tuple[float, ...]  # per channel, of the training images in 0..1
    std: tuple[float, ...]

    @classmethod
    def fit(cls, images: npt.ArrayLike, resolution: int) -> Preprocessing:
        """Mean and deviation of training images (n, height, width, channels), bytes."""
        pixels = np.asarray(images, dtype=np.uint8)
        channels = pixels.shape[-1]
        # Counting the 256 values is exact and needs no copy of the images as floats.
        counts = [np.bincount(pixels[..., channel].ravel(), minlength=256) for channel in range(channels)]
        values = np.arange(256) / 255.0
        mean = [float(np.average(values, weights=count)) for count in counts]
        variance = [
            float(np.average((values - centre) ** 2, weights=count))
            for count, centre in zip(counts, mean, strict=True)
        ]
        # A constant channel carries nothing; dividing it by 1 keeps it finite.
        std = [float(np.sqrt(spread)) if spread > 0 else 1.0 for spread in variance]
        return cls(pixels.shape[1], resolution, channels, tuple(mean), tuple(std))

    def to_json(self) -> dict[str, Any]:
        """Every field by name, as JSON types."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        """What `to_json` described. Raises ValueError naming a missing field."""
        try:
            return cls(
                int(data["image_size"]),
                int(data["resolution"]),
                int(data["channels"]),
                tuple(float(value) for value in data["mean"]),
                tuple(float(value) for value in data["std"]),
            )
        except KeyError as error:
            raise ValueError(f"this is no stored preprocessing: the field {error} is missing") from error
