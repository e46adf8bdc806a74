"""Reading a data set slice by slice.

A slice that was read is a file in the working directory: whoever goes on after an interruption reads only the
missing ones. Images that will be packed lie in one file beside them, each at its place, before it is known
which of them stay. `packing` makes a data set of it all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from search.training.ingestion.decoding import fitted, is_grey
from search.training.ingestion.limits import LISTED, IngestError, Limits, UnreadableError, amount
from search.training.ingestion.listing import Listing
from search.training.ingestion.sources import FolderSource, Source

SLICE = 1000
RAW = "raw.bytes"
"""(images, size, size, 3) uint8. Written and read by pieces: pages of a mapped file would count as memory."""
_LOOKED_AT = 200
_SIZES = (8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256)

Pixels = npt.NDArray[np.uint8]
Wait = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the images of a source are stored: height and width, and whether they are copied at all."""

    size: int
    packed: bool
    images: int

    @property
    def slices(self) -> int:
        return -(-self.images // SLICE)


def plan(source: Source, size: int | None, limits: Limits, on_wait: Wait = lambda: None) -> Plan:
    """Images are stored at `size`, or at what suits most. `on_wait` is called after each that was looked at.

    Raises IngestError when that is too much.
    """
    count = len(source.listing)
    side = size or _usual_size(source, on_wait)
    bytes_ = 3 * count * side * side
    if bytes_ <= limits.packed:
        return Plan(side, True, count)
    if not isinstance(source, FolderSource):
        raise IngestError(
            f"Stored at {side} x {side} pixels the images are {amount(bytes_)}; {amount(limits.packed)} are "
            "allowed. Choose a smaller size, or have an administrator register the folder on the server."
        )
    return Plan(side, False, count)


def _usual_size(source: Source, on_wait: Wait) -> int:
    """The largest common size that half of the images reach with their shorter side."""
    count = len(source.listing)
    sides: list[int] = []
    for index in np.unique(np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(int)).tolist():
        with suppress(UnreadableError):
            sides.append(min(source.image(index).size))
        on_wait()
    if not sides:
        raise IngestError("None of the images that were looked at can be read.")
    return max((one for one in _SIZES if one <= median(sides)), default=_SIZES[0])


def read_slices(source: Source, planned: Plan, work: Path, on_images: Callable[[int], object]) -> None:
    """Reads every slice that the working directory lacks. `on_images` hears how many images are read in all,
    after each; what it raises stops the reading, and the slice at work is read again next time.

    Slices of another listing, as when files came or went since the last time, are thrown away.
    """
    _forget_others(source.listing, planned, work)
    raw = _open_raw(work, planned) if planned.packed else None
    try:
        for number in range(planned.slices):
            start, stop = number * SLICE, min((number + 1) * SLICE, planned.images)
            place = work / f"slice-{number:06d}.npz"
            if not place.exists():
                _save(place, _read_slice(source, planned, start, stop, raw, on_images), raw)
            on_images(stop)
    finally:
        if raw is not None:
            os.close(raw)


def _forget_others(listing: Listing, planned: Plan, work: Path) -> None:
    """Removes slices that are not of these files, read in this way."""
    digest = hashlib.sha256(f"{planned.size} {planned.packed} {SLICE}".encode())
    for name in listing.names:
        digest.update(b"\0" + os.fsencode(name))
    mark = work / "listing"
    if mark.exists() and mark.read_text() == digest.hexdigest():
        return
    for old in work.glob("slice-*.npz"):
        old.unlink()
    mark.write_text(digest.hexdigest())


def _open_raw(work: Path, planned: Plan) -> int:
    descriptor = os.open(work / RAW, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.truncate(descriptor, planned.images * 3 * planned.size**2)
    return descriptor


def _save(place: Path, arrays: dict[str, npt.NDArray[Any]], raw: int | None) -> None:
    """A slice appears under its name when all of it, and its images, are on the disk."""
    fresh = place.with_suffix(".part")
    with fresh.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    if raw is not None:
        os.fsync(raw)
    os.replace(fresh, place)


def _read_slice(
    source: Source,
    planned: Plan,
    start: int,
    stop: int,
    raw: int | None,
    on_images: Callable[[int], object],
) -> dict[str, npt.NDArray[Any]]:
    count = stop - start
    good, grey = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    digests = np.zeros((count, 32), dtype=np.uint8)
    sizes = np.zeros((count, 2), dtype=np.int32)
    values = np.zeros((3, 256), dtype=np.int64)
    problems: list[str] = []
    for place in range(count):
        on_images(start + place)
        try:
            image = source.image(start + place)
        except UnreadableError as error:
            if len(problems) < LISTED:
                problems.append(f"{source.listing.names[start + place]}: {error}")
            continue
        whole = np.asarray(image.convert("RGB"))
        head = f"{image.size[0]}x{image.size[1]}:".encode()
        digests[place] = np.frombuffer(hashlib.sha256(head + whole.tobytes()).digest(), dtype=np.uint8)
        good[place], grey[place], sizes[place] = True, is_grey(image, whole), image.size
        pixels = fitted(image, planned.size)
        for channel in range(3):
            values[channel] += np.bincount(pixels[..., channel].ravel(), minlength=256)
        if raw is not None:
            os.pwrite(raw, pixels.tobytes(), (start + place) * pixels.nbytes)
    return {
        "good": good,
        "grey": grey,
        "digests": digests,
        "sizes": sizes,
        "values": values,
        "problems": np.array(problems, dtype=np.str_),
    }


@dataclass(frozen=True, slots=True)
class Slices:
    """What all slices say of their images (n) together."""

    good: npt.NDArray[np.bool_]
    grey: npt.NDArray[np.bool_]
    digests: Pixels
    sizes: npt.NDArray[np.int32]
    values: npt.NDArray[np.int64]
    problems: list[str]  # names with reasons, the first LISTED


def load_slices(work: Path, planned: Plan, on_wait: Wait) -> Slices:
    """Every slice of a working directory; `on_wait` is called after each."""
    parts = []
    for number in range(planned.slices):
        with np.load(work / f"slice-{number:06d}.npz", allow_pickle=False) as part:
            parts.append(dict(part))
        on_wait()
    joined = {
        name: np.concatenate([part[name] for part in parts]) for name in ("good", "grey", "digests", "sizes")
    }
    problems = islice((str(one) for part in parts for one in part["problems"]), LISTED)
    return Slices(
        **joined, values=np.sum([part["values"] for part in parts], axis=0), problems=list(problems)
    )
