"""From arrays of images to the batches a network trains on, and to what it sees of an image when it is used.

Training images are resized to the network's resolution once and kept as bytes; a batch is gathered, augmented
and normalised as a whole. Images that are only judged go through `Preprocess`, as in the exported file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from search.training.datasets import IN_MEMORY, Arrays
from search.training.preprocessing import Preprocessing
from search.training.recipes import Recipe

_CHUNK = 256
PROCESSOR = torch.device("cpu")


class Preprocess(nn.Module):
    """Images (n, channels, height, width) in 0..1, of any size -> what the network sees, in channels_last."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.resolution = preprocessing.resolution
        mean, std = torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)
        self.scale = nn.Buffer((1.0 / std)[:, None, None])
        self.shift = nn.Buffer((-mean / std)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        resized = resize(images.to(memory_format=torch.channels_last), self.resolution)
        return torch.addcmul(self.shift, resized, self.scale)


def resize(images: Tensor, resolution: int) -> Tensor:
    """Images (n, channels, height, width) resized bilinearly, averaging over pixels where they shrink."""
    return functional.interpolate(
        images, size=(resolution, resolution), mode="bilinear", align_corners=False, antialias=True
    )


def as_tensor(arrays: Arrays) -> Tensor:
    """Images as floats in 0..1 (n, channels, height, width), laid out as channels_last."""
    return torch.from_numpy(arrays.pixels().astype(np.float32) / np.float32(255)).permute(0, 3, 1, 2)


class TrainingImages:
    """The training images at the network's resolution, and the random batches of an epoch.

    Images that fit into memory at that resolution are resized once. Of a larger set each batch is read and
    resized while the one before it trains.
    """

    def __init__(
        self,
        arrays: Arrays,
        preprocessing: Preprocessing,
        recipe: Recipe,
        device: torch.device = PROCESSOR,
    ) -> None:
        self._device = device
        self.batch_size = min(recipe.batch_size, len(arrays))
        self.steps = len(arrays) // self.batch_size
        self._recipe, self._resolution = recipe, preprocessing.resolution
        self._labels = torch.from_numpy(arrays.labels.copy())
        self._arrays = arrays
        whole = len(arrays) * preprocessing.resolution**2 * preprocessing.channels
        self._pixels = _resized_bytes(arrays, preprocessing.resolution) if whole <= IN_MEMORY else None
        std = torch.tensor(preprocessing.std)
        self._scale = (1.0 / (255.0 * std)[:, None, None]).to(device)
        self._shift = (-torch.tensor(preprocessing.mean) / std)[:, None, None].to(device)

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of images (b, channels, size, size) and labels (b,), all of one size.

        Each epoch leaves out a different random rest that fills no batch.
        """
        order = torch.from_numpy(rng.permutation(len(self._labels))[: self.steps * self.batch_size])
        for chosen, read in self._read(torch.split(order, self.batch_size)):
            pixels = read.to(self._device).permute(0, 3, 1, 2).float()
            images = augment(pixels, self._recipe, rng).mul_(self._scale).add_(self._shift)
            yield images, self._labels.index_select(0, chosen).to(self._device)

    def _read(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Every batch of rows with its images (b, size, size, channels) uint8."""
        if self._pixels is not None:
            for chosen in batches:
                yield chosen, self._pixels.index_select(0, chosen)
            return
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._read_batch, batches[0])
            for chosen, following in zip(batches, [*batches[1:], None], strict=True):
                read = coming.result()
                if following is not None:
                    coming = ahead.submit(self._read_batch, following)
                yield chosen, read

    def _read_batch(self, chosen: Tensor) -> Tensor:
        return _resized_bytes(self._arrays[chosen.numpy()], self._resolution)


def augment(images: Tensor, recipe: Recipe, rng: np.random.Generator) -> Tensor:
    """Each image of a batch cropped, moved, zoomed, turned and mirrored at random within the recipe's bounds.

    Pixels from beyond the border repeat it.
    """
    if not (recipe.shift or recipe.zoom or recipe.rotation or recipe.flip or recipe.crop):
        return images
    count = len(images)
    # The affine map goes from the output to the input, in coordinates where the image spans -1..1.
    shift = rng.uniform(-2 * recipe.shift, 2 * recipe.shift, size=(count, 2))
    zoom = 1.0 / rng.uniform(1 - recipe.zoom, 1 + recipe.zoom, size=count)
    angle = np.deg2rad(rng.uniform(-recipe.rotation, recipe.rotation, size=count))
    mirror = rng.choice((-1.0, 1.0), size=count) if recipe.flip else np.ones(count)
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    maps = np.stack([cos * mirror, -sin, shift[:, 0], sin * mirror, cos, shift[:, 1]], axis=1)
    if recipe.crop:
        maps = _cropped(maps, recipe.crop, rng)
    theta = torch.from_numpy(maps.astype(np.float32)).view(count, 2, 3).to(images.device)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)


def _cropped(
    maps: npt.NDArray[np.float64], least: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Affine maps (n, 6) followed by a window somewhere in the image, of at least `least` of its area."""
    count = len(maps)
    area = rng.uniform(least, 1.0, size=count)
    ratio = np.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3), size=count))
    sides = np.minimum(np.sqrt(np.stack([area * ratio, area / ratio], axis=1)), 1.0)
    centres = rng.uniform(-1.0, 1.0, size=(count, 2)) * (1.0 - sides)
    windowed = maps.reshape(count, 2, 3) * sides[:, :, None]
    windowed[:, :, 2] += centres
    return windowed.reshape(count, 6)


def _resized_bytes(arrays: Arrays, resolution: int) -> Tensor:
    """Images (n, resolution, resolution, channels) uint8."""
    if arrays.images.shape[1:3] == (resolution, resolution):
        return torch.from_numpy(arrays.pixels().copy())
    parts = []
    for start in range(0, len(arrays), _CHUNK):
        resized = resize(as_tensor(arrays[start : start + _CHUNK]), resolution)
        parts.append(resized.mul_(255).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1))
    return torch.cat(parts).contiguous()
