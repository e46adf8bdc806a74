"""Data sets that were brought here, as directories: packed arrays, or names of files that stay in place.

facts.json   classes, size, channels, split sizes, checksum, packed, root
labels.npy   (n,) int64
test.npy     (n,) bool
images.npy   (n, size, size, channels) uint8, of a packed set
names.npy    (n,) bytes, of one whose files stay below `root`
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from search.training.ingestion.decoding import fitted
from search.training.ingestion.limits import Limits, UnreadableError
from search.training.ingestion.sources import read_image

READERS = 4
"""Threads that decode images: most of it happens outside Python's lock."""
MOST_LOST = 0.02
"""Share of the images read at once that may have become unreadable; one always may."""

Pixels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


class ImagesGoneError(FileNotFoundError):
    """A data set's images are not where they were; the message is a sentence that says what to do."""


class Reader(Protocol):
    """Images by their rows, read when they are asked for."""

    shape: tuple[int, int, int, int]

    def read(self, rows: Rows) -> Pixels: ...


class Packed:
    """Images of one array, whose file is mapped only while some are read.

    Pages that stay mapped count as memory of the process, and in the end all of them would.
    """

    def __init__(self, place: Path) -> None:
        self._path = place / "images.npy"
        mapped = np.load(self._path, mmap_mode="r", allow_pickle=False)
        self.shape: tuple[int, int, int, int] = mapped.shape
        self._offset: int = mapped.offset

    def read(self, rows: Rows) -> Pixels:
        mapped = np.memmap(self._path, np.uint8, mode="r", offset=self._offset, shape=self.shape)
        found: Pixels = np.asarray(mapped[rows])
        return found


class Scattered:
    """Image files below a folder. A few that have become unreadable since are black.

    Raises ImagesGoneError when the folder is gone, and so does `read` when more than MOST_LOST of the images
    are: an empty folder is all that a disk leaves that was unmounted.
    """

    def __init__(self, place: Path, facts: dict[str, Any]) -> None:
        self._names = np.load(place / "names.npy", mmap_mode="r", allow_pickle=False)
        self._root, self._limits = Path(facts["root"]), Limits()
        if not self._root.is_dir():
            raise ImagesGoneError(
                f"The folder of the data set, {self._root}, is gone. "
                "Bring it back to where it was, then try again."
            )
        self.shape = (len(self._names), facts["size"], facts["size"], facts["channels"])

    def read(self, rows: Rows) -> Pixels:
        with ThreadPoolExecutor(READERS) as readers:
            found = list(readers.map(self._one, rows.tolist()))
        lost = [one for one in found if isinstance(one, UnreadableError)]
        if len(lost) > max(1, MOST_LOST * len(rows)):
            raise ImagesGoneError(
                f"{len(lost)} of {len(rows)} images of the data set can no longer be read from {self._root} "
                f"(one {lost[0]}). Bring its files back, then try again."
            )
        images = np.zeros((len(rows), *self.shape[1:]), dtype=np.uint8)
        for place, one in enumerate(found):
            if not isinstance(one, UnreadableError):
                images[place] = one
        return images

    def _one(self, row: int) -> Pixels | UnreadableError:
        try:
            image = read_image(self._root, os.fsdecode(bytes(self._names[row])), self._limits)
        except UnreadableError as error:
            return error
        return fitted(image, self.shape[1])[..., : self.shape[3]]


@dataclass(frozen=True)
class LazyImages:
    """Some rows of a reader, (n, height, width, channels) uint8, read when numpy asks for them."""

    reader: Reader
    rows: Rows

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.rows), *self.reader.shape[1:])

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> LazyImages:
        return LazyImages(self.reader, self.rows[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Pixels:
        return self.reader.read(self.rows)


@dataclass(frozen=True, slots=True)
class StoredSet:
    """A stored data set, its images not read yet."""

    facts: dict[str, Any]
    images: LazyImages
    labels: Rows
    test: npt.NDArray[np.bool_]


def open_set(place: Path) -> StoredSet:
    """Opens a directory.

    Raises ImagesGoneError when it, or the folder of its images, is gone and ValueError when it is not whole.
    """
    try:
        facts = json.loads((place / "facts.json").read_text("utf-8"))
        labels = np.load(place / "labels.npy", allow_pickle=False)
        test = np.load(place / "test.npy", allow_pickle=False)
        reader: Reader = Packed(place) if facts["packed"] else Scattered(place, facts)
    except ImagesGoneError:
        raise
    except FileNotFoundError as error:
        raise ImagesGoneError(f"The files of the data set are gone: {error.filename} is missing.") from None
    if not len(labels) == len(test) == reader.shape[0]:
        raise ValueError(f"The files of the data set in {place} do not belong together.")
    return StoredSet(facts, LazyImages(reader, np.arange(len(labels))), labels, test)
