"""Reading a data set slice by slice, and putting the slices together.

A slice that was read is a file in the working directory: whoever goes on after an interruption reads only the
missing ones. What comes out is a directory that `search.training.stored` opens.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from search.training.ingestion.decoding import fitted, is_grey
from search.training.ingestion.limits import LISTED, IngestError, Limits, UnreadableError, amount
from search.training.ingestion.sources import TEST, TRAIN, FolderSource, Listing, Source
from search.training.splits import TEST_SEED, stratified_order

SLICE = 1000
FEWEST_PER_CLASS = 5
TEST_SHARE = 0.2
VALIDATION_SHARE, MOST_VALIDATION = 0.2, 10_000
PREVIEWS, PREVIEW_SIZE = 8, 48
BINS = 16
_LOOKED_AT = 200
_SIZES = (8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Plan:
    """How the images of a source are stored: height and width, and whether they are copied at all."""

    size: int
    packed: bool
    images: int

    @property
    def slices(self) -> int:
        return -(-self.images // SLICE)


@dataclass(frozen=True, slots=True)
class Taken:
    """A data set that was taken in: what it is, and what was seen on the way, both as JSON types."""

    checksum: str
    facts: dict[str, Any]
    report: dict[str, Any]


def plan(source: Source, size: int | None, limits: Limits) -> Plan:
    """Images are stored at `size`, or at what suits most. Raises IngestError when that is too much."""
    count = len(source.listing)
    side = size or _usual_size(source)
    bytes_ = 3 * count * side * side
    if bytes_ <= limits.packed:
        return Plan(side, True, count)
    if not isinstance(source, FolderSource):
        raise IngestError(
            f"Stored at {side} x {side} pixels the images are {amount(bytes_)}; {amount(limits.packed)} are "
            "allowed. Choose a smaller size, or have an administrator register the folder on the server."
        )
    return Plan(side, False, count)


def _usual_size(source: Source) -> int:
    """The largest common size that half of the images reach with their shorter side."""
    count = len(source.listing)
    sides: list[int] = []
    for index in np.unique(np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(int)).tolist():
        try:
            sides.append(min(source.image(index).size))
        except UnreadableError:
            continue
    if not sides:
        raise IngestError("None of the images that were looked at can be read.")
    return max((one for one in _SIZES if one <= median(sides)), default=_SIZES[0])


def read_slices(
    source: Source, planned: Plan, work: Path, limits: Limits, on_images: Callable[[int], object]
) -> None:
    """Reads every slice that the working directory lacks. `on_images` hears how many images are read in all;
    what it raises stops the reading, and the slice at work is read again next time."""
    raw = _raw_images(work, planned) if planned.packed else None
    for number in range(planned.slices):
        start, stop = number * SLICE, min((number + 1) * SLICE, planned.images)
        place = work / f"slice-{number:06d}.npz"
        if not place.exists():
            fresh = work / f"slice-{number:06d}.part"
            arrays: dict[str, Any] = _read_slice(source, planned, start, stop, raw, on_images)
            with fresh.open("wb") as file:
                np.savez(file, **arrays)
            if raw is not None:
                raw.flush()
            os.replace(fresh, place)
        on_images(stop)


def _raw_images(work: Path, planned: Plan) -> np.memmap[Any, np.dtype[np.uint8]]:
    place = work / "raw.npy"
    shape = (planned.images, planned.size, planned.size, 3)
    if place.exists():
        known: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(place, mode="r+")
        if known.shape == shape:
            return known
    made: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(
        place, mode="w+", dtype=np.uint8, shape=shape
    )
    return made


def _read_slice(
    source: Source,
    planned: Plan,
    start: int,
    stop: int,
    raw: np.memmap[Any, np.dtype[np.uint8]] | None,
    on_images: Callable[[int], object],
) -> dict[str, npt.NDArray[Any]]:
    count = stop - start
    good, grey = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    digests = np.zeros((count, 32), dtype=np.uint8)
    sizes = np.zeros((count, 2), dtype=np.int32)
    values = np.zeros((3, 256), dtype=np.int64)
    problems: list[str] = []
    for place in range(count):
        if place % 100 == 0:
            on_images(start + place)
        try:
            image = source.image(start + place)
        except UnreadableError as error:
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
            raw[start + place] = pixels
    return {
        "good": good,
        "grey": grey,
        "digests": digests,
        "sizes": sizes,
        "values": values,
        "problems": np.array(problems, dtype=np.str_),
    }


@dataclass(frozen=True, slots=True)
class _Read:
    """All slices together."""

    good: npt.NDArray[np.bool_]
    grey: npt.NDArray[np.bool_]
    digests: Pixels
    sizes: npt.NDArray[np.int32]
    values: npt.NDArray[np.int64]
    problems: list[str]


def _load_slices(work: Path, planned: Plan) -> _Read:
    parts = []
    for number in range(planned.slices):
        with np.load(work / f"slice-{number:06d}.npz", allow_pickle=False) as part:
            parts.append(dict(part))
    joined = {
        name: np.concatenate([part[name] for part in parts]) for name in ("good", "grey", "digests", "sizes")
    }
    return _Read(
        **joined,
        values=np.sum([part["values"] for part in parts], axis=0),
        problems=[str(one) for part in parts for one in part["problems"]],
    )


def put_together(listing: Listing, planned: Plan, work: Path, out: Path, root: Path | None = None) -> Taken:
    """Makes the directory `out` of everything that was read.

    Unreadable images are left out, and of images that are the same to the pixel all but one; one that is in
    both parts stays in the test part. `root` is where the images of a set lie that is not packed.
    Raises IngestError when too little is left of a class.
    """
    read = _load_slices(work, planned)
    kept, doubles = _distinct(listing, read)
    labels = listing.labels[kept]
    _check_classes(listing, labels)
    test = _test_part(listing, labels, kept)
    channels = 1 if bool(read.grey[kept].all()) else 3
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "labels.npy", labels)
    np.save(out / "test.npy", test)
    values = read.values
    if planned.packed:
        values = _write_images(work, out, kept, planned.size, channels)
    else:
        np.save(
            out / "names.npy", np.array([os.fsencode(listing.names[row]) for row in kept], dtype=np.bytes_)
        )
    development = int((~test).sum())
    facts = {
        "classes": list(listing.classes),
        "size": planned.size,
        "channels": channels,
        "validation": min(round(VALIDATION_SHARE * development), MOST_VALIDATION),
        "train": development - min(round(VALIDATION_SHARE * development), MOST_VALIDATION),
        "test": int(test.sum()),
        "packed": planned.packed,
        "root": None if planned.packed or root is None else str(root),
    }
    facts["checksum"] = checksum = _checksum(facts, read.digests[kept], labels, test)
    (out / "facts.json").write_text(json.dumps(facts))
    report = _report(listing, planned, read, kept, test, values[:channels]) | doubles
    return Taken(checksum, facts, report)


def _distinct(listing: Listing, read: _Read) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    """Rows of the images that stay, in their order, and what is said of the others."""
    rows = np.flatnonzero(read.good)
    parts = listing.parts if listing.parts is not None else np.zeros(len(listing), dtype=np.int8)
    first = rows[np.argsort(-parts[rows], kind="stable")]  # the test part keeps its images
    keys = np.ascontiguousarray(read.digests[first]).view("V32").ravel()
    _, chosen, belongs = np.unique(keys, return_index=True, return_inverse=True)
    keeper = first[chosen][belongs]
    same = keeper != first
    dropped = sorted(zip(first[same].tolist(), keeper[same].tolist(), strict=True))

    def told(pairs: list[tuple[int, int]]) -> dict[str, Any]:
        names = [[listing.names[one], listing.names[other]] for one, other in pairs[:LISTED]]
        return {"count": len(pairs), "listed": names}

    overlap = [(one, other) for one, other in dropped if parts[one] == TRAIN and parts[other] == TEST]
    conflicts = [(one, other) for one, other in dropped if listing.labels[one] != listing.labels[other]]
    return np.sort(first[chosen]), {
        "duplicates": told(dropped),
        "overlap": told(overlap),
        "conflicts": told(conflicts),
    }


def _check_classes(listing: Listing, labels: npt.NDArray[np.int64]) -> None:
    counts = np.bincount(labels, minlength=len(listing.classes))
    least = int(counts.argmin())
    if counts[least] < FEWEST_PER_CLASS:
        raise IngestError(
            f"The class “{listing.classes[least][:80]}” has {counts[least]} readable, distinct images; every "
            f"class needs at least {FEWEST_PER_CLASS}."
        )


def _test_part(
    listing: Listing, labels: npt.NDArray[np.int64], kept: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Which images (n,) test final models: the set's own test part, else a fixed fifth of each class."""
    test = np.zeros(len(kept), dtype=bool)
    if listing.parts is not None:
        test[:] = listing.parts[kept] == TEST
        missing = set(range(len(listing.classes))) - set(labels[~test].tolist())
        if missing:
            raise IngestError(
                f"The class “{listing.classes[min(missing)][:80]}” has no images to learn from."
            )
        if test.any():
            return test
    order = stratified_order(labels, np.random.default_rng(TEST_SEED))
    test[order[: round(TEST_SHARE * len(order))]] = True
    return test


def _write_images(
    work: Path, out: Path, kept: npt.NDArray[np.int64], size: int, channels: int
) -> npt.NDArray[np.int64]:
    """Copies the images that stay; how often each of the 256 values occurs per channel (3, 256)."""
    raw = np.load(work / "raw.npy", mmap_mode="r", allow_pickle=False)
    shape = (len(kept), size, size, channels)
    images = np.lib.format.open_memmap(out / "images.npy", mode="w+", dtype=np.uint8, shape=shape)
    values = np.zeros((3, 256), dtype=np.int64)
    for start in range(0, len(kept), SLICE):
        part = raw[kept[start : start + SLICE]][..., :channels]
        images[start : start + len(part)] = part
        for channel in range(channels):
            values[channel] += np.bincount(part[..., channel].ravel(), minlength=256)
    images.flush()
    return values


def _checksum(
    facts: dict[str, Any], digests: Pixels, labels: npt.NDArray[np.int64], test: npt.NDArray[np.bool_]
) -> str:
    """SHA-256 over what the set is: classes, size, every image before it was resized, labels and split."""
    said = {name: facts[name] for name in ("classes", "size", "channels", "validation")}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for part in (digests, labels.astype("<i8"), test):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _report(
    listing: Listing,
    planned: Plan,
    read: _Read,
    kept: npt.NDArray[np.int64],
    test: npt.NDArray[np.bool_],
    values: npt.NDArray[np.int64],
) -> dict[str, Any]:
    sizes = read.sizes[kept]
    labels, classes = listing.labels[kept], len(listing.classes)
    return {
        "found": planned.images,
        "kept": len(kept),
        "unreadable": {"count": int((~read.good).sum()), "listed": read.problems[:LISTED]},
        "ignored": {"count": listing.ignored_count, "listed": list(listing.ignored)},
        "given_split": listing.parts is not None and TEST in listing.parts,
        "per_class": [
            np.bincount(labels[~test], minlength=classes).tolist(),
            np.bincount(labels[test], minlength=classes).tolist(),
        ],
        "widths": _spread(sizes[:, 0]),
        "heights": _spread(sizes[:, 1]),
    } | pixel_facts(values)


def pixel_facts(values: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Mean, deviation and a histogram of BINS bins per channel, from counts of values (channels, 256)."""
    grey = np.arange(256) / 255.0
    totals = values.sum(axis=1)
    mean = values @ grey / totals
    deviation = np.sqrt(np.maximum(values @ grey**2 / totals - mean**2, 0.0))
    histogram = values.reshape(len(values), BINS, 256 // BINS).sum(axis=2) / totals[:, None]
    return {
        "mean": mean.round(4).tolist(),
        "deviation": deviation.round(4).tolist(),
        "histogram": histogram.round(5).tolist(),
    }


def _spread(lengths: npt.NDArray[np.int32]) -> list[int]:
    return [int(lengths.min()), int(np.median(lengths)), int(lengths.max())]


def previews(
    images: Callable[[npt.NDArray[np.int64]], Pixels], labels: npt.NDArray[np.int64], classes: int
) -> Pixels:
    """PREVIEWS images of each class, spread over it, at most PREVIEW_SIZE wide: (classes, 8, p, p, channels).

    `images` gives images by their rows; of a class with fewer the rest stays black.
    """
    rows = [_spread_rows(np.flatnonzero(labels == one)) for one in range(classes)]
    sample = images(rows[0][:1])
    step = max(1, -(-sample.shape[1] // PREVIEW_SIZE))
    side, channels = len(range(0, sample.shape[1], step)), sample.shape[3]
    found = np.zeros((classes, PREVIEWS, side, side, channels), dtype=np.uint8)
    for one, chosen in enumerate(rows):
        found[one, : len(chosen)] = images(chosen)[:, ::step, ::step]
    return found


def _spread_rows(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), PREVIEWS)).astype(np.int64))
    chosen: npt.NDArray[np.int64] = rows[places]
    return chosen


def chunks(count: int) -> Iterator[slice]:
    """Slices that cover `count` rows."""
    return (slice(start, min(start + SLICE, count)) for start in range(0, count, SLICE))
